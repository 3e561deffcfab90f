"""A part of a clip, and a clip that plays slower than it was filmed: the same frames by another clock."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import islice

import numpy as np

from ttpose.core.errors import UsageError
from ttpose.media.ahead import read_ahead
from ttpose.media.source import Frame, Reading, Source

# Cameras' 29.97 and 239.76 frames a second are called 30 and 240: a factor this near to a whole number is that.
_WHOLE = 0.01
# Times are fractions of a second that decimal numbers do not hold exactly.
_TICK = 1e-6
# Frames of a part that are decoded ahead.
_AHEAD = 8


def retimed(video: Source, times: np.ndarray | None, reading: Reading) -> Source:
    """A video's part and clock as the user asks for them; the video itself where nothing is asked.

    Args:
        video: The whole video.
        times: Seconds of all its frames [N]; None where the container does not list them.
        reading: What the user says.

    Raises:
        UsageError: The part holds no frame, or the file does not say a rate to compare `capture_fps` with.
    """
    found = video if reading.time_range is None else Part(video, reading.time_range, times)
    slow = reading.slow_motion or 1.0
    if reading.capture_fps is not None:
        slow = _factor(video, reading.capture_fps)
    return found if slow == 1 else SlowMotion(found, slow)


def _factor(video: Source, capture_fps: float) -> float:
    """How many times slower than filmed a video plays that was filmed at so many frames a second."""
    if not video.info.fps:
        raise UsageError(f"{video.info.path} does not say how many frames a second it shows", "use --slow-motion N")
    factor = capture_fps / video.info.fps
    whole = max(round(factor), 1)
    return float(whole) if abs(factor - whole) <= _WHOLE * whole else factor


class _Over(Source):
    """A source over another one, with its decoder and its warnings."""

    def __init__(self, inner: Source) -> None:
        self._inner = inner
        self.info, self.decoder, self.warnings = inner.info, inner.decoder, list(inner.warnings)
        self._own: list[str] = []

    def _tell(self) -> None:
        self.decoder, self.warnings = self._inner.decoder, [*self._inner.warnings, *self._own]


class SlowMotion(_Over):
    """A video that plays `slow` times slower than it was filmed, by the clock of filming."""

    def __init__(self, inner: Source, slow: float) -> None:
        super().__init__(inner)
        info = inner.info
        self._slow = slow
        self.info = replace(
            info,
            duration_s=None if info.duration_s is None else info.duration_s / slow,
            fps=None if info.fps is None else info.fps * slow,
            slow_motion=slow,
        )

    def frames(self, step: int = 1) -> Iterator[Frame]:
        """See `Source.frames`."""
        return self._by_clock(self._inner.frames(step))

    def part(self, start: int, stop: int) -> Iterator[Frame]:
        """See `Source.part`."""
        return self._by_clock(self._inner.part(start, stop))

    def _by_clock(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        try:
            for frame in frames:
                self.passed = self._inner.passed
                yield replace(frame, time_s=frame.time_s / self._slow)
        finally:
            self._tell()


class Part(_Over):
    """The frames of a video that are shown from `time_range[0]` to before `time_range[1]`, numbered from 0."""

    def __init__(self, inner: Source, time_range: tuple[float, float], times: np.ndarray | None) -> None:
        super().__init__(inner)
        info, (start, end) = inner.info, time_range
        self._range = (start, end)
        self._first, self._count = None, None
        lasts = info.duration_s
        if times is not None:
            self._first = int(np.searchsorted(times, start - _TICK))
            self._count = int(np.searchsorted(times, end - _TICK)) - self._first
            lasts = float(times[-1]) + 1 / info.fps if info.fps else float(times[-1])
        if self._count == 0 or (lasts is not None and start >= lasts):
            clip = f"{info.path}, which lasts {lasts:.1f} s" if lasts is not None else str(info.path)
            raise UsageError(f"no frame is shown from {start:g} to {end:g} s in {clip}", "give another --time-range")
        if lasts is not None and end > lasts + 0.5:
            self._own = [f"the time range ends at {end:g} s, the clip at {lasts:.1f} s"]
            self._tell()
        duration = None if lasts is None else min(end, lasts) - start
        if self._count is not None and info.fps:
            duration = self._count / info.fps
        self.info = replace(
            info, frames=self._count, duration_s=duration, time_range=self._range, first_frame=self._first or 0
        )

    def frames(self, step: int = 1) -> Iterator[Frame]:
        """See `Source.frames`."""
        for frame in read_ahead(self._all(), _AHEAD):
            self.passed = frame.index + 1
            if frame.index % step == 0:
                yield frame

    def part(self, start: int, stop: int) -> Iterator[Frame]:
        """See `Source.part`."""
        if self._first is None:
            return islice(self._all(), start, stop)
        stop = min(stop, self._count or 0)
        return self._numbered(self._inner.part(self._first + start, self._first + stop), self._first)

    def _all(self) -> Generator[Frame, None, None]:
        """All frames of the part in order."""
        start, end = self._range
        if self._first is not None and self._count is not None:
            yield from self._numbered(self._inner.part(self._first, self._first + self._count), self._first)
            return
        first = None
        with closing(self._inner.frames()) as frames:  # type: ignore[type-var]
            for frame in frames:
                if frame.time_s >= end - _TICK:
                    break
                if frame.time_s >= start - _TICK:
                    if first is None:
                        first = frame.index
                        self.info = replace(self.info, first_frame=first)
                    yield replace(frame, index=frame.index - first)
        self._tell()

    def _numbered(self, frames: Iterator[Frame], first: int) -> Iterator[Frame]:
        for frame in frames:
            yield replace(frame, index=frame.index - first)
