"""Where a rendered person's labels and the base's keypoints mean different points of the body.

A renderer's shoulder is the joint of a skeleton, an annotator's a point of the surface. Such a difference is no error
of the base, and no label of ours should teach it. It is the same for the same pose, so that a linear map of the pose
says it; complex numbers for points (x + iy) make that map turn and grow with the person.
"""

from __future__ import annotations

import numpy as np

from ttpose.core.skeleton import Skeleton, torso_lengths

# What is further off than this, in torsos, or less sure, is an error and no convention.
_FURTHEST, _LEAST_SCORE = 0.25, 0.5
_VISIBLE = 2
_RIDGE = 0.1


def scored_lengths(truth: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Torso lengths [T] of labels [T, K, 3], at least 0.7 of the clip's median, as clips are scored."""
    length = torso_lengths(truth, skeleton)
    return np.asarray(np.maximum(length, max(0.7 * float(np.median(length)), 1e-3)))


def fit_convention(truths: list[np.ndarray], found: list[np.ndarray], skeleton: Skeleton) -> np.ndarray:
    """The map from labels to the base's points.

    Args:
        truths: Labels [T, K, 3] of clips; the third value is 2 where the joint can be seen.
        found: The base's keypoints [T, K, 3] in the same clips.
        skeleton: The keypoint set.

    Returns:
        Complex [K, K]: row k times the pose gives keypoint k's offset.
    """
    mirror = list(skeleton.flip)
    lengths = np.concatenate([scored_lengths(truth, skeleton) for truth in truths])[:, None]
    truth, seen = np.concatenate(truths), np.concatenate(found)
    pose, offset = _pose(truth, skeleton) / lengths, (_complex(seen) - _complex(truth)) / lengths
    usable = (truth[..., 2] == _VISIBLE) & (seen[..., 2] > _LEAST_SCORE) & (np.abs(offset) < _FURTHEST)
    # Seen in a mirror the convention is the same.
    pose = np.concatenate([pose, -pose[:, mirror].conj()])
    offset = np.concatenate([offset, -offset[:, mirror].conj()])
    usable = np.concatenate([usable, usable[:, mirror]])
    rows = []
    for joint in range(len(skeleton)):
        known = pose[usable[:, joint]]
        square = known.conj().T @ known + _RIDGE * np.eye(len(skeleton))
        rows.append(np.linalg.solve(square, known.conj().T @ offset[usable[:, joint], joint]))
    return np.stack(rows)


def in_convention(truth: np.ndarray, convention: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Labels [T, K, 3] as the base would name the same points."""
    offset = _pose(truth, skeleton) @ convention.T
    moved = truth.astype(np.float64)
    moved[..., 0] += offset.real
    moved[..., 1] += offset.imag
    return moved


def _complex(points: np.ndarray) -> np.ndarray:
    return np.asarray(points[..., 0] + 1j * points[..., 1])


def _pose(truth: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    points, hips = _complex(truth), [skeleton.index("left_hip"), skeleton.index("right_hip")]
    return np.asarray(points - points[:, hips].mean(1, keepdims=True))
