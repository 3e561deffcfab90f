"""Random augmentation of crops while learning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ttpose.inference.warps import Warp


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
