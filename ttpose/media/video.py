"""Video frames in order, by decord where it is dependable and by PyAV everywhere else."""

from __future__ import annotations

import importlib.util
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ttpose.core.memory import give_back_memory
from ttpose.media.ahead import read_ahead
from ttpose.media.seek import pictures_from
from ttpose.media.source import Frame, Source, SourceInfo
from ttpose.media.timeline import Orientation, Timeline, open_container, scan

if TYPE_CHECKING:
    import av

# decord 0.6 decodes ahead without limit when its consumer is slower than the decoder (2 GB measured on a 900-frame
# 720p clip read at 50 frames/s), so it is given only clips whose frames would all fit in this many bytes of RGB.
_DECORD_BYTES = 256 << 20
# Frames after which memory is given back: a few milliseconds each time.
_TIDY = 32
# Frames decoded ahead: two batches of the network's, and no more than this many bytes of RGB.
_AHEAD, _AHEAD_BYTES = 16, 24 << 20
DAMAGED = "damaged: this frame could not be decoded"
SMEARED = "follows a damaged frame, the picture may be smeared"


class VideoSource(Source):
    """A video file.

    decord reads clips that are short enough for its unlimited decoding ahead, stored upright (it returns scrambled
    pixels for a quarter turn) and plain; it raises where the data is damaged, and then PyAV takes over at that frame.
    """

    def __init__(self, path: Path, *, use_decord: bool = True) -> None:
        self._path = path
        self._line = line = scan(path)
        turned = line.orientation.transpose
        width, height = (line.height, line.width) if turned else (line.width, line.height)
        count = (line.declared - line.missing or None) if line.pts is None else len(line.pts)
        self.info = SourceInfo(path, "video", width, height, count, line.duration_s, line.fps, line.orientation.degrees)
        self.decoder = "decord" if use_decord and _decord_can(line) else "pyav"
        self._cut = _cut(line)
        self.warnings = [self._cut] if self._cut else []

    def frames(self, step: int = 1) -> Iterator[Frame]:
        """See `Source.frames`; decodes in a thread, a few frames ahead."""
        most = _AHEAD_BYTES // (3 * self.info.width * self.info.height)
        return read_ahead(self._frames(step), max(min(most, _AHEAD), 1))

    def part(self, start: int, stop: int) -> Iterator[Frame]:
        """See `Source.part`."""
        if self._line.pts is None or start == 0 or start >= len(self._line.pts):
            yield from super().part(start, stop)
            return
        following = start
        for index, picture in pictures_from(self._path, self._line, start):
            if index >= stop:
                break
            yield from (self._lost(lost) for lost in range(following, index))
            yield Frame(index, self._line.time_s(index), self._pixels(picture))
            following = index + 1
        yield from (self._lost(lost) for lost in range(following, min(stop, len(self._line.pts))))

    def _lost(self, index: int) -> Frame:
        return Frame(index, self._line.time_s(index), None, DAMAGED)

    def _frames(self, step: int) -> Generator[Frame, None, None]:
        damage, smeared = _Damage(), False
        try:
            for index, time_s, picture in self._pictures():
                if picture is None:
                    damage.add(index)
                # Until the next key frame, pictures are built on the one that was lost.
                smeared = picture is None or (smeared and not getattr(picture, "key_frame", True))
                if index % step:
                    continue
                if index // step % _TIDY == _TIDY - 1:
                    give_back_memory()
                if picture is None:
                    yield Frame(index, time_s, None, DAMAGED)
                else:
                    yield Frame(index, time_s, self._pixels(picture), SMEARED if smeared else None)
        finally:
            self.warnings = [line for line in (self._cut, damage.text()) if line]

    def _pictures(self) -> Iterator[tuple[int, float, Any]]:
        """Index, time and undelivered pixels of every frame; None for pixels that cannot be had."""
        done = 0
        if self.decoder == "decord":
            for done, picture in enumerate(_decord_pictures(self._path, self._line), start=1):
                yield done - 1, self._line.time_s(done - 1), picture
            if done == self.info.frames:
                return
            self.decoder = "pyav"
        pictures = _by_order(self._path, self._line) if self._line.pts is None else _by_stamp(self._path, self._line)
        yield from (item for item in pictures if item[0] >= done)

    def _pixels(self, picture: Any) -> np.ndarray:
        if hasattr(picture, "asnumpy"):
            return picture.asnumpy()
        # The size is given because a stream may change it midway; every frame comes in the size of the first.
        image = picture.to_ndarray(format="rgb24", width=self._line.width, height=self._line.height)
        return self._line.orientation.upright(image)


def _cut(line: Timeline) -> str:
    return f"{line.missing} of {line.declared} frames are missing from the file" if line.missing else ""


def _decord_can(line: Timeline) -> bool:
    if line.pts is None or not line.plain or line.missing or line.orientation != Orientation():
        return False
    fits = len(line.pts) * line.width * line.height * 3 <= _DECORD_BYTES
    return fits and importlib.util.find_spec("decord") is not None


def _decord_pictures(path: Path, line: Timeline) -> Iterator[Any]:
    """Frames 0, 1, ... as decord arrays, stopping at the first that decord cannot read."""
    import cv2  # noqa: F401  decord brings a zlib of its own: imported before OpenCV it breaks OpenCV's PNG reading
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    try:
        # One thread: with more, decord 0.6 fails on VP9 (EAGAIN). A fault tolerance of 1 raises rather than repeat
        # neighbours. skip_frames is not used: on clips of variable frame rate it lands on other frames.
        reader = decord.VideoReader(str(path), num_threads=1, fault_tol=1)
        if line.pts is None or len(reader) != len(line.pts):
            return
        for _ in range(len(reader)):
            yield reader.next()
    except (decord.DECORDError, RuntimeError, StopIteration):
        return


def _packets(path: Path) -> Iterator[tuple[float | None, list[av.VideoFrame] | None]]:
    """Time and decoded frames of each packet; None for a packet that cannot be decoded."""
    import av

    # PyAV's default of threads per slice, not per frame: it loses fewer frames around damage and holds fewer.
    with open_container(path) as (container, stream):
        try:
            for packet in container.demux(stream):
                stamp = packet.pts if packet.pts is not None else packet.dts
                time_s = None if stamp is None else float(stamp * packet.time_base)
                try:
                    yield time_s, packet.decode()
                except av.FFmpegError:
                    yield time_s, None
        except av.FFmpegError:
            return  # cut off; the count of missing frames is known from the scan


def _by_stamp(path: Path, line: Timeline) -> Iterator[tuple[int, float, av.VideoFrame | None]]:
    """Frames matched to the listed timestamps; what never comes out of the decoder is given as None in its place."""
    following, stamps = 0, line.stamps
    for _, frames in _packets(path):
        for frame in frames or ():
            index = int(np.searchsorted(stamps, frame.pts)) if frame.pts is not None else following
            if index < following or index >= len(stamps):
                continue
            yield from ((lost, line.time_s(lost), None) for lost in range(following, index))
            yield index, line.time_s(index), None if frame.is_corrupt else frame
            following = index + 1
    yield from ((lost, line.time_s(lost), None) for lost in range(following, len(stamps)))


def _by_order(path: Path, line: Timeline) -> Iterator[tuple[int, float, av.VideoFrame | None]]:
    """Frames numbered as they come, for containers that do not list them; a packet that fails counts as a frame."""
    index, start, last = 0, None, 0.0
    interval = 1 / line.fps if line.fps else 1 / 30
    for packet_time, frames in _packets(path):
        for frame in [None] if frames is None else frames:
            time_s = packet_time if frame is None else frame.time
            if time_s is None:
                time_s = last + interval if start is not None else 0.0
            start = time_s if start is None else start
            # Timestamps that jump back (joined recordings) go on from the last one.
            last = time_s if index == 0 or time_s > last else last + interval
            yield index, last - start, None if frame is None or frame.is_corrupt else frame
            index += 1


class _Damage:
    """Runs of damaged frames, kept as first and last index."""

    def __init__(self) -> None:
        self.runs: list[list[int]] = []
        self.count = 0

    def add(self, index: int) -> None:
        self.count += 1
        if self.runs and self.runs[-1][1] == index - 1:
            self.runs[-1][1] = index
        elif len(self.runs) < 6:  # a line should stay a line
            self.runs.append([index, index])

    def text(self) -> str:
        if not self.count:
            return ""
        runs = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in self.runs[:5])
        more = ", ..." if len(self.runs) > 5 else ""
        return f"{self.count} damaged frame{'s have' if self.count > 1 else ' has'} no image ({runs}{more})"
