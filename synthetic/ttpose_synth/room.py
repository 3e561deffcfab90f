"""The place: a room or an open ground as a textured box around the scene."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from ttpose_synth.assets import Backgrounds
from ttpose_synth.camera import Camera
from ttpose_synth.fabric import cloth_colour
from ttpose_synth.shade_room import RoomBox, RoomLight

_TEXTURE_SIZE = 384  # as the asset file's backgrounds


@dataclass(frozen=True)
class RoomRanges:
    """How places vary; chosen by eye."""

    outdoor_share: float = 0.5  # big boxes, whose walls look like a far view
    outdoor_half: tuple[float, float] = (9.0, 18.0)  # metres
    outdoor_height: tuple[float, float] = (8.0, 14.0)
    beyond_camera: tuple[float, float] = (0.8, 3.0)
    indoor_height: tuple[float, float] = (2.6, 4.5)
    floor_share: float = 0.65  # floor textures; then photos up to the next share, then plain colours
    floor_photo_share: float = 0.17
    one_wall_share: float = 0.4  # the same picture on all walls
    plain_ceiling_share: float = 0.6
    picture_share: float = 0.8  # of the sides, the others are plain
    blur_share: float = 0.5
    blur: tuple[float, float] = (0.6, 3.5)  # texels
    hue_share: float = 0.25


@dataclass(frozen=True)
class Room:
    """A place: its box and its six textures, uint8 [6, 384, 384, 3], as `shade_room` takes them."""

    box: RoomBox
    texture: np.ndarray

    @cached_property
    def reflectance(self) -> float:
        """Mean linear reflectance of all sides, 0..1."""
        return float(np.mean([((side[::4, ::4] / 255.0) ** 2).mean() for side in self.texture]))


def sample_room(backgrounds: Backgrounds, rng: np.random.Generator, camera: Camera, ranges: RoomRanges) -> Room:
    """Draw a place that holds the camera's whole path."""
    if rng.random() < ranges.outdoor_share:
        half_x, half_z = rng.uniform(*ranges.outdoor_half), rng.uniform(*ranges.outdoor_half)
        height = rng.uniform(*ranges.outdoor_height)
    else:
        half_x = camera.distance + rng.uniform(*ranges.beyond_camera)
        half_z = camera.distance + rng.uniform(*ranges.beyond_camera)
        height = rng.uniform(*ranges.indoor_height)
    height = max(height, camera.centre[:, 1].max() + 0.3)
    yaw = rng.uniform(0, 2 * np.pi)
    middle = camera.target.mean(0)
    reach = np.linalg.norm(camera.centre[:, [0, 2]] - middle[[0, 2]], axis=1).max() + 0.5
    numbers = (
        max(half_x, reach), max(half_z, reach), height, rng.uniform(0.08, 0.9), rng.uniform(0.5, 1.1) / height,
        np.cos(yaw), np.sin(yaw), middle[0], middle[2],
    )  # fmt: skip
    return Room(RoomBox(*map(np.float32, numbers)), _textures(backgrounds, rng, ranges))


@dataclass(frozen=True)
class RoomExposure:
    """Light on the room before exposure: everywhere, from the key lamp, share left in shadow; over the person's."""

    ambient: float
    key: float
    shadow_share: float

    @classmethod
    def sample(cls, rng: np.random.Generator) -> RoomExposure:
        """Draw it; ranges chosen by eye."""
        return cls(0.3 * rng.uniform(0.5, 1.5), rng.uniform(0.4, 1.3), rng.uniform(0.25, 0.8))

    def at(self, exposure: float, room: Room, key_up: float) -> RoomLight:
        """Expose it for the person, but keep the room from going black or white."""
        brightness = room.reflectance * (self.ambient + self.key * 0.4) * exposure
        exposure *= np.clip(brightness, 0.05, 0.45) / max(brightness, 1e-4)
        numbers = (self.ambient * exposure, self.key * exposure, self.shadow_share, key_up)
        return RoomLight(*map(np.float32, numbers))


def _textures(backgrounds: Backgrounds, rng: np.random.Generator, ranges: RoomRanges) -> np.ndarray:
    """Floor, ceiling and four walls, uint8 [6, 384, 384, 3]."""
    sides = [_floor(backgrounds, rng, ranges)]
    if rng.random() < ranges.one_wall_share:
        wall = backgrounds.pick(rng, backgrounds.walls)
        sides += [_plain(rng) if rng.random() < ranges.plain_ceiling_share else wall] + [wall] * 4
    else:
        for _ in range(5):
            picture = rng.random() < ranges.picture_share
            sides.append(backgrounds.pick(rng, backgrounds.walls) if picture else _plain(rng))
    if rng.random() < ranges.blur_share:  # out of focus
        sigma = rng.uniform(*ranges.blur)
        sides = [cv2.GaussianBlur(side, (0, 0), sigma) for side in sides]
    if rng.random() < ranges.hue_share:
        shift = int(rng.integers(0, 180))
        sides = [_turn_hue(side, shift) for side in sides]
    return np.stack(sides)


def _floor(backgrounds: Backgrounds, rng: np.random.Generator, ranges: RoomRanges) -> np.ndarray:
    draw = rng.random()
    if draw < ranges.floor_share:
        return backgrounds.pick(rng, backgrounds.floors)
    if draw < ranges.floor_share + ranges.floor_photo_share:
        return backgrounds.pick(rng, backgrounds.photos)
    return _plain(rng)


def _plain(rng: np.random.Generator) -> np.ndarray:
    """A painted wall: one colour with grain."""
    grain = 1 + 0.04 * rng.normal(0, 1, (_TEXTURE_SIZE, _TEXTURE_SIZE, 1))
    return np.clip(cloth_colour(rng) * grain, 0, 255).astype(np.uint8)


def _turn_hue(texture: np.ndarray, shift: int) -> np.ndarray:
    hsv = cv2.cvtColor(texture, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(np.int32) + shift) % 180
    hsv[..., 1] = hsv[..., 1] * 0.6  # paler, or every other room would be purple
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
