"""Deferred shading of the person: light, shadow and texture for the samples that the rasteriser filled.

Light is linear and RGB; textures are display values, taken to light by squaring (gamma 2) and back by the caller.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ttpose_synth.jit import inlined, kernel
from ttpose_synth.meshes import Surface
from ttpose_synth.raster import SUPERSAMPLE, Screen

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


class Samples(NamedTuple):
    """The N samples of a picture that show the person.

    Attributes:
        pixel: int32 [N, 2], row and column.
        weight: float32 [N], share in its pixel's colour; a pixel's weights sum to 1.
        material: int32 [N].
        uv: float32 [N, 2], v down.
        position: float32 [N, 3], in the world.
        normal: float32 [N, 3], unit, towards the camera.
        facing: float32 [N], cosine between the normal and the direction to the camera.
    """

    pixel: np.ndarray
    weight: np.ndarray
    material: np.ndarray
    uv: np.ndarray
    position: np.ndarray
    normal: np.ndarray
    facing: np.ndarray

    @classmethod
    def empty(cls, count: int) -> Samples:
        """Room for `count` samples."""
        ints, floats = np.int32, np.float32
        return cls(
            np.empty((count, 2), ints), np.empty(count, floats), np.empty(count, ints), np.empty((count, 2), floats),
            np.empty((count, 3), floats), np.empty((count, 3), floats), np.empty(count, floats),
        )  # fmt: skip


class PosedMesh(NamedTuple):
    """Vertices of one frame: position and unit normal, float32 [V, 3], in the world."""

    position: np.ndarray
    normal: np.ndarray


def shade_person(
    face_buffer: np.ndarray,
    screen: Screen,
    mesh: PosedMesh,
    surface: Surface,
    camera: Pinhole,
    light: Light,
    shadow: ShadowMap,
    image: np.ndarray,
) -> np.ndarray:
    """Add the person's light to a picture.

    Args:
        face_buffer: int32 [H * SUPERSAMPLE, W * SUPERSAMPLE], from `rasterise`.
        screen: The vertices' projections.
        mesh: The vertices in the world.
        surface: Faces and materials.
        camera: For highlights and grazing angles.
        light: Lamps.
        shadow: From the key light.
        image: float32 [H, W, 3], added to.

    Returns:
        float32 [H, W], share of covered samples.
    """
    coverage = np.empty(image.shape[:2], np.float32)
    samples = Samples.empty(measure_coverage(face_buffer, coverage))
    gather_samples(face_buffer, screen, mesh, surface, camera.centre, coverage, samples)
    light_samples(samples, surface, camera, light, shadow, image)
    return coverage


@kernel
def gather_samples(
    face_buffer: np.ndarray,
    screen: Screen,
    mesh: PosedMesh,
    surface: Surface,
    centre: np.ndarray,
    coverage: np.ndarray,
    samples: Samples,
) -> None:
    """Interpolate the mesh at every sample that is to be shaded.

    Pixels inside the outline use the two samples on the diagonal, pixels on it all that are covered.

    Args:
        face_buffer: int32 [H * SUPERSAMPLE, W * SUPERSAMPLE], from `rasterise`.
        screen: The vertices' projections.
        mesh: The vertices in the world.
        surface: Faces and materials.
        centre: float32 [3], the camera.
        coverage: float32 [H, W], from `measure_coverage`.
        samples: Written; as many as `measure_coverage` returned.
    """
    # Local names of the arrays: reading them from the tuples inside the loop would count references each time.
    face, uv, material = surface.face, surface.uv, surface.material
    sx, sy, inverse_depth = screen.x, screen.y, screen.inverse_depth
    position, normal = mesh.position, mesh.normal
    n = 0
    for row in range(face_buffer.shape[0]):
        for column in range(face_buffer.shape[1]):
            f = face_buffer[row, column]
            if f < 0:
                continue
            y, x = row // SUPERSAMPLE, column // SUPERSAMPLE
            share = coverage[y, x]
            if share >= _ONE and row - y * SUPERSAMPLE != column - x * SUPERSAMPLE:
                continue
            i, j, k = face[f, 0], face[f, 1], face[f, 2]
            w0, w1, w2 = _weights(
                sx[i], sy[i], inverse_depth[i], sx[j], sy[j], inverse_depth[j], sx[k], sy[k], inverse_depth[k],
                np.float32(column), np.float32(row),
            )  # fmt: skip
            px = w0 * position[i, 0] + w1 * position[j, 0] + w2 * position[k, 0]
            py = w0 * position[i, 1] + w1 * position[j, 1] + w2 * position[k, 1]
            pz = w0 * position[i, 2] + w1 * position[j, 2] + w2 * position[k, 2]
            nx = w0 * normal[i, 0] + w1 * normal[j, 0] + w2 * normal[k, 0]
            ny = w0 * normal[i, 1] + w1 * normal[j, 1] + w2 * normal[k, 1]
            nz = w0 * normal[i, 2] + w1 * normal[j, 2] + w2 * normal[k, 2]
            nx, ny, nz = _unit(nx, ny, nz)
            vx, vy, vz = _unit(centre[0] - px, centre[1] - py, centre[2] - pz)
            facing = nx * vx + ny * vy + nz * vz
            # The back of a two-sided cloth: turn the normal to the viewer.
            sign = -_ONE if facing < _ZERO else _ONE
            samples.position[n, 0], samples.position[n, 1], samples.position[n, 2] = px, py, pz
            samples.normal[n, 0], samples.normal[n, 1], samples.normal[n, 2] = sign * nx, sign * ny, sign * nz
            samples.facing[n] = sign * facing
            samples.uv[n, 0] = w0 * uv[f, 0, 0] + w1 * uv[f, 1, 0] + w2 * uv[f, 2, 0]
            samples.uv[n, 1] = _ONE - (w0 * uv[f, 0, 1] + w1 * uv[f, 1, 1] + w2 * uv[f, 2, 1])
            samples.material[n] = material[f]
            samples.pixel[n, 0], samples.pixel[n, 1] = y, x
            # Inside, SUPERSAMPLE samples share a pixel; on the outline, as many as are covered.
            covered = share * np.float32(SUPERSAMPLE * SUPERSAMPLE)
            samples.weight[n] = _ONE / (np.float32(SUPERSAMPLE) if share >= _ONE else covered)
            n += 1


@kernel
def light_samples(
    samples: Samples, surface: Surface, camera: Pinhole, light: Light, shadow: ShadowMap, image: np.ndarray
) -> None:
    """Add the light that each sample sends to the camera to its pixel of `image`, float32 [H, W, 3]."""
    texture, specular, centre = surface.texture, surface.specular, camera.centre
    key, key_light, side, fill_light = light.key_direction, light.key, light.fill_direction, light.fill
    sky, ground, matrix, depth = light.sky, light.ground, shadow.matrix, shadow.depth
    position, normal, pixel = samples.position, samples.normal, samples.pixel
    for n in range(len(pixel)):
        px, py, pz = position[n, 0], position[n, 1], position[n, 2]
        nx, ny, nz = normal[n, 0], normal[n, 1], normal[n, 2]
        m, weight = samples.material[n], samples.weight[n]
        towards_key = nx * key[0] + ny * key[1] + nz * key[2]
        diffuse = gloss = _ZERO
        if towards_key > _ZERO:
            u = matrix[0, 0] * px + matrix[0, 1] * py + matrix[0, 2] * pz + matrix[0, 3]
            v = matrix[1, 0] * px + matrix[1, 1] * py + matrix[1, 2] * pz + matrix[1, 3]
            away = matrix[2, 0] * px + matrix[2, 1] * py + matrix[2, 2] * pz + matrix[2, 3]
            lit = _lit(depth, u, v, away - _SHADOW_BIAS - _GRAZING_BIAS * (_ONE - towards_key))
            diffuse = towards_key * lit
            if specular[m] > _ZERO:
                vx, vy, vz = _unit(centre[0] - px, centre[1] - py, centre[2] - pz)
                hx, hy, hz = _unit(vx + key[0], vy + key[1], vz + key[2])
                gloss = specular[m] * _sixteenth_power(max(nx * hx + ny * hy + nz * hz, _ZERO)) * lit
        # The fill light wraps around: it stands for a window or a wall, not for a point.
        fill = max((nx * side[0] + ny * side[1] + nz * side[2]) * np.float32(0.7) + np.float32(0.3), _ZERO)
        up = _HALF + _HALF * ny
        # Cheap ambient occlusion: folds and the far side of limbs are seen at an angle.
        open_share = np.float32(0.6) + np.float32(0.4) * samples.facing[n]
        left, right, fx = _neighbours(samples.uv[n, 0], texture.shape[2])
        top, bottom, fy = _neighbours(samples.uv[n, 1], texture.shape[1])
        for c in range(3):
            upper = texture[m, top, left, c] * (_ONE - fx) + texture[m, top, right, c] * fx
            lower = texture[m, bottom, left, c] * (_ONE - fx) + texture[m, bottom, right, c] * fx
            display = (upper * (_ONE - fy) + lower * fy) * _TO_SHARE
            ambient = (ground[c] + (sky[c] - ground[c]) * up) * open_share
            incoming = ambient + key_light[c] * diffuse + fill_light[c] * fill
            sent = display * display * incoming + gloss * key_light[c]
            image[pixel[n, 0], pixel[n, 1], c] += sent * weight


@kernel
def measure_coverage(face_buffer: np.ndarray, coverage: np.ndarray) -> int:
    """Write the share of covered samples per pixel, float32 [H, W]; return how many samples are to be shaded."""
    height, width = coverage.shape
    samples = 0
    for y in range(height):
        for x in range(width):
            hits = 0
            for a in range(SUPERSAMPLE):
                for b in range(SUPERSAMPLE):
                    hits += face_buffer[y * SUPERSAMPLE + a, x * SUPERSAMPLE + b] >= 0
            coverage[y, x] = np.float32(hits) / np.float32(SUPERSAMPLE * SUPERSAMPLE)
            samples += SUPERSAMPLE if hits == SUPERSAMPLE * SUPERSAMPLE else hits
    return samples


@inlined
def _weights(
    x0: np.float32, y0: np.float32, z0: np.float32,
    x1: np.float32, y1: np.float32, z1: np.float32,
    x2: np.float32, y2: np.float32, z2: np.float32,
    x: np.float32, y: np.float32,
) -> tuple[np.float32, np.float32, np.float32]:  # fmt: skip
    """Perspective-correct barycentric weights of (x, y) in a triangle; z are inverse depths."""
    w0 = ((x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)) * z0
    w1 = ((x0 - x2) * (y - y2) - (y0 - y2) * (x - x2)) * z1
    w2 = ((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)) * z2
    scale = _ONE / (w0 + w1 + w2)
    return w0 * scale, w1 * scale, w2 * scale


@inlined
def _unit(x: np.float32, y: np.float32, z: np.float32) -> tuple[np.float32, np.float32, np.float32]:
    scale = _ONE / np.sqrt(x * x + y * y + z * z + _TINY)
    return x * scale, y * scale, z * scale


@inlined
def _sixteenth_power(x: np.float32) -> np.float32:
    x = x * x
    x = x * x
    x = x * x
    return x * x


@inlined
def _lit(depth: np.ndarray, u: np.float32, v: np.float32, near: np.float32) -> np.float32:
    """Share of key light that reaches depth `near` at (u, v) of a shadow map, between four texels; 1 outside it."""
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


@inlined
def _neighbours(u: np.float32, size: int) -> tuple[int, int, np.float32]:
    """The two texels of a repeating texture around a coordinate, and the second one's share."""
    at = u * np.float32(size) - _HALF
    first = int(np.floor(at))
    return first % size, (first + 1) % size, at - np.float32(first)
