"""Where live frames come from: a camera, a network stream or a file, every frame of it or always the newest."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ttpose.core.errors import InputError
from ttpose.media import Frame, Reading, open_source
from ttpose.media.shape import Shape

# A dead network stream is given up after this long; a live one never pauses for as long.
_TIMEOUT_S = 10.0
# The consumer is told that there is nothing new this often, so that it can look at its keyboard.
_WAIT_S = 0.05


@dataclass(frozen=True)
class LiveSource:
    """A stream that can be read once.

    Attributes:
        name: For people and for files: the path, the address, or "camera 0".
        frames: Frames in order; raises InputError where the stream breaks off.
        endless: A camera or network stream, which does not wait for us.
    """

    name: str
    frames: Generator[Frame, None, None]
    endless: bool


def open_live(
    source: int | str | Path, *, beside_window: bool = False, time_range: tuple[float, float] | None = None
) -> LiveSource:
    """Open a camera by number, a network stream by its address (`rtsp://...`), or a file; of that perhaps a part.

    With `beside_window` OpenCV reads files too: its Qt windows stand still once PyAV and decord, which bring X11
    libraries of their own, are loaded in the same process.

    Raises:
        InputError: It cannot be opened, or is no video.
        UsageError: It is a folder, or shows no frame in the time range.
    """
    part = Reading(time_range=time_range)
    if isinstance(source, int):
        hint = "is it plugged in, allowed, and free of other programs? try --camera 1"
        return LiveSource(f"camera {source}", _captured(_capture(source, f"camera {source}", hint)), endless=True)
    name = str(source)
    if "://" in name:
        capture = _capture(name, name, "check that it plays in another program")
        return LiveSource(name, _captured(capture), endless=True)
    if beside_window and Path(source).is_file():
        frames = _played(_capture(name, name, "check that it plays, or convert it to MP4"))
        return LiveSource(name, frames if time_range is None else _within(frames, time_range), endless=False)
    return LiveSource(name, (frame for frame in open_source(source, part).frames()), endless=False)


@dataclass(frozen=True)
class _Capture:
    """OpenCV's reader, and what it reads."""

    reader: Any
    name: str


def _capture(source: int | str, name: str, hint: str) -> _Capture:
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # its lines say less than ours
    if isinstance(source, int):
        reader = cv2.VideoCapture(source)
    else:
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, cv2.CAP_PROP_READ_TIMEOUT_MSEC]
        how = [value for limit in limits for value in (limit, round(1000 * _TIMEOUT_S))]
        reader = cv2.VideoCapture(source, cv2.CAP_FFMPEG, how)
    if not reader.isOpened():
        raise InputError(f"{name} cannot be opened", hint)
    return _Capture(reader, name)


def _captured(capture: _Capture) -> Generator[Frame, None, None]:
    """Frames with the times at which they came; a stream of this kind does not end, it breaks off."""
    begin, index = time.monotonic(), 0
    for index, image in enumerate(_images(capture), start=1):
        yield Frame(index - 1, time.monotonic() - begin, image)
    what = f"stopped after {index} frames" if index else "gives no pictures"
    raise InputError(f"{capture.name} {what}", "check the cable, the network, and other programs that use it")


def _played(capture: _Capture) -> Generator[Frame, None, None]:
    """Frames of a file with the file's times."""
    import cv2

    for index, image in enumerate(_images(capture)):
        yield Frame(index, capture.reader.get(cv2.CAP_PROP_POS_MSEC) / 1000, image)


def _within(frames: Generator[Frame, None, None], time_range: tuple[float, float]) -> Generator[Frame, None, None]:
    """The frames of a part, numbered from 0."""
    start, end = time_range
    with closing(frames):
        first = None
        for frame in frames:
            if frame.time_s >= end:
                break
            if frame.time_s >= start:
                first = frame.index if first is None else first
                yield replace(frame, index=frame.index - first)


def _images(capture: _Capture) -> Generator[np.ndarray, None, None]:
    import cv2

    aspect, turned = _pixel_aspect(capture.reader)
    try:
        while (got := capture.reader.read())[0]:
            image = cv2.cvtColor(got[1], cv2.COLOR_BGR2RGB)
            height, width = image.shape[:2]
            size = Shape.of(height, width, aspect).size[::-1] if turned else Shape.of(width, height, aspect).size
            yield image if size == (width, height) else cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    finally:
        capture.reader.release()


def _pixel_aspect(reader: Any) -> tuple[Fraction | None, bool]:
    """Width of a stored pixel divided by its height, None where not known; and whether pictures come turned by 90°."""
    import cv2

    across, down = (round(reader.get(side)) for side in (cv2.CAP_PROP_SAR_NUM, cv2.CAP_PROP_SAR_DEN))
    turned = round(reader.get(cv2.CAP_PROP_ORIENTATION_META)) % 180 == 90
    return Fraction(across, down) if across > 0 and down > 0 else None, turned


def paced(frames: Generator[Frame, None, None]) -> Generator[Frame, None, None]:
    """Frames of a file at the times at which a player would show them."""
    with closing(frames):
        begin = time.monotonic()
        for frame in frames:
            if frame.index == 0:
                begin -= frame.time_s  # a part begins at once
            time.sleep(max(begin + frame.time_s - time.monotonic(), 0.0))
            yield frame


class Newest:
    """Reads a stream in a thread and gives the newest frame only; what nobody had time for is dropped.

    Args:
        frames: Closed by the thread when the stream ends or `close` is called.
    """

    def __init__(self, frames: Generator[Frame, None, None]) -> None:
        self.dropped = 0
        self._frames = frames
        self._fresh = threading.Condition()
        self._frame: Frame | None = None
        self._ended = False
        self._closing = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._read, name="ttpose-frames", daemon=True)
        self._thread.start()

    def __iter__(self) -> Generator[Frame | None, None, None]:
        """Frames, and None each time that there was nothing new for a moment.

        Raises:
            InputError: The stream broke off, or has given nothing for too long.
        """
        last = time.monotonic()
        while True:
            with self._fresh:
                self._fresh.wait_for(lambda: self._frame is not None or self._ended, _WAIT_S)
                frame, self._frame = self._frame, None
                ended = self._ended
            if frame is not None:
                last = time.monotonic()
            elif ended:
                break
            elif time.monotonic() - last > 2 * _TIMEOUT_S:
                raise InputError("the stream stands still", "check the cable or the network")
            yield frame
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Stop reading. A read that hangs in a dead network stream is left to end by its own time limit."""
        self._closing.set()
        self._thread.join(_TIMEOUT_S / 5)

    def _read(self) -> None:
        try:
            with closing(self._frames):
                for frame in self._frames:
                    with self._fresh:
                        self.dropped += self._frame is not None
                        self._frame = frame
                        self._fresh.notify()
                    if self._closing.is_set():
                        break
        except BaseException as error:  # handed to the reader of the frames
            self._error = error
        finally:
            with self._fresh:
                self._ended = True
                self._fresh.notify()
