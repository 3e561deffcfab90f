"""The random warp that the target and the source of a pair share (TTP paper, section 4.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ttpose.core import geometry
from ttpose.core.geometry import Box
from ttpose.training.schedule import JointSettings


@dataclass(frozen=True)
class Warp:
    """How a crop differs from the plain one.

    Attributes:
        scale: More than 1 shows more surroundings.
        rotation: Degrees.
        flip: Mirrored left-right.
    """

    scale: float = 1.0
    rotation: float = 0.0
    flip: bool = False


def draw_warp(rng: np.random.Generator, settings: JointSettings) -> Warp:
    """A random warp; always draws as many random numbers."""
    scale, rotation = rng.standard_normal(2)
    rotated, flipped = rng.random(2)
    low, high = 1 - settings.scale, 1 + settings.scale
    limit = settings.rotation_limit
    return Warp(
        scale=float(np.clip(1 + settings.scale * scale, low, high)),
        rotation=float(np.clip(settings.rotation * rotation, -limit, limit)) * (rotated < settings.rotation_share),
        flip=bool(flipped < settings.flip_share),
    )


def warp_matrix(box: Box, size: int, settings: JointSettings, warp: Warp) -> np.ndarray:
    """Affine map [2, 3] from image pixels to a warped crop of `size` pixels."""
    return geometry.crop_matrix(
        box,
        size,
        pad=settings.crop_pad,
        rotation=warp.rotation,
        scale=warp.scale,
        # The shift belongs to the person, not to how much is shown around it.
        shift=(0.0, settings.crop_down / warp.scale),
        flip=warp.flip,
    )
