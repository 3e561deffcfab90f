"""Keypoints over time as curves: confidence, speed, jitter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ttpose.results.series import off_straight


@dataclass(frozen=True)
class Motion:
    """What can be said of each of N frames; NaN where nobody is.

    Attributes:
        confidence: Mean score of the keypoints, 0..1.
        speed: Mean over keypoints of the way since the frame before, torso lengths a second.
        jitter: Median over keypoints of the acceleration, in sides of the person's box a frame²
            (`ttpose.metrics.jitter`).
    """

    confidence: np.ndarray
    speed: np.ndarray
    jitter: np.ndarray


def motion_of(keypoints: np.ndarray, times: np.ndarray, torso: float, side: float) -> Motion:
    """Curves of keypoints [N, K, 3] at times [N]; `torso` and the box's `side` in the keypoints' pixels."""
    points, seen = keypoints[..., :2], np.isfinite(keypoints[..., 0]).any(axis=1)
    confidence = np.where(seen, keypoints[..., 2].mean(axis=1), np.nan)
    speed = np.full(len(times), np.nan)
    if len(times) > 1:
        way = np.linalg.norm(np.diff(points, axis=0), axis=-1) / torso
        speed[1:] = _mean(way) / np.maximum(np.diff(times), 1e-6)
    # Twice the distance from the middle is the acceleration, where frames come evenly.
    return Motion(confidence, speed, _median(2 * off_straight(keypoints, times) / side))


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean over the keypoints that are there [N], NaN where none is."""
    there = np.isfinite(values)
    count = there.sum(axis=1)
    total = np.where(there, values, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _median(values: np.ndarray) -> np.ndarray:
    """Median over the keypoints that are there [N], NaN where none is."""
    out = np.full(len(values), np.nan)
    some = np.isfinite(values).any(axis=1)
    out[some] = np.nanmedian(values[some], axis=1)
    return out


def median(values: np.ndarray) -> float | None:
    """Median of the finite values, None where there is none."""
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else None
