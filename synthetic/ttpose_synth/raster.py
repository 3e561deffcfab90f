"""Z-buffer rasterisers: which triangle each sample shows, and how far the light reaches.

Samples are the pixels of a picture enlarged by `SUPERSAMPLE`; sample centres lie at integers. A triangle whose front
faces the viewer has a negative signed area on the screen (x right, y down).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ttpose_synth.jit import inlined, kernel
from ttpose_synth.meshes import Surface

#: Samples per pixel and axis. Two give smooth outlines at a quarter of the speed of one.
SUPERSAMPLE = 2
#: Texels below this alpha are holes (of 255): hair cards keep their thin ends, lace keeps its holes.
_ALPHA_THRESHOLD = 110
_ZERO, _ONE = np.float32(0), np.float32(1)


class Screen(NamedTuple):
    """Projected vertices: x, y float32 [V] samples, inverse_depth float32 [V] 1/metres (not above 0: dropped)."""

    x: np.ndarray
    y: np.ndarray
    inverse_depth: np.ndarray


@kernel
def rasterise(screen: Screen, surface: Surface, depth_buffer: np.ndarray, face_buffer: np.ndarray) -> None:
    """Write the nearest face per sample.

    Args:
        screen: Projected vertices.
        surface: The mesh; alpha-tested materials are looked up in its textures.
        depth_buffer: float32 [H, W], 1/metres, 0 where empty; read and written.
        face_buffer: int32 [H, W], -1 where empty; read and written.
    """
    height, width = depth_buffer.shape
    for f in range(surface.face.shape[0]):
        i, j, k = surface.face[f, 0], surface.face[f, 1], surface.face[f, 2]
        x0, y0, x1, y1, x2, y2 = screen.x[i], screen.y[i], screen.x[j], screen.y[j], screen.x[k], screen.y[k]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        m = surface.material[f]
        if area == _ZERO or (area > _ZERO and surface.cull_back[m] != 0):
            continue
        left, right = _covered(x0, x1, x2, width)
        top, bottom = _covered(y0, y1, y2, height)
        z0, z1, z2 = screen.inverse_depth[i], screen.inverse_depth[j], screen.inverse_depth[k]
        if left > right or top > bottom or z0 <= _ZERO or z1 <= _ZERO or z2 <= _ZERO:
            continue
        row0, dx0, dy0 = _edge(x1, y1, x2, y2, left, top, area)
        row1, dx1, dy1 = _edge(x2, y2, x0, y0, left, top, area)
        for y in range(top, bottom + 1):
            w0, w1 = row0, row1
            for x in range(left, right + 1):
                w2 = _ONE - w0 - w1
                if w0 >= _ZERO and w1 >= _ZERO and w2 >= _ZERO:
                    inverse = w0 * z0 + w1 * z1 + w2 * z2
                    if inverse > depth_buffer[y, x] and (
                        surface.alpha_test[m] == 0 or _opaque(surface, f, m, w0 * z0 / inverse, w1 * z1 / inverse)
                    ):
                        depth_buffer[y, x] = inverse
                        face_buffer[y, x] = f
                w0 += dx0
                w1 += dx1
            row0 += dy0
            row1 += dy1


@kernel
def rasterise_depth(x: np.ndarray, y: np.ndarray, depth: np.ndarray, face: np.ndarray, shadow: np.ndarray) -> None:
    """Write the smallest depth along the light per texel, from faces that look at the light.

    Args:
        x: float32 [V], texels of a parallel projection.
        y: float32 [V].
        depth: float32 [V], metres along the light.
        face: int32 [F, 3].
        shadow: float32 [H, W], metres; read and written.
    """
    height, width = shadow.shape
    for f in range(face.shape[0]):
        i, j, k = face[f, 0], face[f, 1], face[f, 2]
        x0, y0, x1, y1, x2, y2 = x[i], y[i], x[j], y[j], x[k], y[k]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if area >= _ZERO:
            continue
        left, right = _covered(x0, x1, x2, width)
        top, bottom = _covered(y0, y1, y2, height)
        if left > right or top > bottom:
            continue
        row0, dx0, dy0 = _edge(x1, y1, x2, y2, left, top, area)
        row1, dx1, dy1 = _edge(x2, y2, x0, y0, left, top, area)
        z0, z1, z2 = depth[i], depth[j], depth[k]
        for v in range(top, bottom + 1):
            w0, w1 = row0, row1
            for u in range(left, right + 1):
                w2 = _ONE - w0 - w1
                if w0 >= _ZERO and w1 >= _ZERO and w2 >= _ZERO:
                    shadow[v, u] = min(shadow[v, u], w0 * z0 + w1 * z1 + w2 * z2)
                w0 += dx0
                w1 += dx1
            row0 += dy0
            row1 += dy1


@inlined
def _covered(a: np.float32, b: np.float32, c: np.float32, limit: int) -> tuple[int, int]:
    """First and last integer between the least and the greatest of three numbers, within 0..limit - 1.

    Clamped before the cast, because vertices beside the camera project arbitrarily far out.
    """
    edge = np.float32(limit)
    first = np.ceil(min(max(min(a, min(b, c)), _ZERO), edge))
    last = np.floor(max(min(max(a, max(b, c)), edge - _ONE), -_ONE))
    return int(first), int(last)


@inlined
def _edge(
    xa: np.float32, ya: np.float32, xb: np.float32, yb: np.float32, x: int, y: int, area: np.float32
) -> tuple[np.float32, np.float32, np.float32]:
    """Barycentric weight opposite the edge a-b at (x, y), and its change per step in x and in y."""
    scale = _ONE / area
    dx, dy = (ya - yb) * scale, (xb - xa) * scale
    return (np.float32(x) - xa) * dx + (np.float32(y) - ya) * dy, dx, dy


@inlined
def _opaque(surface: Surface, f: int, m: int, b0: np.float32, b1: np.float32) -> bool:
    """Whether the texture has substance at these perspective-correct weights."""
    b2 = _ONE - b0 - b1
    uv, size = surface.uv, surface.texture.shape[1]
    u = b0 * uv[f, 0, 0] + b1 * uv[f, 1, 0] + b2 * uv[f, 2, 0]
    v = _ONE - (b0 * uv[f, 0, 1] + b1 * uv[f, 1, 1] + b2 * uv[f, 2, 1])
    column, row = int(u * np.float32(size)) % size, int(v * np.float32(size)) % size
    return surface.texture[m, row, column, 3] > _ALPHA_THRESHOLD
