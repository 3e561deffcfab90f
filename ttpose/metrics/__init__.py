"""Metrics on labelled keypoints: PCK, jitter, bootstrap intervals."""
