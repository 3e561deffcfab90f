"""Video frames in order, by decord where it is dependable and by PyAV everywhere else."""

from __future__ import annotations

import importlib.util
from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ttpose.core.memory import give_back_memory
from ttpose.media.ahead import read_ahead
from ttpose.media.container import open_container
from ttpose.media.samples import stretched, to_uint8
from ttpose.media.seek import pictures_from
from ttpose.media.shape import Orientation, Shape, fitted
from ttpose.media.source import Frame, Reading, Source, SourceInfo
from ttpose.media.timeline import ASSUMED_FPS, Timeline, decoded, held, packets, scan, wide_format

# decord 0.6 decodes ahead without limit when its consumer is slower than the decoder (2 GB measured on a 900-frame
# 720p clip read at 50 frames/s), so it is given only clips whose frames would all fit in this many bytes of RGB.
_DECORD_BYTES = 256 << 20
# Frames after which memory is given back: a few milliseconds each time.
_TIDY = 32
# Frames decoded ahead: two batches of the network's, and no more than this many bytes of RGB.
_AHEAD, _AHEAD_BYTES = 16, 24 << 20
# Codecs that change the size of pictures at key frames only. VP8, VP9 and AV1 may change it anywhere.
_SIZE_AT_KEY_FRAMES = frozenset({"h264", "hevc", "mpeg4", "mpeg2video", "mpeg1video", "mjpeg"})
DAMAGED = "damaged: this frame could not be decoded"
CUT = "the file ends within this frame, its lower part may be wrong"
SMEARED = "follows a damaged frame, the picture may be smeared"


class VideoSource(Source):
    """A video file.

    decord reads clips that are short enough for its unlimited decoding ahead, stored upright (it returns scrambled
    pixels for a quarter turn) and plain; it raises where the data is damaged, and then PyAV takes over at that frame.
    """

    def __init__(self, path: Path, *, reading: Reading | None = None, use_decord: bool = True) -> None:
        reading = reading or Reading()
        self._path = path
        self._line = line = scan(path, reading.stream, reading.fps)
        count = (line.declared - line.missing or None) if line.pts is None else len(line.pts)
        square = line.shape.is_square
        self.info = SourceInfo(
            path, "video", *line.orientation.turned(line.shape.size), count, line.duration_s, line.fps,
            line.orientation.degrees,
            fps_from=line.rate_from,
            stored=None if square else (line.shape.width, line.shape.height),
            pixel_aspect=Fraction(1) if square else line.shape.pixel_aspect,
            stream=line.track if line.others or reading.stream is not None else None,
            bits=line.bits,
        )  # fmt: skip
        self.decoder = "decord" if use_decord and _decord_can(line) and not _changes_size(path, line) else "pyav"
        # Somebody who says how slow it is need not be told.
        slow = line.slow if reading.slow_motion is None and reading.capture_fps is None else ""
        self._notes = [note for note in (_cut(line), line.others, _rate(line), _bits(line), slow) if note]
        self.warnings = self._notes

    @property
    def listed_times(self) -> np.ndarray | None:
        """Seconds of every frame [N] on the file's clock; None where the container does not list them."""
        if self._line.pts is None:
            return None
        return np.array([self._line.time_s(index) for index in range(len(self._line.pts))])

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
            shape = Shape.of(picture.width, picture.height, self._line.shape.pixel_aspect)
            shown = _AvPicture(picture, self._line, shape, cut=False)
            yield Frame(index, self._line.time_s(index), shown.pixels(), "; ".join(shown.notes) or None)
            following = index + 1
        yield from (self._lost(lost) for lost in range(following, min(stop, len(self._line.pts))))

    def _lost(self, index: int) -> Frame:
        return Frame(index, self._line.time_s(index), None, DAMAGED)

    def _frames(self, step: int) -> Generator[Frame, None, None]:
        damage, smeared = _Damage(), False
        try:
            for index, time_s, picture in self._pictures():
                self.passed = index + 1
                if picture is None:
                    damage.add(index)
                # Until the next key frame, pictures are built on the one that was lost.
                smeared = picture is None or (smeared and not picture.starts_anew)
                if index % step:
                    continue
                if index // step % _TIDY == _TIDY - 1:
                    give_back_memory()
                if picture is None:
                    yield Frame(index, time_s, None, DAMAGED)
                else:
                    notes = [SMEARED] if smeared else []
                    yield Frame(index, time_s, picture.pixels(), "; ".join([*notes, *picture.notes]) or None)
        finally:
            self.warnings = [*self._notes, *filter(None, [damage.text()])]

    def _pictures(self) -> Iterator[tuple[int, float, _Picture | None]]:
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


def _cut(line: Timeline) -> str:
    if line.missing:
        return f"{line.missing} of {line.declared} frames are missing from the file"
    if line.missing_bytes:
        return f"the file is cut off: at least {line.missing_bytes} bytes are missing at its end"
    return ""


def _rate(line: Timeline) -> str:
    if line.rate_from != "assumed":
        return ""
    return f"the file does not say its frame rate: {line.fps:g} frames a second are assumed; --fps N says another"


def _bits(line: Timeline) -> str:
    return stretched(line.bits) if line.bits is not None else ""


def _decord_can(line: Timeline) -> bool:
    if line.pts is None or not line.plain or line.missing or line.missing_bytes or line.others:
        return False
    if line.orientation != Orientation() or not line.shape.is_square or line.codec not in _SIZE_AT_KEY_FRAMES:
        return False
    fits = len(line.pts) * line.shape.width * line.shape.height * 3 <= _DECORD_BYTES
    return fits and importlib.util.find_spec("decord") is not None


def _changes_size(path: Path, line: Timeline) -> bool:
    """Whether pictures change their size midway, which decord passes over in silence."""
    with open_container(path, line.track) as (container, stream):
        stream.codec_context.skip_frame = "NONKEY"
        shapes = (
            (frame.width, frame.height)
            for packet in packets(container, stream)
            for frame in (held(stream.codec_context) if packet is None else decoded(packet) or ())
        )
        return any(shape != (line.shape.width, line.shape.height) for shape in shapes)


class _DecordPicture:
    """A frame as decord gives it."""

    starts_anew = True
    notes = ()

    def __init__(self, picture: Any) -> None:
        self._picture = picture

    def pixels(self) -> np.ndarray:
        return self._picture.asnumpy()


class _AvPicture:
    """A decoded frame on its way to an upright image in square pixels and the size of the first frame.

    Attributes:
        starts_anew: Whether it is built on no other frame.
        usable: Whether its pixels are worth giving.
        notes: What is odd about it.
    """

    def __init__(self, frame: Any, line: Timeline, shape: Shape, cut: bool) -> None:
        self._frame, self._line, self._shape = frame, line, shape
        self.starts_anew = bool(frame.key_frame)
        # The decoder calls a frame corrupt that the file's end cuts, too; what there is of it is worth showing.
        self.usable = cut or not frame.is_corrupt
        self.notes = [CUT] if cut else []
        if shape.size != line.shape.size:
            turned = line.orientation.turned
            (w, h), (width, height) = turned(shape.size), turned(line.shape.size)
            self.notes.append(f"this frame is {w}×{h}, fitted into the first one's {width}×{height}")

    def pixels(self) -> np.ndarray:
        """RGB uint8 [H, W, 3]."""
        image = fitted(self._render, self._shape.size, self._line.shape.size)
        return self._line.orientation.upright(image)

    def _render(self, width: int, height: int) -> np.ndarray:
        wide = wide_format(self._frame.format.name) if self._line.bits is not None else None
        image = self._frame.to_ndarray(format=wide or "rgb24", width=width, height=height)
        if wide is None or self._line.bits is None:
            return image
        image = to_uint8(image, self._line.bits)
        return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)


_Picture = _DecordPicture | _AvPicture


def _decord_pictures(path: Path, line: Timeline) -> Iterator[_DecordPicture]:
    """Frames 0, 1, ... from decord, stopping at the first that decord cannot read."""
    import cv2  # noqa: F401  decord brings a zlib of its own: imported before OpenCV it breaks OpenCV's PNG reading
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    try:
        # One thread: with more, decord 0.6 fails on VP9 (EAGAIN). A fault tolerance of 1 raises rather than repeat
        # neighbours. skip_frames is not used: on clips of variable frame rate it lands on other frames.
        # The full path, because FFmpeg takes a name such as "take:2.mp4" for a protocol.
        reader = decord.VideoReader(str(path.absolute()), num_threads=1, fault_tol=1)
        if line.pts is None or len(reader) != len(line.pts):
            return
        for _ in range(len(reader)):
            yield _DecordPicture(reader.next())
    except (decord.DECORDError, RuntimeError, StopIteration, UnicodeEncodeError):  # the last: a name that is no text
        return


def _packets(path: Path, line: Timeline) -> Iterator[tuple[Fraction | None, list[tuple[Any, _AvPicture]] | None]]:
    """Time and decoded frames of each packet; None for a packet that cannot be decoded."""
    # PyAV's default of threads per slice, not per frame: it loses fewer frames around damage and holds fewer.
    with open_container(path, line.track) as (container, stream):
        context = stream.codec_context
        aspect, first_aspect, cut = line.shape.pixel_aspect, None, set()
        for packet in packets(container, stream):
            stamp = None if packet is None else packet.pts if packet.pts is not None else packet.dts
            time_s = None if stamp is None or packet is None else Fraction(stamp) * packet.time_base
            if packet is not None and packet.size and packet.is_corrupt:
                cut.add(packet.pts)
            frames = held(context) if packet is None else decoded(packet)
            if frames is None:
                yield time_s, None
                continue
            pictures = []
            for frame in frames:
                if frame.key_frame and context.sample_aspect_ratio:  # it changes at key frames only
                    first_aspect = first_aspect or context.sample_aspect_ratio
                    same = context.sample_aspect_ratio == first_aspect
                    aspect = line.shape.pixel_aspect if same else context.sample_aspect_ratio
                shape = Shape.of(frame.width, frame.height, aspect)
                pictures.append((frame, _AvPicture(frame, line, shape, frame.pts is not None and frame.pts in cut)))
            yield time_s, pictures


def _by_stamp(path: Path, line: Timeline) -> Iterator[tuple[int, float, _AvPicture | None]]:
    """Frames matched to the listed timestamps; what never comes out of the decoder is given as None in its place."""
    following, stamps = 0, line.stamps
    for _, frames in _packets(path, line):
        for frame, picture in frames or ():
            index = int(np.searchsorted(stamps, frame.pts)) if frame.pts is not None else following
            if index < following or index >= len(stamps):
                continue
            yield from ((lost, line.time_s(lost), None) for lost in range(following, index))
            yield index, line.time_s(index), picture if picture.usable else None
            following = index + 1
    yield from ((lost, line.time_s(lost), None) for lost in range(following, len(stamps)))


def _by_order(path: Path, line: Timeline) -> Iterator[tuple[int, float, _AvPicture | None]]:
    """Frames numbered as they come, for containers that do not list them; a packet that fails counts as a frame."""
    index, clock = 0, _Clock(line)
    for packet_time, frames in _packets(path, line):
        for frame, picture in [(None, None)] if frames is None else frames:
            own = None if frame is None or frame.pts is None else Fraction(frame.pts) * frame.time_base
            time_s = clock.time_s(index, packet_time if frame is None else own)
            yield index, time_s, picture if picture is not None and picture.usable else None
            index += 1


class _Clock:
    """Rising times for frames that the container does not list."""

    def __init__(self, line: Timeline) -> None:
        self._line = line
        self._interval = 1 / Fraction(line.fps or ASSUMED_FPS)
        self._last: Fraction | None = None
        self._origin = Fraction(0)

    def time_s(self, index: int, told: Fraction | None) -> float:
        """Seconds on the file's clock of frame `index`, which says `told` itself; to be asked in order."""
        line = self._line
        if line.even:
            return float(index * self._interval)
        if line.order is not None:
            told = int(line.order[index]) * line.time_base if index < len(line.order) else None
        if self._last is None:
            told = told if told is not None else Fraction(0)
            self._last, self._origin = told, line.origin(told)
        elif told is not None and told > self._last:
            self._last = told
        else:  # no time, or one that jumps back (joined recordings): goes on from the last one
            self._last += self._interval
        return float(self._last - self._origin)


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
