"""The room behind the person: a textured box with the person's shadow on its floor, one ray per pixel."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ttpose_synth.jit import inlined, kernel
from ttpose_synth.raster import SUPERSAMPLE
from ttpose_synth.shade_person import Pinhole, ShadowMap

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


class RoomLight(NamedTuple):
    """Linear light on the room, float32: everywhere, from the key lamp, share left in shadow, height of the lamp."""

    ambient: np.float32
    key: np.float32
    shadow_share: np.float32
    key_up: np.float32


@kernel
def shade_room(
    coverage: np.ndarray,
    camera: Pinhole,
    shadow: ShadowMap,
    room: RoomBox,
    texture: np.ndarray,
    light: RoomLight,
    image: np.ndarray,
) -> None:
    """Put the room behind the person.

    Args:
        coverage: float32 [H, W], the person's share of each pixel.
        camera: In samples.
        shadow: The person's shadow map.
        room: The box.
        texture: uint8 [6, T, T, 3], RGB: floor, ceiling, walls at +x, -x, +z, -z.
        light: On the box.
        image: float32 [H, W, 3], linear RGB with the person; read and written.
    """
    height, width, _ = image.shape
    size, depth, m = texture.shape[1], shadow.depth, shadow.matrix
    eye, view, focal = camera.centre, camera.rotation, camera.focal
    origin_x, origin_z = _into_room(room, eye[0] - room.centre_x, eye[2] - room.centre_z)
    middle = np.float32((SUPERSAMPLE - 1) / 2)  # a pixel's centre among its samples
    for y in range(height):
        dy = (np.float32(y * SUPERSAMPLE) + middle - camera.cy) / focal
        for x in range(width):
            share = coverage[y, x]
            if share >= _ONE:
                continue
            dx = (np.float32(x * SUPERSAMPLE) + middle - camera.cx) / focal
            wx = view[0, 0] * dx + view[1, 0] * dy + view[2, 0]
            wy = view[0, 1] * dx + view[1, 1] * dy + view[2, 1]
            wz = view[0, 2] * dx + view[1, 2] * dy + view[2, 2]
            rx, rz = _into_room(room, wx, wz)
            side, reach = _hit(room, origin_x, eye[1], origin_z, rx, wy, rz)
            hx, hy, hz = origin_x + reach * rx, eye[1] + reach * wy, origin_z + reach * rz
            energy = light.key * _facing(side, light.key_up)
            if side == _FLOOR:
                px, pz = eye[0] + reach * wx, eye[2] + reach * wz
                lit = _soft_lit(
                    depth,
                    m[0, 0] * px + m[0, 2] * pz + m[0, 3],
                    m[1, 0] * px + m[1, 2] * pz + m[1, 3],
                    m[2, 0] * px + m[2, 2] * pz + m[2, 3] - _SHADOW_BIAS,
                )
                energy *= light.shadow_share + (_ONE - light.shadow_share) * lit
            energy = (energy + light.ambient) * (_ONE - share)
            u, v = _texture_coordinates(room, side, hx, hy, hz)
            left, fx = _texel(u, size)
            top, fy = _texel(v, size)
            for c in range(3):
                upper = texture[side, top, left, c] * (_ONE - fx) + texture[side, top, left + 1, c] * fx
                lower = texture[side, top + 1, left, c] * (_ONE - fx) + texture[side, top + 1, left + 1, c] * fx
                display = (upper * (_ONE - fy) + lower * fy) * _TO_SHARE
                image[y, x, c] = image[y, x, c] * share + display * display * energy


@inlined
def _into_room(room: RoomBox, x: np.float32, z: np.float32) -> tuple[np.float32, np.float32]:
    """Turn a world direction into the room's own axes."""
    return room.cos_yaw * x + room.sin_yaw * z, room.cos_yaw * z - room.sin_yaw * x


@inlined
def _hit(
    room: RoomBox, ox: np.float32, oy: np.float32, oz: np.float32, rx: np.float32, ry: np.float32, rz: np.float32
) -> tuple[int, np.float32]:
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


@inlined
def _texture_coordinates(
    room: RoomBox, side: int, x: np.float32, y: np.float32, z: np.float32
) -> tuple[np.float32, np.float32]:
    """Texture coordinates 0..1 of a point in the room; walls show their picture once from floor to ceiling."""
    if side == _FLOOR:  # shifted, so that the mirror lines do not meet under the person
        return _fold(x * room.floor_tiles + np.float32(7.3)), _fold(z * room.floor_tiles + np.float32(3.1))
    if side == _CEILING:
        return _fold(x * room.wall_tiles), _fold(z * room.wall_tiles)
    along = z if side in (_RIGHT, _LEFT) else x
    return _fold(along * room.wall_tiles + _HALF), _fold((room.height - y) / room.height)


@inlined
def _fold(u: np.float32) -> np.float32:
    """Fold a coordinate into 0..1 by mirrored repetition."""
    u = u - _TWO * np.floor(u * _HALF)
    return _TWO - u if u > _ONE else u


@inlined
def _facing(side: int, key_up: np.float32) -> np.float32:
    """How much of the key light a side gets; walls differ, so that corners show."""
    if side == _FLOOR:
        return max(key_up, np.float32(0.05))
    if side == _CEILING:
        return np.float32(0.2)
    return np.float32(0.45) if side in (_RIGHT, _LEFT) else np.float32(0.6)


@inlined
def _soft_lit(depth: np.ndarray, u: np.float32, v: np.float32, near: np.float32) -> np.float32:
    """Share of key light at depth `near`, averaged over 3 x 3 texels around (u, v) of a shadow map; 1 outside it."""
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


@inlined
def _texel(u: np.float32, size: int) -> tuple[int, np.float32]:
    """The first of two neighbouring texels around a coordinate 0..1, and the second one's share."""
    at = u * np.float32(size - 1)
    first = min(int(at), size - 2)
    return first, at - np.float32(first)
