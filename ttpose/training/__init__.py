"""The workshop: datasets, synthetic people, augmentation and the training loops."""
