"""Rotation matrices, which act on column vectors."""

from __future__ import annotations

import numpy as np


def from_quaternions(q: np.ndarray) -> np.ndarray:
    """Quaternions [..., 4] (w, x, y, z; any length but 0) to rotations [..., 3, 3]."""
    w, x, y, z = np.moveaxis(q / np.linalg.norm(q, axis=-1, keepdims=True), -1, 0)
    entries = (
        1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
        2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
        2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),
    )  # fmt: skip
    return np.stack(entries, -1).reshape((*q.shape[:-1], 3, 3))


def from_vector(vector: np.ndarray) -> np.ndarray:
    """Rotation about `vector` [3] by its length in radians (Rodrigues' formula)."""
    angle = float(np.linalg.norm(vector))
    if angle < 1e-12:
        return np.eye(3)
    k = _cross_matrix(vector / angle)
    return np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * (k @ k)


def between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Smallest rotation that turns direction a [3] into direction b [3], which must not be its opposite."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    k = _cross_matrix(np.cross(a, b))
    return np.eye(3) + k + k @ k / (1 + a @ b)


def _cross_matrix(v: np.ndarray) -> np.ndarray:
    return np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
