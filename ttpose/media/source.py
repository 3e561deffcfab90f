"""Any input as a stream of upright RGB frames: index, presentation time, pixels, and a mark where it is damaged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np

#: Who says how many frames a second there are: the container with a time for each frame; the coded stream where there
#: is no container; nobody, so that it is assumed; or the user.
RateFrom = Literal["container", "stream", "assumed", "given"]


@dataclass(frozen=True)
class Reading:
    """What the user says about an input that the file does not say, or says wrongly.

    Attributes:
        fps: Frames per second, evenly spaced; None keeps the file's times.
        stream: Which of the file's tracks is the picture, counted from 0 over all of them; None takes the main one.
        slow_motion: How many times slower than it was filmed a video plays; None for once.
        capture_fps: Frames per second at which it was filmed, which says the same.
        time_range: First second and the one before which it ends, as a player shows them; None takes all.
    """

    fps: float | None = None
    stream: int | None = None
    slow_motion: float | None = None
    capture_fps: float | None = None
    time_range: tuple[float, float] | None = None

    @classmethod
    def of(cls, source: dict[str, Any]) -> Reading:
        """How an input was read, from the `source` of its keypoint file."""
        slow, part = source.get("slow_motion"), source.get("time_range")
        given = source.get("fps") if source.get("fps_from") == "given" else None
        # The rate in the file is that of filming.
        fps = None if given is None else given / (slow or 1)
        return cls(fps, source.get("stream"), slow, None, None if part is None else (part[0], part[1]))


@dataclass(frozen=True)
class SourceInfo:
    """What is known of an input before reading its frames.

    Attributes:
        path: The file.
        kind: "image" or "video".
        width: Square pixels, after the file's rotation is applied.
        height: Square pixels, after rotation.
        frames: How many frames `frames()` will give, None if the container does not say.
        duration_s: Seconds, None for an image or if not known.
        fps: Average frames per second, None for an image or if not known.
        rotation: Clockwise degrees that the file asks for and that are applied already.
        fps_from: Who says so.
        stored: Width and height as stored, before pixels were made square and turned; None where they are the same.
        pixel_aspect: Width of a stored pixel divided by its height.
        stream: Number of the track, where the file has several with pictures.
        bits: How many of 16 bits the samples use, where they were stretched to the whole range.
        slow_motion: How many times slower than it was filmed the file plays; times and rates are those of filming.
        time_range: The part that is read, in seconds as a player shows them; None for all of it.
        first_frame: Number in the file of the part's first frame.
    """

    path: Path
    kind: Literal["image", "video"]
    width: int
    height: int
    frames: int | None
    duration_s: float | None
    fps: float | None
    rotation: int
    fps_from: RateFrom = "container"
    stored: tuple[int, int] | None = None
    pixel_aspect: Fraction = Fraction(1)
    stream: int | None = None
    bits: int | None = None
    slow_motion: float = 1.0
    time_range: tuple[float, float] | None = None
    first_frame: int = 0

    def describe(self, frames: int) -> dict[str, Any]:
        """The `source` of a keypoint file (docs/keypoints-json.md) with so many frames; JSON-ready."""
        found: dict[str, Any] = {
            "path": str(self.path), "kind": self.kind, "width": self.width, "height": self.height,
            "frames": frames, "duration_s": self.duration_s,
        }  # fmt: skip
        if self.stored is not None:
            found |= {"stored_width": self.stored[0], "stored_height": self.stored[1]}
            found["pixel_aspect_ratio"] = f"{self.pixel_aspect.numerator}:{self.pixel_aspect.denominator}"
        if self.fps_from != "container":
            found |= {"fps": self.fps, "fps_from": self.fps_from}
        if self.stream is not None:
            found["stream"] = self.stream
        if self.bits is not None:
            found["bits_used"] = self.bits
        if self.slow_motion != 1:
            found["slow_motion"] = self.slow_motion
        if self.time_range is not None:
            found |= {"time_range": list(self.time_range), "first_frame": self.first_frame}
        return found


@dataclass(frozen=True)
class Frame:
    """One frame.

    Attributes:
        index: Position in the order shown, from 0.
        time_s: Seconds on the file's clock, rising with the index. It starts at 0 with whatever comes first, picture
            or sound.
        image: RGB uint8 [H, W, 3], upright, in square pixels; None where the file is damaged.
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
        passed: How many frames the last reading has passed over so far, those between steps included.
        decoder: The library that reads the pixels ("decord", "pyav" or "opencv"); may change when one fails.
        warnings: One line for each thing that is odd about the file, and for each kind of damage met so far.
    """

    info: SourceInfo
    decoder: str
    warnings: list[str]
    passed: int = 0

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
