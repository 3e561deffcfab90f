"""Deferred shading of the person: light, shadow and texture for the samples that the rasteriser filled.

Light is linear and RGB; textures are display values, taken to light by squaring (gamma 2) and back by the caller.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ttpose.training.synthetic.jit import kernel
from ttpose.training.synthetic.meshes import Surface
from ttpose.training.synthetic.raster import SUPERSAMPLE, Screen

_ZERO, _HALF, _ONE = np.float32(0), np.float32(0.5), np.float32(1)
_TINY = np.float32(1e-12)
_TO_SHARE = np.float32(1 / 255)
# Metres by which a surface may lie behind its own shadow-map texel: more at grazing light, where a texel spans depth.
_SHADOW_BIAS, _GRAZING_BIAS = np.float32(0.02), np.float32(0.03)


class Pinhole(NamedTuple):
    """A camera in samples: x right, y down, z forward.

    Attributes:
        focal: float32, samples.
        cx: float32, principal point, samples with centres at integers.
        cy: float32.
        rotation: float32 [3, 3], world to camera.
        centre: float32 [3], metres.
    """

    focal: np.float32
    cx: np.float32
    cy: np.float32
    rotation: np.ndarray
    centre: np.ndarray


class ShadowMap(NamedTuple):
    """How far the key light reaches: matrix float32 [3, 4], world to texel x, y and depth; depth float32 [H, W]."""

    matrix: np.ndarray
    depth: np.ndarray


class Light(NamedTuple):
    """Key light (casts a shadow), fill light, sky and ground; directions towards the light, all float32 [3]."""

    key_direction: np.ndarray
    key: np.ndarray
    fill_direction: np.ndarray
    fill: np.ndarray
    sky: np.ndarray
    ground: np.ndarray


class PosedMesh(NamedTuple):
    """Vertices of one frame: position and unit normal, float32 [V, 3], in the world."""

    position: np.ndarray
    normal: np.ndarray


@kernel
def shade_person(
    face_buffer: np.ndarray,
    screen: Screen,
    mesh: PosedMesh,
    surface: Surface,
    camera: Pinhole,
    light: Light,
    shadow: ShadowMap,
    image: np.ndarray,
    coverage: np.ndarray,
) -> None:
    """Write the person's light and coverage.

    Pixels inside the outline use the two samples on the diagonal, pixels on it all that are covered.

    Args:
        face_buffer: int32 [H * SUPERSAMPLE, W * SUPERSAMPLE], from `rasterise`.
        screen: The vertices' projections.
        mesh: The vertices in the world.
        surface: Faces and materials.
        camera: For highlights and grazing angles.
        light: Lamps.
        shadow: From the key light.
        image: float32 [H, W, 3], written where covered.
        coverage: float32 [H, W], share of covered samples, written.
    """
    height, width, _ = image.shape
    for y in range(height):
        for x in range(width):
            top, left = y * SUPERSAMPLE, x * SUPERSAMPLE
            hits = 0
            for a in range(SUPERSAMPLE):
                for b in range(SUPERSAMPLE):
                    hits += face_buffer[top + a, left + b] >= 0
            coverage[y, x] = np.float32(hits) / np.float32(SUPERSAMPLE * SUPERSAMPLE)
            if hits == 0:
                continue
            inside = hits == SUPERSAMPLE * SUPERSAMPLE
            red = green = blue = count = _ZERO
            for a in range(SUPERSAMPLE):
                for b in range(SUPERSAMPLE):
                    face = face_buffer[top + a, left + b]
                    if face < 0 or (inside and a != b):
                        continue
                    r, g, s = _sample(face, left + b, top + a, screen, mesh, surface, camera, light, shadow)
                    red += r
                    green += g
                    blue += s
                    count += _ONE
            image[y, x, 0], image[y, x, 1], image[y, x, 2] = red / count, green / count, blue / count


@kernel
def _sample(
    f: int,
    x: int,
    y: int,
    screen: Screen,
    mesh: PosedMesh,
    surface: Surface,
    camera: Pinhole,
    light: Light,
    shadow: ShadowMap,
) -> tuple[float, float, float]:
    """Light that face `f` sends to the camera through sample (x, y)."""
    i, j, k = surface.face[f, 0], surface.face[f, 1], surface.face[f, 2]
    w0, w1, w2 = _weights(screen, i, j, k, np.float32(x), np.float32(y))
    px, py, pz = _blend(mesh.position, i, j, k, w0, w1, w2)
    nx, ny, nz = _blend(mesh.normal, i, j, k, w0, w1, w2)
    nx, ny, nz = _unit(nx, ny, nz)
    vx, vy, vz = _unit(camera.centre[0] - px, camera.centre[1] - py, camera.centre[2] - pz)
    facing = nx * vx + ny * vy + nz * vz
    if facing < 0:  # the back of a two-sided cloth: turn the normal to the viewer
        nx, ny, nz, facing = -nx, -ny, -nz, -facing
    m, key = surface.material[f], light.key_direction
    towards_key = nx * key[0] + ny * key[1] + nz * key[2]
    diffuse = gloss = _ZERO
    if towards_key > 0:
        lit = _lit(shadow, px, py, pz, _SHADOW_BIAS + _GRAZING_BIAS * (_ONE - towards_key))
        diffuse = towards_key * lit
        if surface.specular[m] > 0:
            hx, hy, hz = _unit(vx + key[0], vy + key[1], vz + key[2])
            gloss = surface.specular[m] * _sixteenth_power(max(nx * hx + ny * hy + nz * hz, _ZERO)) * lit
    side = light.fill_direction
    # The fill light wraps around: it stands for a window or a wall, not for a point.
    fill = max((nx * side[0] + ny * side[1] + nz * side[2]) * np.float32(0.7) + np.float32(0.3), _ZERO)
    sky = _HALF + _HALF * ny
    open_share = np.float32(0.6) + np.float32(0.4) * facing  # cheap ambient occlusion: folds are seen at an angle
    u = w0 * surface.uv[f, 0, 0] + w1 * surface.uv[f, 1, 0] + w2 * surface.uv[f, 2, 0]
    v = _ONE - (w0 * surface.uv[f, 0, 1] + w1 * surface.uv[f, 1, 1] + w2 * surface.uv[f, 2, 1])
    r, g, b = _texel(surface.texture, m, u, v)
    return (
        r * _incoming(light, 0, sky, open_share, diffuse, fill) + gloss * light.key[0],
        g * _incoming(light, 1, sky, open_share, diffuse, fill) + gloss * light.key[1],
        b * _incoming(light, 2, sky, open_share, diffuse, fill) + gloss * light.key[2],
    )


@kernel
def _incoming(light: Light, c: int, sky: float, open_share: float, diffuse: float, fill: float) -> float:
    """Light that falls on a surface in colour channel `c`."""
    ambient = light.ground[c] + (light.sky[c] - light.ground[c]) * sky
    return ambient * open_share + light.key[c] * diffuse + light.fill[c] * fill


@kernel
def _weights(screen: Screen, i: int, j: int, k: int, x: float, y: float) -> tuple[float, float, float]:
    """Perspective-correct barycentric weights of a sample in a triangle."""
    x0, y0, x1, y1, x2, y2 = screen.x[i], screen.y[i], screen.x[j], screen.y[j], screen.x[k], screen.y[k]
    w0 = ((x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)) * screen.inverse_depth[i]
    w1 = ((x0 - x2) * (y - y2) - (y0 - y2) * (x - x2)) * screen.inverse_depth[j]
    w2 = ((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)) * screen.inverse_depth[k]
    scale = _ONE / (w0 + w1 + w2)
    return w0 * scale, w1 * scale, w2 * scale


@kernel
def _blend(values: np.ndarray, i: int, j: int, k: int, w0: float, w1: float, w2: float) -> tuple[float, float, float]:
    return (
        w0 * values[i, 0] + w1 * values[j, 0] + w2 * values[k, 0],
        w0 * values[i, 1] + w1 * values[j, 1] + w2 * values[k, 1],
        w0 * values[i, 2] + w1 * values[j, 2] + w2 * values[k, 2],
    )


@kernel
def _unit(x: float, y: float, z: float) -> tuple[float, float, float]:
    scale = _ONE / np.sqrt(x * x + y * y + z * z + _TINY)
    return x * scale, y * scale, z * scale


@kernel
def _sixteenth_power(x: float) -> float:
    x = x * x
    x = x * x
    x = x * x
    return x * x


@kernel
def _lit(shadow: ShadowMap, x: float, y: float, z: float, bias: float) -> float:
    """Share of key light at a point, 0..1, blended between the four nearest texels; 1 outside the map."""
    m, depth = shadow.matrix, shadow.depth
    u = m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3]
    v = m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3]
    near = m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3] - bias
    column, row = int(np.floor(u)), int(np.floor(v))
    if column < 0 or row < 0 or column >= depth.shape[1] - 1 or row >= depth.shape[0] - 1:
        return _ONE
    fu, fv = u - np.float32(column), v - np.float32(row)
    lit = _ZERO
    if depth[row, column] > near:
        lit += (_ONE - fu) * (_ONE - fv)
    if depth[row, column + 1] > near:
        lit += fu * (_ONE - fv)
    if depth[row + 1, column] > near:
        lit += (_ONE - fu) * fv
    if depth[row + 1, column + 1] > near:
        lit += fu * fv
    return lit


@kernel
def _texel(texture: np.ndarray, m: int, u: float, v: float) -> tuple[float, float, float]:
    """Reflectance of material `m` at a texture coordinate (repeating, v down), blended between four texels."""
    size = texture.shape[1]
    x, y = u * np.float32(size) - _HALF, v * np.float32(size) - _HALF
    left, top = int(np.floor(x)), int(np.floor(y))
    fx, fy = x - np.float32(left), y - np.float32(top)
    xa, xb, ya, yb = left % size, (left + 1) % size, top % size, (top + 1) % size
    w00, w01, w10, w11 = (_ONE - fx) * (_ONE - fy), fx * (_ONE - fy), (_ONE - fx) * fy, fx * fy
    a, b, c, d = texture[m, ya, xa], texture[m, ya, xb], texture[m, yb, xa], texture[m, yb, xb]
    red = (a[0] * w00 + b[0] * w01 + c[0] * w10 + d[0] * w11) * _TO_SHARE
    green = (a[1] * w00 + b[1] * w01 + c[1] * w10 + d[1] * w11) * _TO_SHARE
    blue = (a[2] * w00 + b[2] * w01 + c[2] * w10 + d[2] * w11) * _TO_SHARE
    return red * red, green * green, blue * blue
