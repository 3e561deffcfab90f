"""Points that no network finds and files of other tools want: neck, middle of the hips, top of the head."""

from __future__ import annotations

import numpy as np

from ttpose.core.skeleton import Skeleton

#: Names, in the order in which they follow the keypoints.
DERIVED = ("neck", "mid_hip", "head_top")
# Crown over ears in shares of ears over shoulders: (1 - 0.93) / (0.93 - 0.82) of the body's height.
_CROWN = 0.64
_PARTS = ("shoulder", "hip", "ear")


def with_derived(points: np.ndarray, skeleton: Skeleton) -> tuple[np.ndarray, tuple[str, ...]]:
    """Positions with the derived ones behind them, and all names.

    The neck is half-way between the shoulders, `mid_hip` half-way between the hips, and the top of the head on the line
    from the neck through the middle of the ears, which is right for a head that is held straight.

    Args:
        points: [..., K, 2]; NaN where not seen.
        skeleton: Names the keypoints; without shoulders, hips and ears, or with one of the names, nothing is derived.

    Returns:
        [..., K + 3, 2] or the points themselves; NaN where a part is.
    """
    pairs = [[f"{side}_{part}" for side in ("left", "right")] for part in _PARTS]
    known = all(name in skeleton.keypoints for pair in pairs for name in pair)
    if not known or any(name in skeleton.keypoints for name in DERIVED):
        return points, skeleton.keypoints
    neck, mid_hip, ears = (points[..., [skeleton.index(name) for name in pair], :].mean(-2) for pair in pairs)
    more = np.stack([neck, mid_hip, ears + _CROWN * (ears - neck)], -2)
    return np.concatenate([points, more], -2), (*skeleton.keypoints, *DERIVED)
