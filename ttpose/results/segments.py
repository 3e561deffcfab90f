"""Body segments in the picture as unit vectors: complex numbers, real part to the right, imaginary part up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ttpose.core.skeleton import Skeleton

#: Limb segments by what they are called: the lower and the upper end of somebody who stands.
LIMBS = {
    "thigh": ("knee", "hip"),
    "shank": ("ankle", "knee"),
    "arm": ("elbow", "shoulder"),
    "forearm": ("wrist", "elbow"),
}
SIDES = ("left", "right")


@dataclass(frozen=True)
class Segments:
    """The segments of a person in T frames.

    Attributes:
        trunk: Unit vectors [T] from the hips to the shoulders, NaN where neither both sides nor one are seen: from
            middle to middle, or that of the one side that is seen.
        trunk_length: Its length [T] in pixels, NaN likewise.
        limbs: Unit vectors [T] of each limb, such as `left_thigh`, from its lower to its upper end.
    """

    trunk: np.ndarray
    trunk_length: np.ndarray
    limbs: dict[str, np.ndarray]

    @classmethod
    def of(cls, points: np.ndarray, skeleton: Skeleton) -> Segments:
        """The segments of points [T, K, 2] in pixels, y down, NaN where not seen."""
        trunks = np.stack([segment(points, skeleton, f"{s}_hip", f"{s}_shoulder", unit=False) for s in SIDES])
        there = np.isfinite(trunks)
        # The mean of both sides' vectors runs from the middle of the hips to that of the shoulders.
        trunk = np.where(there, trunks, 0).sum(0) / np.maximum(there.sum(0), 1)
        trunk = np.where(there.any(0), trunk, complex(np.nan, np.nan))
        limbs = {
            f"{side}_{name}": segment(points, skeleton, f"{side}_{low}", f"{side}_{high}")
            for name, (low, high) in LIMBS.items()
            for side in SIDES
        }
        return cls(_unit(trunk), np.abs(trunk), limbs)


def segment(points: np.ndarray, skeleton: Skeleton, start: str, end: str, *, unit: bool = True) -> np.ndarray:
    """The way from one keypoint to another, complex [T], of length 1 or in pixels.

    NaN where an end is not seen, the keypoint set lacks one, or (with `unit`) there is no length.
    """
    if not {start, end} <= set(skeleton.keypoints):
        return np.full(len(points), complex(np.nan, np.nan))
    way = points[:, skeleton.index(end)] - points[:, skeleton.index(start)]
    return _unit(way[:, 0] - 1j * way[:, 1]) if unit else np.asarray(way[:, 0] - 1j * way[:, 1])


def _unit(way: np.ndarray) -> np.ndarray:
    length = np.abs(way)
    return np.where(length > 0, way / np.where(length > 0, length, 1), complex(np.nan, np.nan))
