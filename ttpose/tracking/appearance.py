"""What a person looks like, coarsely: the colours in the middle of the box."""

from __future__ import annotations

import numpy as np

from ttpose.core.geometry import Box

#: Lightness, green-red, blue-yellow. Lightness is coarse, because light and shadow change it first.
BINS = (4, 10, 10)
#: The share of the box's width and height that is compared: mostly clothes, little background.
CORE = (0.5, 0.6)


def appearance_of(image: np.ndarray, box: Box) -> np.ndarray:
    """Describe a person's colours.

    Args:
        image: RGB uint8 [H, W, 3].
        box: The person in image pixels.

    Returns:
        float32 [D], the square roots of a colour histogram (Lab), so that the dot product of two appearances is their
        Bhattacharyya coefficient; all zero where the box shows nothing.
    """
    import cv2

    cx, cy = box.center
    core = Box(cx - box.width * CORE[0] / 2, cy - box.height * CORE[1] / 2, box.width * CORE[0], box.height * CORE[1])
    core = core.clipped(image.shape[1], image.shape[0])
    x, y = round(core.x + 0.5), round(core.y + 0.5)
    part = image[y : round(y + core.height), x : round(x + core.width)]
    if part.size == 0:
        return np.zeros(int(np.prod(BINS)), np.float32)
    part = cv2.resize(part, (24, 48), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(part, cv2.COLOR_RGB2LAB)
    # Clothes are seldom vivid: the colour axes' outer halves are cut off, and their ends gather what lies there.
    lab[..., 1:] = np.clip(lab[..., 1:], 78, 177)
    counts = cv2.calcHist([lab], [0, 1, 2], None, list(BINS), [0, 256, 78, 178, 78, 178])
    # Neighbouring bins share, so that a colour on a bin's edge does not jump.
    for axis in range(3):
        moved = np.moveaxis(counts, axis, 0)
        moved[...] = (
            0.5 * moved
            + 0.25 * np.concatenate([moved[:1], moved[:-1]])
            + 0.25 * np.concatenate([moved[1:], moved[-1:]])
        )
    return np.sqrt(counts.ravel() / counts.sum()).astype(np.float32)


def mean_appearance(appearances: list[np.ndarray]) -> np.ndarray:
    """The average of appearances [D], a appearance again; at least one is needed."""
    histogram = np.mean(np.square(appearances), axis=0)
    return np.sqrt(histogram)


def appearance_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Hellinger distance of two appearances: 0 the same colours, 1 none in common."""
    return float(np.sqrt(max(1.0 - float(a @ b), 0.0)))
