"""Names of markers in the files of other programs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# Markers of the OpenSim models that come with Pose2Sim whose names are not simply ours as `LShoulder`.
_OPENSIM = {
    "neck": "Neck", "mid_hip": "Hip", "pelvis": "Hip", "head_top": "Head", "head": "Head", "thorax": "Neck",
}  # fmt: skip
# Markers that those models have and keypoint sets may lack: half-way between the two of a part.
_HALF_WAY = {"Neck": ("left_shoulder", "right_shoulder"), "Hip": ("left_hip", "right_hip")}


def opensim_name(keypoint: str) -> str:
    """`left_big_toe` as `LBigToe`."""
    side, _, part = keypoint.partition("_")
    if side in ("left", "right"):
        return side[0].upper() + _joined(part)
    return _OPENSIM.get(keypoint, _joined(keypoint))


def opensim_markers(points: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Keypoints [T, K, 2] under OpenSim's names, followed by Neck and Hip where the set has but their two sides.

    Returns:
        [T, M, 2] and M names.
    """
    found = [opensim_name(name) for name in names]
    for marker, parts in _HALF_WAY.items():
        if marker not in found and set(parts) <= set(names):
            half_way = points[:, [list(names).index(part) for part in parts]].mean(1, keepdims=True)
            points, found = np.concatenate([points, half_way], 1), [*found, marker]
    return points, tuple(found)


def _joined(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))
