"""Labelled clips and research datasets."""
