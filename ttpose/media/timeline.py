"""What a video file promises before its pixels are decoded: one timestamp per frame, size, orientation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ttpose.core.errors import InputError
from ttpose.media.container import open_container, other_tracks, others_start
from ttpose.media.cut_off import bytes_missing, mended
from ttpose.media.samples import LOOK_AT, bits_in_use
from ttpose.media.shape import Orientation, Shape
from ttpose.media.slow_motion import slow_motion_note
from ttpose.media.source import RateFrom

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

# Containers in which one packet is one shown frame by definition, so that packets number the frames even where
# decoding fails. (VP8 alone also stores packets that are never shown.)
_ONE_FRAME_PER_PACKET = frozenset({"mov", "matroska", "gif"})
_HIDDEN_PACKETS = frozenset({"vp8"})
# AVI numbers frames in the order of decoding. What FFmpeg makes of that for shown times is wrong with B-frames.
_DECODE_ORDER_ONLY = frozenset({"avi"})
# Bare streams that do not say their rate: what FFmpeg and players take.
ASSUMED_FPS = 25
# A coded rate beyond this is a clock that nobody set, not a camera's.
_FASTEST = 1000
# FFmpeg's AVFMT_NOTIMESTAMPS: a bare stream, which a codec wrote and no container.
_NO_TIMESTAMPS = 0x80


@dataclass(frozen=True)
class Timeline:
    """The frames that a video file lists, in the order they are shown.

    Attributes:
        pts: Presentation timestamp of every frame, strictly rising, int64 [N] in units of `time_base`; None where the
            container does not list frames one by one. 8 bytes a frame is all that grows with the video.
        order: Where only the order of decoding has timestamps, these in rising order: the n-th shown frame has the
            n-th; int64 [N], else None.
        time_base: Seconds per unit.
        origin_s: Where the file's clock starts, if a track other than the picture says so, else None: at the first
            frame.
        shape: Of the first frame, before orientation.
        orientation: The turn to apply.
        codec: FFmpeg's name of how pictures are coded.
        plain: 8-bit 4:2:0 with no frame to drop, which every decoder reads alike.
        bits: Of 16-bit grey or RGB samples those in use, else None.
        fps: Average frames per second, None if not known.
        rate_from: Who says so; anything but "container" spaces the frames evenly.
        duration_s: Seconds, None if not known.
        missing: Frames that the file declares and does not hold (cut off while copying).
        missing_bytes: Bytes that the file's structure promises beyond its end.
        declared: The container's own count, 0 if it has none.
        others: One line on video tracks that were not taken, or "".
        track: Number of the one that was taken.
        slow: One line on a file that says that it plays slower than it was filmed, or "".
    """

    pts: np.ndarray | None
    order: np.ndarray | None
    time_base: Fraction
    origin_s: Fraction | None
    shape: Shape
    orientation: Orientation
    codec: str
    plain: bool
    bits: int | None
    fps: float | None
    rate_from: RateFrom
    duration_s: float | None
    missing: int
    missing_bytes: int
    declared: int
    others: str
    track: int
    slow: str = ""

    @property
    def stamps(self) -> np.ndarray:
        """The timestamps `pts`; raises ValueError where frames are not listed."""
        if self.pts is None:
            raise ValueError("this container does not list its frames")
        return self.pts

    def time_s(self, index: int) -> float:
        """Seconds on the file's clock to frame `index`; raises ValueError where frames are not listed."""
        if self.even:
            return index / (self.fps or ASSUMED_FPS)
        first = int(self.stamps[0]) * self.time_base
        return float(int(self.stamps[index]) * self.time_base - self.origin(first))

    @property
    def even(self) -> bool:
        """Whether frames are spaced by the rate alone."""
        return self.rate_from != "container"

    def origin(self, first_s: Fraction) -> Fraction:
        """Where the clock starts, in the stream's own seconds, if the first frame is shown at `first_s` of them."""
        return first_s if self.origin_s is None else min(self.origin_s, first_s)


def decoded(packet: av.Packet) -> list[Any] | None:
    """The frames that a packet completes; None if it cannot be decoded."""
    import av

    try:
        if packet.size and packet.is_corrupt:
            return packet.stream.codec_context.decode(mended(packet, packet.stream.codec_context))
        return packet.decode()
    except av.FFmpegError:
        return None


def packets(container: InputContainer, stream: Any) -> Iterator[av.Packet | None]:
    """The packets of a track; None, where reading fails, for the frames that the decoder still holds."""
    import av

    try:
        yield from container.demux(stream)
    except av.FFmpegError:
        yield None


def scan(path: Path, track: int | None = None, fps: float | None = None) -> Timeline:
    """Read through a video's packets, decoding no further than the first good frames.

    Args:
        path: The file.
        track: As `open_container` takes it.
        fps: Frames per second in place of the file's.

    Raises:
        InputError: The file is no video, or not one frame of it can be decoded.
    """
    with open_container(path, track) as (container, stream):
        seen = _Seen()
        for packet in packets(container, stream):
            seen.take(packet, stream.codec_context)
        first = seen.first
        if first is None:
            raise InputError(f"no frame of {path} can be decoded", "check that it plays, or convert it to MP4")
        listed = _listed(container, stream, seen.pts)
        time_base = stream.time_base or Fraction(1, 1000)
        duration = _duration(container, stream, listed)
        rate, rate_from = _rate(container, stream, listed, duration, fps)
        if rate and rate_from != "container":
            duration = len(seen.pts) / rate
        missing = max(stream.frames - len(seen.pts) - seen.dropped, 0)
        return Timeline(
            pts=listed,
            order=_decode_order(container, seen.dts),
            time_base=time_base,
            origin_s=others_start(container, stream),
            shape=Shape.of(first.width, first.height, stream.sample_aspect_ratio),
            orientation=_orientation(first),
            codec=stream.codec_context.name,
            plain=first.format.name in ("yuv420p", "yuvj420p") and not seen.dropped,
            bits=seen.bits,
            fps=rate,
            rate_from=rate_from,
            duration_s=duration,
            missing=missing,
            missing_bytes=bytes_missing(path),
            declared=max(stream.frames - seen.dropped, 0),
            others=other_tracks(container, stream),
            track=stream.index,
            slow=slow_motion_note(path, container.metadata, rate),
        )


class _Seen:
    """What passes by while the packets are read."""

    def __init__(self) -> None:
        self.pts: list[int | None] = []
        self.dts: list[int | None] = []
        self.dropped = 0
        self.first: Any = None
        self._looked_at = 0
        self._brightest: int | None = None

    def take(self, packet: av.Packet | None, context: Any) -> None:
        """Note one packet's times, and its pixels while they still tell something."""
        if packet is not None and packet.size and packet.is_discard:
            self.dropped += 1
        elif packet is not None and packet.size:
            self.pts.append(packet.pts)
            self.dts.append(packet.dts)
        if self.first is None or (self._brightest is not None and self._looked_at < LOOK_AT):
            for frame in held(context) if packet is None else decoded(packet) or ():
                self._look(frame)

    def _look(self, frame: Any) -> None:
        if frame.is_corrupt:
            return
        self.first = self.first or frame
        self._looked_at += 1
        if (wide := wide_format(frame.format.name)) is not None:
            self._brightest = max(self._brightest or 0, int(frame.to_ndarray(format=wide)[..., :3].max()))

    @property
    def bits(self) -> int | None:
        """Of 16-bit samples those in use, if they are fewer."""
        if not self._brightest:  # 8-bit samples, or all black
            return None
        bits = bits_in_use(self._brightest)
        return bits if bits < 16 else None


def wide_format(name: str) -> str | None:
    """The format in which 16-bit grey or RGB samples come out of FFmpeg unchanged; None for any other format.

    Formats that state their 10, 12 or 14 bits, and YUV with its fixed levels, are converted rightly without help.
    """
    if name in ("gray16le", "gray16be", "ya16le", "ya16be"):
        return "gray16le"
    if name.startswith(("rgb48", "bgr48", "rgba64", "bgra64", "gbrp16", "gbrap16")):
        return "rgb48le"
    return None


def held(context: Any) -> list[Any]:
    """The frames that a decoder still holds at the end of a file that breaks off."""
    import av

    with suppress(av.FFmpegError):
        return list(context.decode(None))
    return []


def _orientation(first: Any) -> Orientation:
    matrix: Any = first.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return Orientation()
    return Orientation.from_matrix(np.frombuffer(bytes(matrix), np.int32).reshape(3, 3))


def _formats(container: InputContainer) -> set[str]:
    return set(container.format.name.split(","))


def _listed(container: InputContainer, stream: Any, pts: list[int | None]) -> np.ndarray | None:
    """The sorted timestamps where packets and frames correspond one to one, else None."""
    if not _ONE_FRAME_PER_PACKET & _formats(container) or not pts or None in pts:
        return None
    stamps = np.unique(np.array(pts, dtype=np.int64))
    return stamps if len(stamps) == len(pts) and stream.codec_context.name not in _HIDDEN_PACKETS else None


def _decode_order(container: InputContainer, dts: list[int | None]) -> np.ndarray | None:
    if not _DECODE_ORDER_ONLY & _formats(container) or not dts or None in dts:
        return None
    stamps = np.unique(np.array(dts, dtype=np.int64))
    return stamps if len(stamps) == len(dts) else None


def _rate(
    container: InputContainer, stream: Any, pts: np.ndarray | None, duration: float | None, fps: float | None
) -> tuple[float | None, RateFrom]:
    """Frames per second, and who says so."""
    if fps:
        return fps, "given"
    if container.format.flags & _NO_TIMESTAMPS:  # what FFmpeg calls its rate is a default
        coded = stream.codec_context.framerate
        return (float(coded), "stream") if coded and coded <= _FASTEST else (float(ASSUMED_FPS), "assumed")
    rate = len(pts) / duration if pts is not None and duration else stream.average_rate or stream.guessed_rate
    return (float(rate) if rate else None), "container"


def _duration(container: InputContainer, stream: Any, pts: np.ndarray | None) -> float | None:
    """Seconds: what the frames span and one mean interval for the last, else what the file declares."""
    import av

    base = stream.time_base or Fraction(1, 1000)
    if pts is not None and len(pts) > 1:
        return float((int(pts[-1]) - int(pts[0])) * base * len(pts) / (len(pts) - 1))
    if stream.duration:
        return float(stream.duration * base)
    return container.duration / av.time_base if container.duration else None
