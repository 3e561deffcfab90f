"""How much keypoints shake from frame to frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ttpose.core.geometry import Box


def jitter(keypoints: np.ndarray, boxes: Sequence[Box], fps: float | None = None) -> float:
    """How much keypoints shake: the median length of their acceleration, in sides of the person's box.

    The acceleration of a keypoint at frame t is p[t + 1] - 2 p[t] + p[t - 1]; the unit is the clip's median box side
    (its longer side) per frame², or per second² if the frame rate is given. The labels' own jitter is the floor that
    a perfect prediction has: lower is smoother, not better.

    Args:
        keypoints: [T, K, 2 or more]: x, y first, in consecutive frames; NaN where there is none.
        boxes: T person boxes (or those of the frames that have one).
        fps: Frames a second.

    Returns:
        The median over frames and keypoints; NaN for fewer than three frames.
    """
    side = float(np.median([box.side for box in boxes])) if len(boxes) else 0.0
    if len(keypoints) < 3 or not side > 0:
        return float("nan")
    bends = np.linalg.norm(np.diff(keypoints[..., :2], n=2, axis=0), axis=-1)
    bends = bends[np.isfinite(bends)]
    return float(np.median(bends)) / side * (fps**2 if fps else 1.0) if bends.size else float("nan")
