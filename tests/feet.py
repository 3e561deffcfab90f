"""Feet below the ankles of figures that have none, and a second network that sees them there."""

from __future__ import annotations

import numpy as np

from ttpose.core.skeleton import COCO17, COCO17_FEET, FEET
from ttpose.inference.ensemble import EnsembleMember

# From the ankle, in shares of the torso: both feet point to the right of the picture.
_OFFSETS = {"big_toe": (0.35, 0.15), "heel": (-0.12, 0.13)}


def feet_of(keypoints: np.ndarray) -> np.ndarray:
    """Points [..., 4, 3] of the feet of COCO keypoints [..., 17, 3], with the ankles' scores."""
    hips, shoulders = (
        keypoints[..., [COCO17.index(f"{side}_{part}") for side in ("left", "right")], :2].mean(-2)
        for part in ("hip", "shoulder")
    )
    torso = np.linalg.norm(hips - shoulders, axis=-1)[..., None]
    points = []
    for name in FEET:
        side, part = name.split("_", 1)
        ankle = keypoints[..., COCO17.index(f"{side}_ankle"), :]
        points.append(np.concatenate([ankle[..., :2] + torso * _OFFSETS[part], ankle[..., 2:]], -1))
    return np.stack(points, -2)


def said_of(feet: np.ndarray) -> np.ndarray:
    """Where BlazePose would have the points [..., 4, 3] of feet: its toes are short of the tips."""
    said = feet.copy()
    said[..., :2, :2] = feet[..., 2:, :2] + (feet[..., :2, :2] - feet[..., 2:, :2]) / 1.1
    return said


def second_network(self: EnsembleMember, crops: object, keypoints: np.ndarray) -> np.ndarray:
    """In place of `EnsembleMember.predict`: the pose that was found, feet where they are asked for, no disagreement."""
    said = np.concatenate([keypoints, said_of(feet_of(keypoints))], 1) if self.skeleton == COCO17_FEET else keypoints
    return np.concatenate([said, np.zeros((*said.shape[:2], 1))], -1)
