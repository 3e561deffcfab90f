"""Painted clips: people are rectangles in a colour of their own, and a detector that sees exactly those colours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ttpose.core.geometry import Box
from ttpose.media import Frame, SourceInfo
from ttpose.tracking.detector import Detection

RED, ALMOST_RED, BLUE, GREEN = (200, 40, 40), (201, 40, 40), (40, 40, 200), (40, 200, 40)
Path_ = Callable[[int], "tuple[float, float, float, float] | None"]


@dataclass
class Scene:
    """A clip of painted people; later ones cover earlier ones."""

    people: Sequence[tuple[tuple[int, int, int], Path_]]
    count: int = 60
    width: int = 320
    height: int = 180
    fps: float = 30.0
    damaged: frozenset[int] = frozenset()
    background: Callable[[int], tuple[int, int, int]] = lambda index: (90, 90, 90)
    known_count: bool = True
    given: list[int] = field(default_factory=list)

    @property
    def info(self) -> SourceInfo:
        kind = "image" if self.count == 1 else "video"
        frames = self.count if self.known_count else None
        return SourceInfo(Path("clip.mp4"), kind, self.width, self.height, frames, None, self.fps, 0)

    def frames(self, step: int = 1) -> Iterator[Frame]:
        for index in range(0, self.count, step):
            self.given.append(index)
            image = None if index in self.damaged else self.paint(index)
            yield Frame(index, index / self.fps, image)

    def paint(self, index: int) -> np.ndarray:
        image = np.empty((self.height, self.width, 3), np.uint8)
        image[:] = self.background(index)
        for color, path in self.people:
            box = path(index)
            if box is not None:
                x, y, w, h = (round(v) for v in box)
                image[max(y, 0) : max(y + h, 0), max(x, 0) : max(x + w, 0)] = color
        return image


class ColorDetector:
    """Finds each colour's visible extent, if at least `least` pixels show."""

    def __init__(self, *colors: tuple[int, int, int], score: float = 0.9, least: int = 150) -> None:
        self.colors, self.score, self.least = colors, score, least
        self.calls = 0

    def find(self, images, min_score=None, sizes=None):
        self.calls += len(images)
        return [[d for color in self.colors if (d := self._one(image, color))] for image in images]

    def _one(self, image, color):
        y, x = np.nonzero((image == color).all(axis=-1))
        if len(y) < self.least:
            return None
        box = Box(x.min() - 0.5, y.min() - 0.5, x.max() - x.min() + 1.0, y.max() - y.min() + 1.0)
        return Detection(box, self.score)


def walk(x0: float, speed: float, *, y: float = 60, w: float = 24, h: float = 70, start: int = 0, stop: int = 10**6):
    """A path of constant speed in pixels a frame, there from frame `start` until before `stop`."""
    return lambda i: (x0 + speed * i, y, w, h) if start <= i < stop else None
