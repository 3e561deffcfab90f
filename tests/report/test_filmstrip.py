from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from tests.clips import number_of, write_clip
from ttpose.media import Frame, Source, SourceInfo, open_source
from ttpose.report.filmstrip import FilmLimits, film


class Noise(Source):
    """Frames that JPEG hates; every tenth is damaged."""

    def __init__(self, frames: int, width: int = 1920, height: int = 1080) -> None:
        self.info = SourceInfo(Path("noise.mp4"), "video", width, height, frames, frames / 30, 30.0, 0)
        self.decoder, self.warnings, self.read = "none", [], 0

    def frames(self, step: int = 1) -> Iterator[Frame]:
        rng = np.random.default_rng(0)
        picture = rng.integers(0, 255, (self.info.height, self.info.width, 3), np.uint8)
        for index in range(0, self.info.frames or 0, step):
            self.read += 1
            yield Frame(index, index / 30, None if index % 10 == 9 else np.roll(picture, index, 1))


def decoded(uri: str) -> np.ndarray:
    head, data = uri.split(",")
    assert head == "data:image/jpeg;base64"
    return cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def test_pictures_are_the_frames(tmp_path: Path) -> None:
    source = open_source(write_clip(tmp_path / "clip.mp4", 30))
    strip = film(source, 30, FilmLimits(), lambda n: None)
    assert strip.indices == list(range(30))
    assert [number_of(decoded(uri)) for uri in strip.pictures if uri] == list(range(30))
    assert (strip.width, strip.height) == (160, 120)  # small pictures are not blown up


def test_a_long_clip_gives_every_nth_frame(tmp_path: Path) -> None:
    source = open_source(write_clip(tmp_path / "clip.mp4", 70))
    strip = film(source, 70, FilmLimits(frames=30), lambda n: None)
    assert strip.indices == list(range(0, 70, 3))
    assert number_of(decoded(strip.pictures[-1] or "")) == 69


def test_noise_keeps_near_the_budget() -> None:
    source = Noise(25)
    limits = FilmLimits(bytes=400_000)
    strip = film(source, 25, limits, lambda n: None)
    size = sum(len(base64.b64decode(uri.split(",")[1])) for uri in strip.pictures if uri)
    smallest = len(cv2.imencode(".jpg", decoded(strip.pictures[-1] or ""), [cv2.IMWRITE_JPEG_QUALITY, 30])[1])
    assert size < max(1.25 * limits.bytes, 1.6 * 23 * smallest)
    assert max(strip.width, strip.height) == 480
    assert [i for i, uri in enumerate(strip.pictures) if uri is None] == [9, 19]
    assert source.read == 25
