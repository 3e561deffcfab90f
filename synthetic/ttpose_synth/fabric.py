"""Colours, patterns and cloth for clothes and flat walls. Colours are RGB, 0..255, display values."""

from __future__ import annotations

import cv2
import numpy as np

from ttpose_synth.assets import Backgrounds
from ttpose_synth.image_bank import TEXTURE_SIZE


def cloth_colour(rng: np.random.Generator) -> np.ndarray:
    """A colour as clothes have it, float32 [3]: half greyish, some denim blue, the rest saturated."""
    kind = rng.random()
    if kind < 0.5:
        return _from_hsv(rng.random(), rng.uniform(0, 0.25), rng.uniform(0.06, 0.95))
    if kind < 0.65:
        return _from_hsv(rng.uniform(0.56, 0.66), rng.uniform(0.3, 0.8), rng.uniform(0.15, 0.6))
    return _from_hsv(rng.random(), rng.uniform(0.25, 0.85), rng.uniform(0.2, 0.95))


def pattern(backgrounds: Backgrounds, rng: np.random.Generator) -> np.ndarray:
    """Plain (3 of 8), stripes, checks, camouflage, dots or a photo print, float32 [256, 256, 3]."""
    kind = rng.integers(0, 8)
    first, second = cloth_colour(rng), cloth_colour(rng)
    if kind <= 2:
        return np.broadcast_to(first, (TEXTURE_SIZE, TEXTURE_SIZE, 3)).copy()
    if kind == 7:
        photo = backgrounds.pick(rng, backgrounds.photos)
        return cv2.resize(photo, (TEXTURE_SIZE, TEXTURE_SIZE), interpolation=cv2.INTER_AREA).astype(np.float32)
    share = _motif(int(kind), rng)
    return first + (second - first) * share[..., None].astype(np.float32)


def recoloured(backgrounds: Backgrounds, rng: np.random.Generator, texture: np.ndarray) -> np.ndarray:
    """A texture RGBA uint8 [H, W, 4] as it is, in another hue, or with a new pattern under its own shading."""
    rgb, alpha = np.ascontiguousarray(texture[..., :3]), texture[..., 3:]
    kind = rng.random()
    if kind < 0.25:
        return texture
    if kind < 0.55:
        return np.dstack([_shift_hue(rgb, rng), alpha])
    opaque = alpha[..., 0] > 128
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    mean = grey[opaque].mean() if opaque.any() else grey.mean()
    shading = np.clip((grey / max(mean, 20)) ** rng.uniform(0.4, 0.9), 0.25, 1.9)[..., None]
    return np.dstack([np.clip(pattern(backgrounds, rng) * shading, 0, 255), alpha]).astype(np.uint8)


def fabric(backgrounds: Backgrounds, rng: np.random.Generator) -> np.ndarray:
    """A cloth texture with weave and folds, RGBA uint8 [256, 256, 4]."""
    size = TEXTURE_SIZE
    cloth = pattern(backgrounds, rng)
    weave = cv2.GaussianBlur(rng.normal(0, 1, (size, size)).astype(np.float32), (0, 0), rng.uniform(0.5, 2))
    folds = cv2.resize(rng.normal(0, 1, (12, 12)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    cloth = np.clip(cloth * (1 + 0.05 * weave / (weave.std() + 1e-6) + 0.08 * folds)[..., None], 0, 255)
    return np.dstack([cloth, np.full((size, size), 255)]).astype(np.uint8)


def _motif(kind: int, rng: np.random.Generator) -> np.ndarray:
    """How much of the second colour shows, 0..1, [256, 256]: 3 stripes, 4 checks, 5 camouflage, 6 dots."""
    size = TEXTURE_SIZE
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    if kind == 3:
        count, axis = rng.integers(4, 30), y if rng.random() < 0.6 else x
        return (axis * count) % 1 < rng.uniform(0.2, 0.8)
    if kind == 4:
        count = rng.integers(6, 30)
        return 0.5 * (x * count % 1 < 0.5) + 0.5 * (y * count % 1 < 0.5)
    if kind == 5:
        coarse = rng.random((rng.integers(6, 30),) * 2).astype(np.float32)
        return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC) > 0.5
    count = rng.integers(8, 24)
    return (x * count % 1 - 0.5) ** 2 + (y * count % 1 - 0.5) ** 2 < rng.uniform(0.03, 0.15)


def _shift_hue(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    hsv = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV).astype(np.int32)
    hsv[..., 0] = (hsv[..., 0] + rng.integers(0, 180)) % 180
    hsv[..., 1] = np.clip(hsv[..., 1] * rng.uniform(0.3, 1.5) + rng.uniform(0, 60), 0, 255)
    hsv[..., 2] = np.clip(hsv[..., 2] * rng.uniform(0.6, 1.5), 0, 255)
    return cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB)


def _from_hsv(hue: float, saturation: float, value: float) -> np.ndarray:
    """Each 0..1 to float32 [3]."""
    pixel = np.array([[[hue * 180, saturation * 255, value * 255]]]).astype(np.uint8)
    return cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0].astype(np.float32)
