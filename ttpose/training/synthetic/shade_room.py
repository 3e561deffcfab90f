"""The room behind the person: a textured box seen by casting one ray per pixel, with the person's shadow on its floor."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ttpose.training.synthetic.jit import kernel
from ttpose.training.synthetic.raster import SUPERSAMPLE
from ttpose.training.synthetic.shade_person import Pinhole, ShadowMap

_ZERO, _HALF, _ONE, _TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
_TINY, _FAR = np.float32(1e-6), np.float32(1e9)
_TO_SHARE = np.float32(1 / 255)
_SHADOW_BIAS = np.float32(0.02)  # metres, as for the person
_FLOOR, _CEILING, _RIGHT, _LEFT, _FRONT, _BACK = range(6)


class RoomBox(NamedTuple):
    """An upright box around the scene; lengths in metres, all numbers float32.

    Attributes:
        half_x: Half its size along its own x axis.
        half_z: Half its size along its own z axis.
        height: Of the ceiling over the floor at y = 0.
        floor_tiles: Repetitions of the floor texture per metre.
        wall_tiles: Repetitions of the wall textures per metre.
        cos_yaw: Of its turn about y.
        sin_yaw: Of its turn about y.
        centre_x: In the world.
        centre_z: In the world.
        texture: uint8 [6, T, T, 3], RGB: floor, ceiling, walls at +x, -x, +z, -z.
    """

    half_x: np.float32
    half_z: np.float32
    height: np.float32
    floor_tiles: np.float32
    wall_tiles: np.float32
    cos_yaw: np.float32
    sin_yaw: np.float32
    centre_x: np.float32
    centre_z: np.float32
    texture: np.ndarray


class RoomLight(NamedTuple):
    """Linear light on the room, float32: everywhere, from the key lamp, share left in shadow, height of the lamp."""

    ambient: np.float32
    key: np.float32
    shadow_share: np.float32
    key_up: np.float32


@kernel
def shade_room(
    coverage: np.ndarray, camera: Pinhole, shadow: ShadowMap, room: RoomBox, light: RoomLight, image: np.ndarray
) -> None:
    """Put the room behind the person.

    Args:
        coverage: float32 [H, W], the person's share of each pixel.
        camera: In samples.
        shadow: The person's shadow map.
        room: The box.
        light: On the box.
        image: float32 [H, W, 3], linear RGB with the person, finite everywhere; read and written.
    """
    height, width, _ = image.shape
    origin_x, origin_z = _into_room(room, camera.centre[0] - room.centre_x, camera.centre[2] - room.centre_z)
    origin_y, view = camera.centre[1], camera.rotation
    middle = np.float32((SUPERSAMPLE - 1) / 2)  # a pixel's centre among its samples
    for y in range(height):
        dy = (np.float32(y * SUPERSAMPLE) + middle - camera.cy) / camera.focal
        for x in range(width):
            share = coverage[y, x]
            if share >= _ONE:
                continue
            dx = (np.float32(x * SUPERSAMPLE) + middle - camera.cx) / camera.focal
            wx = view[0, 0] * dx + view[1, 0] * dy + view[2, 0]
            wy = view[0, 1] * dx + view[1, 1] * dy + view[2, 1]
            wz = view[0, 2] * dx + view[1, 2] * dy + view[2, 2]
            rx, rz = _into_room(room, wx, wz)
            side, reach = _hit(room, origin_x, origin_y, origin_z, rx, wy, rz)
            hx, hy, hz = origin_x + reach * rx, origin_y + reach * wy, origin_z + reach * rz
            u, v = _texture_coordinates(room, side, hx, hy, hz)
            lit = _ONE
            if side == _FLOOR:
                lit = _soft_lit(shadow, camera.centre[0] + reach * wx, camera.centre[2] + reach * wz)
                lit = light.shadow_share + (_ONE - light.shadow_share) * lit
            energy = light.ambient + light.key * _facing(side, light.key_up) * lit
            r, g, b = _texel(room.texture, side, u, v)
            rest = (_ONE - share) * energy
            image[y, x, 0] = image[y, x, 0] * share + r * rest
            image[y, x, 1] = image[y, x, 1] * share + g * rest
            image[y, x, 2] = image[y, x, 2] * share + b * rest


@kernel
def _into_room(room: RoomBox, x: float, z: float) -> tuple[float, float]:
    """Turn a world direction into the room's own axes."""
    return room.cos_yaw * x + room.sin_yaw * z, room.cos_yaw * z - room.sin_yaw * x


@kernel
def _hit(room: RoomBox, ox: float, oy: float, oz: float, rx: float, ry: float, rz: float) -> tuple[int, float]:
    """The side that a ray from inside meets, and how far along the ray: per axis only one side lies ahead."""
    side, reach = _FLOOR, _FAR
    if ry < -_TINY:
        reach = -oy / ry
    elif ry > _TINY:
        side, reach = _CEILING, (room.height - oy) / ry
    if abs(rx) > _TINY:
        t = (room.half_x - ox) / rx if rx > _ZERO else (-room.half_x - ox) / rx
        if _ZERO < t < reach:
            side, reach = (_RIGHT if rx > _ZERO else _LEFT), t
    if abs(rz) > _TINY:
        t = (room.half_z - oz) / rz if rz > _ZERO else (-room.half_z - oz) / rz
        if _ZERO < t < reach:
            side, reach = (_FRONT if rz > _ZERO else _BACK), t
    return side, reach


@kernel
def _texture_coordinates(room: RoomBox, side: int, x: float, y: float, z: float) -> tuple[float, float]:
    """Texture coordinates 0..1 of a point in the room; walls show their picture once from floor to ceiling."""
    if side == _FLOOR:  # shifted, so that the mirror lines do not meet under the person
        return _fold(x * room.floor_tiles + np.float32(7.3)), _fold(z * room.floor_tiles + np.float32(3.1))
    if side == _CEILING:
        return _fold(x * room.wall_tiles), _fold(z * room.wall_tiles)
    along = z if side in (_RIGHT, _LEFT) else x
    return _fold(along * room.wall_tiles + _HALF), _fold((room.height - y) / room.height)


@kernel
def _fold(u: float) -> float:
    """Fold a coordinate into 0..1 by mirrored repetition."""
    u = u - _TWO * np.floor(u * _HALF)
    return _TWO - u if u > _ONE else u


@kernel
def _facing(side: int, key_up: float) -> float:
    """How much of the key light a side gets; walls differ, so that corners show."""
    if side == _FLOOR:
        return max(key_up, np.float32(0.05))
    if side == _CEILING:
        return np.float32(0.2)
    return np.float32(0.45) if side in (_RIGHT, _LEFT) else np.float32(0.6)


@kernel
def _soft_lit(shadow: ShadowMap, x: float, z: float) -> float:
    """Share of key light on the floor, averaged over 3 x 3 texels with sub-texel weights; 1 outside the map."""
    m, depth = shadow.matrix, shadow.depth
    u = m[0, 0] * x + m[0, 2] * z + m[0, 3]
    v = m[1, 0] * x + m[1, 2] * z + m[1, 3]
    near = m[2, 0] * x + m[2, 2] * z + m[2, 3] - _SHADOW_BIAS
    column, row = int(np.floor(u)), int(np.floor(v))
    if column < 1 or row < 1 or column >= depth.shape[1] - 2 or row >= depth.shape[0] - 2:
        return _ONE
    fu, fv = u - np.float32(column), v - np.float32(row)
    total = _ZERO
    for b in range(-1, 3):
        gv = _ONE - fv if b == -1 else (fv if b == 2 else _ONE)
        for a in range(-1, 3):
            gu = _ONE - fu if a == -1 else (fu if a == 2 else _ONE)
            if depth[row + b, column + a] > near:
                total += gu * gv
    return total / np.float32(9)


@kernel
def _texel(texture: np.ndarray, side: int, u: float, v: float) -> tuple[float, float, float]:
    """Reflectance of a side at texture coordinates 0..1, blended between four texels."""
    size = texture.shape[1]
    x, y = u * np.float32(size - 1), v * np.float32(size - 1)
    left, top = min(int(x), size - 2), min(int(y), size - 2)
    fx, fy = x - np.float32(left), y - np.float32(top)
    w00, w01, w10, w11 = (_ONE - fx) * (_ONE - fy), fx * (_ONE - fy), (_ONE - fx) * fy, fx * fy
    a, b = texture[side, top, left], texture[side, top, left + 1]
    c, d = texture[side, top + 1, left], texture[side, top + 1, left + 1]
    red = (a[0] * w00 + b[0] * w01 + c[0] * w10 + d[0] * w11) * _TO_SHARE
    green = (a[1] * w00 + b[1] * w01 + c[1] * w10 + d[1] * w11) * _TO_SHARE
    blue = (a[2] * w00 + b[2] * w01 + c[2] * w10 + d[2] * w11) * _TO_SHARE
    return red * red, green * green, blue * blue
