"""The camera: how it looks at the person over a clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ttpose_synth.meshes import bounding_box
from ttpose_synth.raster import SUPERSAMPLE, Screen
from ttpose_synth.shade_person import Pinhole

_NEAREST = 0.1  # metres before the camera within which nothing is drawn
_POINTS_SKIPPED = 7  # every seventh vertex is enough to frame a person


@dataclass(frozen=True)
class CameraRanges:
    """How cameras vary; chosen by eye to look like people filming people with phones."""

    distance: tuple[float, float] = (2.2, 7.0)  # metres
    elevation: tuple[float, float] = (6.0, 12.0)  # mean and deviation, degrees; cut to the limits below
    elevation_limits: tuple[float, float] = (-12.0, 50.0)
    roll: float = 5.0  # deviation, degrees
    lowest: float = 0.15  # metres over the floor
    track_share: float = 0.65  # the others stand still unless the person walks off
    shake: tuple[tuple[float, float], ...] = ((0.0, 0.3), (0.01, 0.5), (0.03, 0.2))  # metres, share
    orbit_share: float = 0.4
    orbit: float = 0.01  # deviation, radians per picture
    fill: tuple[float, float] = (0.72, 1.02)  # the person's longer side over the picture's
    close_up_share: float = 0.15
    close_up_fill: tuple[float, float] = (1.02, 1.6)
    off_centre: float = 0.05  # deviation, shares of the picture


@dataclass(frozen=True)
class Camera:
    """A camera over a clip: fixed lens, moving body.

    Attributes:
        rotation: [T, 3, 3], world to camera (x right, y down, z forward).
        centre: [T, 3], metres.
        focal: Samples.
        cx: Principal point, samples with centres at integers.
        cy: Likewise.
        distance: From the person, metres.
        target: [T, 3], where it looks.
    """

    rotation: np.ndarray
    centre: np.ndarray
    focal: float
    cx: float
    cy: float
    distance: float
    target: np.ndarray

    def pinhole(self, moment: int) -> Pinhole:
        """The camera of one moment, for kernels."""
        rotation, centre = self.rotation[moment].astype(np.float32), self.centre[moment].astype(np.float32)
        return Pinhole(np.float32(self.focal), np.float32(self.cx), np.float32(self.cy), rotation, centre)

    def project(self, points: np.ndarray, moment: int) -> tuple[np.ndarray, np.ndarray]:
        """World points [N, 3] to samples [N, 2] and depths [N] in metres."""
        seen = (points - self.centre[moment]) @ self.rotation[moment].T
        return seen[:, :2] / seen[:, 2:] * self.focal + [self.cx, self.cy], seen[:, 2]

    def screen(self, vertices: np.ndarray, lift: np.ndarray, moment: int) -> Screen:
        """Project vertices [V, 3] float32 for the rasteriser, each `lift` [V] metres nearer than it is."""
        seen = (vertices - self.centre[moment].astype(np.float32)) @ self.rotation[moment].T.astype(np.float32)
        depth = seen[:, 2]
        inverse = 1 / np.maximum(depth - lift, np.float32(0.05))
        inverse[depth < _NEAREST] = -1
        scale = np.float32(self.focal) / np.where(depth == 0, np.float32(1e-6), depth)
        return Screen(seen[:, 0] * scale + np.float32(self.cx), seen[:, 1] * scale + np.float32(self.cy), inverse)


def sample_camera(
    rng: np.random.Generator, vertices: Sequence[np.ndarray], size: int, slow: int, ranges: CameraRanges
) -> Camera:
    """Draw a camera that frames the whole motion.

    Args:
        rng: Random numbers.
        vertices: The person at each of T moments, float32 [V, 3].
        size: Side of the picture in pixels.
        slow: Moments per picture.
        ranges: What to draw from.
    """
    distance, azimuth = rng.uniform(*ranges.distance), rng.uniform(0, 2 * np.pi)
    elevation = np.deg2rad(np.clip(rng.normal(*ranges.elevation), *ranges.elevation_limits))
    roll = np.deg2rad(rng.normal(0, ranges.roll))
    target = _targets(rng, vertices, distance, slow, ranges)
    amplitude = rng.choice([metres for metres, _ in ranges.shake], p=[share for _, share in ranges.shake])
    orbit = rng.normal(0, ranges.orbit) / slow if rng.random() < ranges.orbit_share else 0.0
    shake = np.stack([_smooth_noise(rng, len(vertices), 2.0 * slow) * amplitude for _ in range(3)], 1)
    angle = azimuth + orbit * np.arange(len(vertices))
    away = np.stack([np.cos(angle) * np.cos(elevation), np.full_like(angle, np.sin(elevation)),
                     np.sin(angle) * np.cos(elevation)], 1)  # fmt: skip
    aim = target + shake
    centre = aim + distance * away
    centre[:, 1] = np.maximum(centre[:, 1], ranges.lowest)
    rotation = np.stack([look_at(eye, point, roll) for eye, point in zip(centre, aim, strict=True)])
    low, high = _extent(vertices, rotation, centre)
    close_up = rng.random() >= 1 - ranges.close_up_share
    fill = rng.uniform(*(ranges.close_up_fill if close_up else ranges.fill))
    side = size * SUPERSAMPLE
    focal = fill * side / max((high - low).max(), 1e-3)
    middle = (side - 1) / 2 - (high + low) / 2 * focal + rng.normal(0, ranges.off_centre, 2) * side
    return Camera(rotation, centre, float(focal), float(middle[0]), float(middle[1]), distance, target)


def look_at(centre: np.ndarray, target: np.ndarray, roll: float) -> np.ndarray:
    """World to camera rotation [3, 3] of a camera at `centre` that looks at `target`, turned by `roll` radians."""
    forward = (target - centre) / np.linalg.norm(target - centre)
    right = np.cross(forward, [0, 1, 0])
    right /= np.linalg.norm(right)
    cos, sin = np.cos(roll), np.sin(roll)
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]) @ np.stack([right, np.cross(forward, right), forward])


def _targets(
    rng: np.random.Generator, vertices: Sequence[np.ndarray], distance: float, slow: int, ranges: CameraRanges
) -> np.ndarray:
    """Where the camera looks, [T, 3]: at the person, or at the middle of their way."""
    centre = np.stack([bounding_box(v).mean(0) for v in vertices]).astype(np.float64)
    way = np.linalg.norm(centre[:, [0, 2]] - centre[:, [0, 2]].mean(0), axis=1).max()
    if rng.random() < ranges.track_share or way > 0.5 * distance:
        return _smooth(centre, 3 * slow)
    return np.repeat(centre.mean(0, keepdims=True), len(vertices), 0)


def _extent(vertices: Sequence[np.ndarray], rotation: np.ndarray, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest picture coordinates, each [2], of the person over the clip at focal length 1."""
    boxes = []
    for body, turn, eye in zip(vertices, rotation, centre, strict=True):
        seen = (body[::_POINTS_SKIPPED] - eye) @ turn.T
        boxes.append(bounding_box(seen[:, :2] / seen[:, 2:]))
    return np.min([box[0] for box in boxes], 0), np.max([box[1] for box in boxes], 0)


def _smooth(values: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian filter over the rows of [T, C], ends repeated."""
    radius = int(3 * sigma)
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    padded = np.concatenate([np.repeat(values[:1], radius, 0), values, np.repeat(values[-1:], radius, 0)])
    columns = [np.convolve(column, kernel / kernel.sum(), "valid") for column in padded.T]
    return np.stack(columns, 1)


def _smooth_noise(rng: np.random.Generator, count: int, sigma: float) -> np.ndarray:
    """Smooth noise [count] without mean, deviation about 1: a hand that holds a camera."""
    spare = 12  # values beside each end, where the filter has settled
    noise = _smooth(rng.normal(0, 1, count + 2 * spare)[:, None], sigma).ravel()[spare : spare + count]
    return (noise - noise.mean()) / max(noise.std(), 0.1)
