"""A result's one person over time, as arrays: keypoints, times, the length to measure by, and what leaves the way."""

from __future__ import annotations

import numpy as np

from ttpose.core.skeleton import Skeleton, in_skeleton, torso_lengths
from ttpose.results.records import KeypointResult

_TRUNK = {f"{side}_{part}" for side in ("left", "right") for part in ("shoulder", "hip")}
# A person's torso in shares of the longer side of the box, where a keypoint set has no hips (upper-body sets).
_TORSO_OF_BOX = 0.3


def subject_keypoints(result: KeypointResult, smoothed: bool = False, skeleton: Skeleton | None = None) -> np.ndarray:
    """The first person's keypoints (or smoothed ones) in every frame [N, K, 3]; NaN, score 0, where nobody is.

    They are the result's own, or those of `skeleton`, by name; NaN, score 0, where the result lacks one.
    """
    if skeleton is not None and skeleton != result.skeleton:
        return in_skeleton(subject_keypoints(result, smoothed), result.skeleton, skeleton)
    keypoints = np.full((len(result.frames), len(result.skeleton), 3), np.nan)
    keypoints[..., 2] = 0.0
    for row, frame in zip(keypoints, result.frames, strict=True):
        if frame.people:
            person = frame.people[0]
            row[:] = person.smoothed if smoothed and person.smoothed is not None else person.keypoints
    return keypoints


def frame_times(result: KeypointResult) -> np.ndarray:
    """Seconds of every frame [N], rising; frames whose time a damaged file does not tell lie between their neighbours.

    A clip without any usable time counts frames at 30 a second.
    """
    times = np.array([frame.time_s for frame in result.frames], dtype=np.float64)
    known = np.isfinite(times)
    positions = np.arange(len(times))
    if not known.any() or (known.sum() > 1 and np.ptp(times[known]) == 0):
        return positions / 30.0
    times = np.interp(positions, positions[known], times[known])
    # Curves need every x once.
    return np.maximum.accumulate(times + positions * 1e-9)


def torso_length(result: KeypointResult, keypoints: np.ndarray) -> float:
    """Median distance of mid-shoulder to mid-hip over the clip in pixels; by the box where there are no hips."""
    known = set(result.skeleton.keypoints) >= _TRUNK
    lengths = torso_lengths(keypoints, result.skeleton) if known else np.zeros(0)
    lengths = lengths[np.isfinite(lengths)]
    if not len(lengths):
        sides = [frame.people[0].box.side for frame in result.frames if frame.people]
        lengths = np.array(sides or [1.0]) * _TORSO_OF_BOX
    return float(max(np.median(lengths), 1.0))


def off_straight(keypoints: np.ndarray, times: np.ndarray) -> np.ndarray:
    """How far each keypoint is from the straight way between the frames before and after [N, K], pixels.

    NaN in the first and the last frame, and beside frames without the keypoint.
    """
    points = keypoints[..., :2]
    off = np.full(points.shape[:2], np.nan)
    if len(times) > 2:
        steps = np.diff(times)
        # Where frames come at varying times, half-way in time is not half-way in count.
        share = (steps[:-1] / np.maximum(steps[:-1] + steps[1:], 1e-9))[:, None, None]
        straight = points[:-2] + (points[2:] - points[:-2]) * share
        off[1:-1] = np.linalg.norm(points[1:-1] - straight, axis=-1)
    return off
