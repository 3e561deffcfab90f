"""Inputs that are the same on every machine and with every library version."""

from __future__ import annotations

import numpy as np


def noise(size: int = 416) -> np.ndarray:
    """Pseudo-random uint8 [size, size, 3]."""
    count = np.arange(size * size * 3, dtype=np.uint64)
    return ((count * np.uint64(2654435761)) >> np.uint64(13)).astype(np.uint8).reshape(size, size, 3)


def drawing(size: int = 416) -> np.ndarray:
    """A plain standing figure on a gradient, uint8 [size, size, 3]."""
    y, x = np.mgrid[:size, :size] / size
    image = np.stack([120 + 100 * y, 150 + 60 * x, 200 - 80 * y], axis=-1)
    parts = (  # left, right, top, bottom in shares; colour
        (0.46, 0.54, 0.20, 0.32, (224, 180, 150)),
        (0.42, 0.58, 0.32, 0.56, (180, 30, 40)),
        (0.37, 0.42, 0.33, 0.58, (224, 180, 150)),
        (0.58, 0.63, 0.33, 0.58, (224, 180, 150)),
        (0.43, 0.49, 0.56, 0.86, (30, 40, 90)),
        (0.51, 0.57, 0.56, 0.86, (30, 40, 90)),
    )
    for left, right, top, bottom, color in parts:
        image[(x >= left) & (x < right) & (y >= top) & (y < bottom)] = color
    return image.astype(np.uint8)
