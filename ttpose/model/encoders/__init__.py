"""Encoders: what turns a crop of a person into features at stride 4, behind one small interface."""
