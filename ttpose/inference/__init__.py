"""Inference: crops, test-time augmentation, refinement and the ensemble. Nothing here learns."""
