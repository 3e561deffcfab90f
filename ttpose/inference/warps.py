"""Warped views of crops: turned, scaled, shifted, mirrored, in other light; keypoints warped along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ttpose.core import geometry
from ttpose.core.geometry import CropGrid
from ttpose.inference.crops import PersonCrop


@dataclass(frozen=True)
class Warp:
    """One view's parameters."""

    rotation: float
    scale: float
    shift: tuple[float, float]
    flip: bool
    gain: np.ndarray
    offset: float

    @property
    def spatial(self) -> dict[str, float | bool | tuple[float, float]]:
        """Keyword arguments of `geometry.crop_matrix`."""
        return {"rotation": self.rotation, "scale": self.scale, "shift": self.shift, "flip": self.flip}


#: The view without any change.
PLAIN = Warp(0.0, 1.0, (0.0, 0.0), False, np.ones(3), 0.0)


def warped_batch(
    crops: Sequence[PersonCrop], warps: Sequence[Warp], grid: CropGrid | int
) -> tuple[Tensor, list[np.ndarray]]:
    """Views of crops.

    Returns:
        RGB 0..255 float [B, 3, H, W] on `grid`, and each view's map from the cut-out to the view.
    """
    matrices = [crop.matrix(grid, **warp.spatial) for crop, warp in zip(crops, warps, strict=True)]
    views = []
    for crop, warp, matrix in zip(crops, warps, matrices, strict=True):
        image = crop.view(matrix, grid).astype(np.float32)
        if warp.offset or np.any(warp.gain != 1):
            image = np.clip(image * warp.gain + warp.offset, 0, 255).astype(np.float32)
        views.append(image)
    return torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2), matrices


def carry_keypoints(keypoints: np.ndarray, matrix: np.ndarray, flip: bool, mirror: Sequence[int]) -> np.ndarray:
    """Keypoints [K, 3] through a view's map; in a mirrored view left and right change names."""
    out = keypoints.copy()
    out[:, :2] = geometry.apply(matrix, keypoints[:, :2])
    return out[list(mirror)] if flip else out
