"""Which way a person looks in the picture, over time: the sign that flexion has there."""

from __future__ import annotations

import numpy as np

from ttpose.core.skeleton import Skeleton
from ttpose.results.segments import Segments, segment

# What a frame's evidence of ±1 weighs for each 0.1 s that the frame stands for, and what a change of mind costs: a
# look over the shoulder of less than 0.3 s (to and back, 2 changes against 2 per 0.1 s) is taken as an error.
_FULL_S, _CHANGE = 0.1, 3.0
# A knee that is bent by this much speaks as clearly as a face in profile; less may be noise.
_CLEAR_BEND = 30.0
_HEAD, _FOOT, _KNEE = 1.0, 0.5, 0.5


def facing(points: np.ndarray, skeleton: Skeleton, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether a person, turned upright, looks to the right or to the left of the picture.

    Nose against ears, toes against heels and the bend of the knees speak for a side, each relative to the body, so
    that somebody upside down keeps theirs. The side is that of the whole clip's evidence, with as few changes as it
    allows; a person seen from the front keeps the side from before.

    Args:
        points: [T, K, 2] pixels, y down; NaN where not seen.
        skeleton: Names the keypoints.
        times: [T] seconds, rising.

    Returns:
        Sides int [T], 1 for the right and -1 for the left, and the evidence [T] of each frame: positive for the right,
        about 1 or more in profile, about 0 seen from the front or from behind.
    """
    seen = Segments.of(points, skeleton)
    evidence = _HEAD * _head(points, skeleton, seen)
    for side in ("left", "right"):
        shank = seen.limbs[f"{side}_shank"]
        knee = seen.limbs[f"{side}_thigh"] * shank.conj()
        foot = segment(points, skeleton, f"{side}_heel", f"{side}_big_toe")
        evidence += _FOOT * np.nan_to_num((foot.conj() * shank).imag)
        evidence += _KNEE * np.nan_to_num(np.clip(np.degrees(np.angle(knee)) / _CLEAR_BEND, -1, 1))
    return steady_sign(evidence, times), evidence


def steady_sign(evidence: np.ndarray, times: np.ndarray) -> np.ndarray:
    """The signs int [T] that agree best with evidence [T] at `times`, where each change of sign has its price."""
    steps = np.diff(times, append=times[-1] + _FULL_S) if len(times) else np.zeros(0)
    gains = np.nan_to_num(evidence) * np.minimum(steps, _FULL_S) / _FULL_S
    best, came_from = [0.0, 0.0], []  # Viterbi over two states: plus, minus
    for gain in gains.tolist():
        changed = (best[1] - _CHANGE > best[0], best[0] - _CHANGE > best[1])
        best = [max(best[0], best[1] - _CHANGE) + gain, max(best[1], best[0] - _CHANGE) - gain]
        came_from.append(changed)
    signs = np.ones(len(gains), dtype=np.int64)
    state = int(best[1] > best[0])
    for t in range(len(gains) - 1, -1, -1):
        signs[t] = 1 - 2 * state
        state ^= came_from[t][state]
    return signs


def _head(points: np.ndarray, skeleton: Skeleton, seen: Segments) -> np.ndarray:
    """How far the nose is in front of the ears: ±1 in profile, 0 where it is midway between them or not seen."""
    left, right = (segment(points, skeleton, f"{side}_ear", "nose", unit=False) for side in ("left", "right"))
    both = np.stack([left, right])
    apart = np.nan_to_num(np.abs(left - right))
    there = np.isfinite(both)
    nose = np.where(there, both, 0).sum(0) / np.maximum(there.sum(0), 1)
    upright = np.where(np.isfinite(seen.trunk), seen.trunk, 1j)
    size = np.maximum(np.maximum(np.abs(nose), apart), 1e-6)
    return np.asarray((nose.conj() * upright).imag / size)
