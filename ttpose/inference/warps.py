"""Random views of crops: one warp a pair of frames, one change of light, keypoints carried along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ttpose.core import geometry
from ttpose.inference.crops import PersonCrop


@dataclass(frozen=True)
class Augmentation:
    """How far random views go.

    Attributes:
        rotation_sd: Degrees; rotations are normal, clipped at twice this.
        rotation_share: Share of views that are rotated.
        scale: Smallest and largest share of surroundings.
        shift_sd: In shares of the crop's side.
        flip: Whether half of the views are mirrored.
        contrast, tint, brightness: Half-widths of uniform changes: factor on all channels, factor on each, and levels.
    """

    # Rotation and its share: the reference's training and personalization (30°, clipped at 60°, p = 0.6).
    rotation_sd: float = 30.0
    rotation_share: float = 0.6
    # ±25 % in the reference; a little more surroundings than less, as boxes from a pose are tight.
    scale: tuple[float, float] = (0.85, 1.3)
    shift_sd: float = 0.03
    flip: bool = True
    contrast: float = 0.25
    tint: float = 0.1
    brightness: float = 20.0


@dataclass(frozen=True)
class Warp:
    """One random view's parameters, shared by the frames of a pair."""

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


def draw_warp(rng: np.random.Generator, how: Augmentation) -> Warp:
    """Draw one random view."""
    limit = 2 * how.rotation_sd
    rotation = (
        float(np.clip(rng.normal(0, how.rotation_sd), -limit, limit)) if rng.random() < how.rotation_share else 0.0
    )
    gain = rng.uniform(1 - how.contrast, 1 + how.contrast) * rng.uniform(1 - how.tint, 1 + how.tint, 3)
    shift = (float(rng.normal(0, how.shift_sd)), float(rng.normal(0, how.shift_sd)))
    flip = how.flip and bool(rng.random() < 0.5)
    offset = float(rng.uniform(-how.brightness, how.brightness))
    return Warp(rotation, float(rng.uniform(*how.scale)), shift, flip, gain, offset)


def warped_batch(crops: Sequence[PersonCrop], warps: Sequence[Warp], size: int) -> tuple[Tensor, list[np.ndarray]]:
    """Views of crops.

    Returns:
        RGB 0..255 float [B, 3, size, size], and each view's map from the cut-out to the view.
    """
    matrices = [crop.matrix(size, **warp.spatial) for crop, warp in zip(crops, warps, strict=True)]
    views = []
    for crop, warp, matrix in zip(crops, warps, matrices, strict=True):
        image = crop.view(matrix, size).astype(np.float32)
        if warp.offset or np.any(warp.gain != 1):
            image = np.clip(image * warp.gain + warp.offset, 0, 255).astype(np.float32)
        views.append(image)
    return torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2), matrices


def carry_keypoints(keypoints: np.ndarray, matrix: np.ndarray, flip: bool, mirror: Sequence[int]) -> np.ndarray:
    """Keypoints [K, 3] through a view's map; in a mirrored view left and right change names."""
    out = keypoints.copy()
    out[:, :2] = geometry.apply(matrix, keypoints[:, :2])
    return out[list(mirror)] if flip else out
