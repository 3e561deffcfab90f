"""What comes between the scene and the file: things in front of the person, blur, noise, compression.

Pictures here are RGB float32 [S, S, 3], display values 0..255, until the camera makes them uint8.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ttpose.data.labelled_clip import decode_jpeg, encode_jpeg
from ttpose_synth.assets import Backgrounds


@dataclass(frozen=True)
class FaultRanges:
    """How often and how much; chosen by eye. `FaultRanges.none()` switches all of it off."""

    occluder_share: float = 0.15
    motion_blur_share: float = 0.25  # of clips whose motion is not slowed down
    blur_share: float = 0.6
    blur: float = 1.0  # pixels, at most
    noise_share: float = 0.6
    noise: float = 8.0  # of 255, at most
    jpeg_share: float = 0.7
    quality: tuple[int, int] = (35, 95)
    contrast: tuple[float, float] = (0.8, 1.2)
    brightness: float = 12.0  # of 255, at most

    @classmethod
    def none(cls) -> FaultRanges:
        """A perfect camera and a free view."""
        return cls(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, (94, 95), (1.0, 1.0), 0.0)


@dataclass(frozen=True)
class Occluder:
    """A textured ellipse or box that drifts in front of the person; lengths in pixels.

    Attributes:
        texture: uint8 [384, 384, 3].
        centre: [2], at the first frame.
        extent: [2].
        velocity: [2], per frame.
        angle: Degrees.
        is_ellipse: Else a box.
    """

    texture: np.ndarray
    centre: np.ndarray
    extent: np.ndarray
    velocity: np.ndarray
    angle: float
    is_ellipse: bool

    @classmethod
    def sample(cls, backgrounds: Backgrounds, rng: np.random.Generator, size: int) -> Occluder:
        """Draw one for pictures of side `size`."""
        texture = backgrounds.pick(rng, backgrounds.walls)
        centre, extent = rng.uniform(0, 1, 2) * size, rng.uniform(0.12, 0.35, 2) * size
        return cls(texture, centre, extent, rng.normal(0, 2, 2), rng.uniform(0, 180), rng.random() < 0.5)

    def cover(self, size: int, frame: int) -> np.ndarray:
        """How much of each pixel it hides, uint8 [size, size]."""
        mask = np.zeros((size, size), np.uint8)
        x, y = (float(value) for value in self.centre + self.velocity * frame)
        width, height = (float(value) for value in self.extent)
        if self.is_ellipse:
            axes = (int(width / 2), int(height / 2))
            cv2.ellipse(mask, (int(x), int(y)), axes, self.angle, 0, 360, 255, -1, cv2.LINE_AA)
        else:
            corners = cv2.boxPoints(((x, y), (width, height * 1.6), self.angle))
            cv2.fillConvexPoly(mask, corners.astype(np.int32), 255, cv2.LINE_AA)
        return mask

    def paint(self, image: np.ndarray, cover: np.ndarray) -> np.ndarray:
        """Put it in front of a picture."""
        size = len(image)
        alpha = cv2.GaussianBlur(cover, (3, 3), 0)[..., None] * np.float32(1 / 255)
        texture = self.texture
        texture = texture[:size, :size] if len(texture) >= size else cv2.resize(texture, (size, size))
        return image * (1 - alpha) + texture * alpha


@dataclass(frozen=True)
class CameraFaults:
    """Blur, contrast, brightness, noise and compression of one camera, the same over a clip.

    Attributes:
        blur: Deviation in pixels.
        noise: Deviation, of 255.
        quality: JPEG quality, or None for no compression.
        contrast: About middle grey.
        brightness: Of 255.
        grain: float32 [2 S, 2 S], deviation 1, from which each frame takes a random part.
    """

    blur: float
    noise: float
    quality: int | None
    contrast: float
    brightness: float
    grain: np.ndarray

    @classmethod
    def sample(cls, rng: np.random.Generator, size: int, ranges: FaultRanges) -> CameraFaults:
        """Draw a camera for pictures of side `size`."""
        blur = rng.uniform(0, ranges.blur) if rng.random() < ranges.blur_share else 0.0
        noise = rng.uniform(0, ranges.noise) if rng.random() < ranges.noise_share else 0.0
        quality = int(rng.integers(*ranges.quality))
        compressed = rng.random() < ranges.jpeg_share
        contrast = rng.uniform(*ranges.contrast)
        brightness = rng.uniform(-ranges.brightness, ranges.brightness)
        grain = rng.spawn(1)[0].standard_normal((2 * size, 2 * size) if noise else (0, 0), np.float32)
        return cls(blur, noise, quality if compressed else None, contrast, brightness, grain)

    def apply(self, rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
        """Take the picture: RGB uint8 [S, S, 3]."""
        size = len(image)
        if self.blur > 0.35:  # less does not change a pixel visibly
            image = cv2.GaussianBlur(image, (0, 0), self.blur)
        image = image * np.float32(self.contrast)
        image += np.float32(128 * (1 - self.contrast) + self.brightness)
        if self.noise:
            row, column = rng.integers(0, size, 2)
            image += self.grain[row : row + size, column : column + size, None] * np.float32(self.noise)
        taken = np.clip(image, 0, 255).astype(np.uint8)
        if self.quality is None:
            return taken
        return decode_jpeg(np.frombuffer(encode_jpeg(taken, self.quality), np.uint8))
