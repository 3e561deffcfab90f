"""Observations made by hand: what a model would have seen of known keypoints."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.painted import stepping
from ttpose.core.geometry import Box
from ttpose.core.skeleton import COCO17
from ttpose.inference.prediction import TTAPrediction


def observation(keypoints: np.ndarray) -> TTAPrediction:
    """A clear view of keypoints [N, K, 3]: one peak a map, sure of its side, all views agree, and a tight box."""
    peaks = np.repeat(keypoints[:, :, None], 4, 2)
    peaks[:, :, 1:, 2] = 0.0
    odds = np.full(keypoints.shape[:2], 2.5)
    boxes = np.array([Box.around(frame[:, :2]).as_list() for frame in keypoints])
    return TTAPrediction(keypoints.copy(), odds, np.full(keypoints.shape[:2], 0.005), keypoints.copy(), peaks, boxes)


def walking(frames: int, size: float = 300) -> np.ndarray:
    """Keypoints [frames, 17, 3] of a person who walks across the picture, all with the score 0.8."""
    clip = np.stack([stepping(size, i / 4) + np.array([2.0 * i, 0, 0]) for i in range(frames)])
    clip[..., 2] = 0.8
    return clip


def misled(
    seen: TTAPrediction, frame: int, name: str, shift: tuple[float, float], score: float, spare: float
) -> TTAPrediction:
    """The observation with one keypoint at a wrong highest peak, its true place being the next one, of `spare`."""
    joint = COCO17.index(name)
    seen = replace(
        seen, **{part: getattr(seen, part).copy() for part in ("keypoints", "single_view_keypoints", "peaks")}
    )
    true = seen.keypoints[frame, joint, :2].copy()
    seen.keypoints[frame, joint] = seen.single_view_keypoints[frame, joint] = seen.peaks[frame, joint, 0] = (
        *(true + shift),
        score,
    )
    seen.peaks[frame, joint, 1] = *true, spare
    return seen
