"""Which way a person faces in the picture, over time: it gives angles their sign."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ttpose.core.skeleton import Skeleton
from ttpose.results.segments import SIDES, Segments, segment

#: To the right or the left of the picture for somebody upright, towards the camera, or away from it.
DIRECTIONS = ("right", "left", "front", "back")

# What a change of direction costs, where evidence of 1 counts once in each 0.1 s: a look over the shoulder of less
# than 0.3 s (there and back) is taken as an error.
_FULL_S, _CHANGE = 0.1, 3.0
# How much head, foot and knee of a side say. A knee that is bent by this much speaks clearly; less may be noise.
_HEAD, _FOOT, _KNEE, _CLEAR_BEND = 1.0, 0.5, 0.5, 30.0
# Shoulders and hips seen from the front are together about this many trunks wide; half-way to profile a face speaks.
_BREADTH, _FRONTAL, _AGAINST = 0.6, 1.2, 0.5


@dataclass(frozen=True)
class Facing:
    """Where a person faces in each of T frames.

    Attributes:
        direction: int [T], positions in `DIRECTIONS`.
        profile: [T] how clearly the person is seen from the side: 1, or 0 from the front or from behind.
    """

    direction: np.ndarray
    profile: np.ndarray

    def sign(self, side: str) -> np.ndarray:
        """int [T]: 1 where forward is to the right of the picture, for a limb of that side, and -1 to the left.

        Seen from the front or from behind it is outwards instead of forward. The trunk goes with the left side.
        """
        signs = np.array({"left": (1, -1, 1, -1), "right": (1, -1, -1, 1)}[side])
        return np.asarray(signs[self.direction])


def facing(points: np.ndarray, skeleton: Skeleton, times: np.ndarray) -> Facing:
    """Where a person faces, by the whole clip's evidence and with as few changes as it allows.

    Nose against ears, toes against heels and the bend of the knees speak for right or left, each relative to the body,
    so that it holds upside down, too; the breadth of shoulders and hips speaks for front or back.

    Args:
        points: [T, K, 2] pixels, y down; NaN where not seen.
        skeleton: Names the keypoints.
        times: [T] seconds, rising.
    """
    seen = Segments.of(points, skeleton)
    ahead = _HEAD * _head(points, skeleton, seen)
    for side in SIDES:
        shank = seen.limbs[f"{side}_shank"]
        knee = seen.limbs[f"{side}_thigh"] * shank.conj()
        foot = segment(points, skeleton, f"{side}_heel", f"{side}_big_toe")
        ahead += _FOOT * np.nan_to_num((foot.conj() * shank).imag)
        ahead += _KNEE * np.nan_to_num(np.clip(np.degrees(np.angle(knee)) / _CLEAR_BEND, -1, 1))
    broad = _FRONTAL * np.clip(_breadth(points, skeleton, seen) / _BREADTH, -1, 1)
    gains = [ahead, -ahead, broad - _AGAINST * np.abs(ahead), -broad - _AGAINST * np.abs(ahead)]
    direction = steady(np.stack(gains, -1), times)
    return Facing(direction, np.where(direction < 2, np.minimum(np.abs(ahead), 1.0), 0.0))


def steady(gains: np.ndarray, times: np.ndarray) -> np.ndarray:
    """The states int [T] that gain most of gains [T, S] at `times`, where each change of state has its price."""
    if not len(gains):
        return np.zeros(0, dtype=np.int64)
    steps = np.diff(times, append=times[-1] + _FULL_S)
    weighed = np.nan_to_num(gains) * (np.minimum(steps, _FULL_S) / _FULL_S)[:, None]
    best, came_from = [0.0] * gains.shape[1], []  # Viterbi
    for row in weighed.tolist():
        top = best.index(max(best))
        origin = [top if best[top] - _CHANGE > value else state for state, value in enumerate(best)]
        best = [max(value, best[top] - _CHANGE) + gain for value, gain in zip(best, row, strict=True)]
        came_from.append(origin)
    states = np.zeros(len(gains), dtype=np.int64)
    state = best.index(max(best))
    for t in range(len(gains) - 1, -1, -1):
        states[t] = state
        state = came_from[t][state]
    return states


def _head(points: np.ndarray, skeleton: Skeleton, seen: Segments) -> np.ndarray:
    """How far the nose is in front of the ears [T]: ±1 in profile, 0 where it is midway between them or not seen."""
    both = np.stack([segment(points, skeleton, f"{side}_ear", "nose", unit=False) for side in SIDES])
    apart, there = np.nan_to_num(np.abs(both[0] - both[1])), np.isfinite(both)
    nose = np.where(there, both, 0).sum(0) / np.maximum(there.sum(0), 1)
    size = np.maximum(np.maximum(np.abs(nose), apart), 1e-6)
    return np.asarray((nose.conj() * _upright(seen)).imag / size)


def _breadth(points: np.ndarray, skeleton: Skeleton, seen: Segments) -> np.ndarray:
    """How far the left shoulder and hip are to the right of the right ones [T], in trunks; 0 where not seen."""
    across = [segment(points, skeleton, f"right_{part}", f"left_{part}", unit=False) for part in ("shoulder", "hip")]
    parts = [(way.conj() * _upright(seen)).imag / np.maximum(seen.trunk_length, 1e-6) for way in across]
    return np.nan_to_num(np.stack(parts)).mean(0)


def _upright(seen: Segments) -> np.ndarray:
    return np.where(np.isfinite(seen.trunk), seen.trunk, 1j)
