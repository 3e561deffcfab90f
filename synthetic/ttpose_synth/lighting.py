"""Lamps and shadows of a scene. Light is linear RGB; after exposure, 1 is white."""

from __future__ import annotations

import numpy as np

from ttpose_synth.meshes import bounding_box
from ttpose_synth.raster import rasterise_depth
from ttpose_synth.shade_person import Light, ShadowMap

#: Side of the shadow map in texels: about a centimetre on a person.
SHADOW_SIZE = 256
_MARGIN = 0.05  # metres around the person


def sample_light(rng: np.random.Generator) -> Light:
    """Draw a key lamp 25 to 80 degrees up, a weaker fill from any side, and light from sky and ground.

    Colours run from warm to bluish as daylight and indoor lamps do; strengths were chosen by eye.
    """
    azimuth, up = rng.uniform(0, 2 * np.pi), np.deg2rad(rng.uniform(25, 80))
    key_direction = np.array([np.cos(azimuth) * np.cos(up), np.sin(up), np.sin(azimuth) * np.cos(up)])
    key = rng.uniform(0.2, 1.6) * _tint(rng, (0.75, 1.05), (0.9, 1.02), (0.9, 1.1))
    ambient = rng.uniform(0.2, 0.65)
    sky = ambient * _tint(rng, (0.9, 1.2), None, (0.85, 1.1))
    ground = sky * rng.uniform(0.3, 0.8) * np.array([1.05, 1, 0.9])
    side = rng.uniform(0, 2 * np.pi)
    fill_direction = np.array([np.cos(side) * 0.9, 0.4, np.sin(side) * 0.9])
    fill = rng.uniform(0, 0.35) * _tint(rng, (0.8, 1.2), None, (0.8, 1.2))
    parts = (key_direction, key, fill_direction / np.linalg.norm(fill_direction), fill, sky, ground)
    return Light(*(part.astype(np.float32) for part in parts))


def cast_shadow(vertices: np.ndarray, face: np.ndarray, direction: np.ndarray) -> ShadowMap:
    """Shadow map of vertices float32 [V, 3], face int32 [F, 3]; direction [3] towards the lamp, not straight up."""
    along = -direction.astype(np.float64)
    across = np.cross(along, [0.0, 1.0, 0.0])
    across /= np.linalg.norm(across) + 1e-9
    axes = np.stack([across, np.cross(along, across), along])
    seen = vertices @ axes.T.astype(np.float32)
    low, high = bounding_box(seen) + np.array([[-_MARGIN], [_MARGIN]])
    texels = SHADOW_SIZE / max(high[0] - low[0], high[1] - low[1])  # per metre
    matrix = np.zeros((3, 4), np.float32)
    matrix[:2, :3] = axes[:2] * texels
    matrix[:2, 3] = -low[:2] * texels - 0.5
    matrix[2, :3] = axes[2]
    depth = np.full((SHADOW_SIZE, SHADOW_SIZE), 1e9, np.float32)
    x, y = (seen[:, axis] * np.float32(texels) + matrix[axis, 3] for axis in (0, 1))
    rasterise_depth(x, y, np.ascontiguousarray(seen[:, 2]), face, depth)
    return ShadowMap(matrix, depth)


def _tint(
    rng: np.random.Generator,
    blue: tuple[float, float],
    green: tuple[float, float] | None,
    red: tuple[float, float],
) -> np.ndarray:
    """A colour [3], RGB, each part drawn from its range (green is 1 where it has none)."""
    b = rng.uniform(*blue)
    g = 1.0 if green is None else rng.uniform(*green)
    return np.array([rng.uniform(*red), g, b])
