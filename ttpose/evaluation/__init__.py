"""Measuring keypoints against labels, before and after personalization."""
