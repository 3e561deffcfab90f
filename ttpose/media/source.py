"""Any input as a stream of upright RGB frames: index, presentation time, pixels, and a mark where it is damaged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class SourceInfo:
    """What is known of an input before reading its frames.

    Attributes:
        path: The file.
        kind: "image" or "video".
        width: Pixels, after the file's rotation is applied.
        height: Pixels, after rotation.
        frames: How many frames `frames()` will give, None if the container does not say.
        duration_s: Seconds, None for an image or if not known.
        fps: Average frames per second, None for an image or if not known.
        rotation: Clockwise degrees that the file asks for and that are applied already.
    """

    path: Path
    kind: Literal["image", "video"]
    width: int
    height: int
    frames: int | None
    duration_s: float | None
    fps: float | None
    rotation: int


@dataclass(frozen=True)
class Frame:
    """One frame.

    Attributes:
        index: Position in the order shown, from 0.
        time_s: Seconds since the first frame, rising with the index.
        image: RGB uint8 [H, W, 3], upright; None where the file is damaged.
        note: What is wrong with it, or None.
    """

    index: int
    time_s: float
    image: np.ndarray | None
    note: str | None = None


class Source(ABC):
    """An input that can be read again and again, from the start each time.

    Attributes:
        info: Size, count and so on.
        decoder: The library that reads the pixels ("decord", "pyav" or "opencv"); may change when one fails.
        warnings: One line for each kind of damage met so far.
    """

    info: SourceInfo
    decoder: str
    warnings: list[str]

    @abstractmethod
    def frames(self, step: int = 1) -> Iterator[Frame]:
        """Read from the start; with `step` > 1 only frames 0, step, 2 * step, ... are turned into pixels and given.

        Each call opens the file anew and closes it at the end, or when the iterator is closed or dropped. Memory does
        not grow with the length of the video.
        """

    def part(self, start: int, stop: int) -> Iterator[Frame]:
        """Frames `start` to `stop` - 1 (fewer where the input ends), the same as `frames` gives them.

        Videos whose container lists its frames are read from the key frame before; all others from the start.
        """
        return islice(self.frames(), start, stop)
