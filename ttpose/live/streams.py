"""Where live frames come from: a camera, a network stream or a file, every frame of it or always the newest."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ttpose.errors import InputError
from ttpose.media import Frame, open_source

# A dead network stream is given up after this long; a live one never pauses for as long.
_TIMEOUT_S = 10.0
# The consumer hears that there is nothing new this often, so that it can look at its keyboard.
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


def open_live(source: int | str | Path) -> LiveSource:
    """Open a camera by number, a network stream by its address (`rtsp://...`), or a file.

    Raises:
        InputError: It cannot be opened, or is no video.
        UsageError: It is a folder.
    """
    if isinstance(source, int):
        return _capture(source, f"camera {source}")
    if "://" in str(source):
        return _capture(str(source), str(source))
    return LiveSource(str(source), (frame for frame in open_source(source).frames()), endless=False)


def _capture(source: int | str, name: str) -> LiveSource:
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # its lines say less than ours
    if isinstance(source, int):
        capture, hint = (
            cv2.VideoCapture(source),
            "is it plugged in, allowed, and free of other programs? try --camera 1",
        )
    else:
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, cv2.CAP_PROP_READ_TIMEOUT_MSEC]
        how = [value for limit in limits for value in (limit, round(1000 * _TIMEOUT_S))]
        capture, hint = cv2.VideoCapture(source, cv2.CAP_FFMPEG, how), "check that it plays in another program"
    if not capture.isOpened():
        raise InputError(f"{name} cannot be opened", hint)
    return LiveSource(name, _captured(capture, name), endless=True)


def _captured(capture: Any, name: str) -> Generator[Frame, None, None]:
    import cv2

    begin, index = time.monotonic(), 0
    try:
        while True:
            got, image = capture.read()
            if not got:
                what = f"stopped after {index} frames" if index else "gives no pictures"
                raise InputError(f"{name} {what}", "check the cable, the network, and other programs that use it")
            yield Frame(index, time.monotonic() - begin, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
            index += 1
    finally:
        capture.release()


def paced(frames: Generator[Frame, None, None]) -> Generator[Frame, None, None]:
    """Frames of a file at the times at which a player would show them."""
    with closing(frames):
        begin = time.monotonic()
        for frame in frames:
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
