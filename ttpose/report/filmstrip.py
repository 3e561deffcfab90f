"""The clip as a few hundred small JPEG pictures inside the page, within a budget of bytes."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass

import numpy as np

from ttpose.core.progress import Advance
from ttpose.media import Source
from ttpose.media.images import encode_jpeg


@dataclass(frozen=True)
class FilmLimits:
    """How large the film may become.

    Attributes:
        frames: Most pictures; a longer clip shows every n-th frame.
        side: Longer side of a picture in pixels.
        bytes: Of all pictures together, before base64 adds a third.
        quality: JPEG quality to start with.
        least_quality: Pictures of less show nothing, whatever the budget.
    """

    frames: int = 300
    side: int = 480
    bytes: int = 3_600_000  # with base64 4.8 MB, which leaves room for the rest in a page of 6 MB
    quality: int = 80
    least_quality: int = 30


@dataclass(frozen=True)
class Filmstrip:
    """Pictures of the clip.

    Attributes:
        indices: Which frame each picture shows.
        pictures: Data URIs; None where the frame is damaged.
        width: Of the pictures, pixels.
        height: Of the pictures, pixels.
    """

    indices: list[int]
    pictures: list[str | None]
    width: int
    height: int


def film(source: Source, frames: int, limits: FilmLimits, advance: Advance) -> Filmstrip:
    """Read a source of `frames` frames once, in order; no more than the encoded pictures is kept."""
    step = max(math.ceil(frames / limits.frames), 1)
    planned = max(math.ceil(frames / step), 1)
    zoom = min(limits.side / max(source.info.width, source.info.height), 1.0)
    width, height = (max(round(side * zoom), 1) for side in (source.info.width, source.info.height))
    indices: list[int] = []
    pictures: list[str | None] = []
    left, quality = float(limits.bytes), limits.quality
    for frame in source.frames(step):
        if len(indices) == planned:
            break
        indices.append(frame.index)
        advance(1)
        if frame.image is None:
            pictures.append(None)
            continue
        share = left / (planned - len(indices) + 1)
        data, quality = _fitted(_resized(frame.image, width, height), share, quality, limits)
        left -= len(data)
        pictures.append(jpeg_uri(data))
    return Filmstrip(indices, pictures, width, height)


def _fitted(image: np.ndarray, share: float, quality: int, limits: FilmLimits) -> tuple[bytes, int]:
    """Encode near a share of the budget; the quality carries over, as neighbours are alike."""
    data = encode_jpeg(image, quality)
    # Pictures may differ in size: only the sum counts, and each picture's share knows what is left.
    while len(data) > 1.2 * share and quality > limits.least_quality:
        quality = max(quality - 8, limits.least_quality)
        data = encode_jpeg(image, quality)
    if len(data) < 0.8 * share:
        quality = min(quality + 2, limits.quality)
    return data, quality


def _resized(image: np.ndarray, width: int, height: int) -> np.ndarray:
    import cv2

    if image.shape[:2] == (height, width):
        return image
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def jpeg_uri(data: bytes) -> str:
    """JPEG bytes as a data URI."""
    return "data:image/jpeg;base64," + base64.b64encode(data).decode("ascii")
