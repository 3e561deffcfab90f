"""What a video file promises before its pixels are decoded: one timestamp per frame, size, orientation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ttpose.core.errors import InputError

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

# Containers in which one packet is one shown frame by definition, so that packets number the frames even where
# decoding fails. (VP8 alone also stores packets that are never shown.)
_ONE_FRAME_PER_PACKET = frozenset({"mov", "matroska", "gif"})
_HIDDEN_PACKETS = frozenset({"vp8"})
# FFmpeg's demuxer that paints any text file as a terminal would.
_NOT_VIDEO = frozenset({"tty"})


@dataclass(frozen=True)
class Orientation:
    """How stored frames are turned to stand upright: transpose first, then mirror."""

    transpose: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    @classmethod
    def from_matrix(cls, matrix: np.ndarray) -> Orientation:
        """Read FFmpeg's display matrix, integers [3, 3] that take row vectors (x, y, 1); scale and skew are ignored."""
        (a, b), (c, d) = matrix[:2, :2].tolist()
        if abs(b) + abs(c) > abs(a) + abs(d):
            return cls(True, c < 0, b < 0)
        return cls(False, a < 0, d < 0)

    @property
    def degrees(self) -> int:
        """The clockwise turn that players apply: 0, 90, 180 or 270; a mirror image counts as what remains of it."""
        if self.transpose:
            return 90 if self.mirror_x else 270
        return 180 if self.mirror_y else 0

    def upright(self, image: np.ndarray) -> np.ndarray:
        """Turn an image [H, W, 3] as stored; a contiguous array."""
        if self.transpose:
            image = image.swapaxes(0, 1)
        image = image[:: -1 if self.mirror_y else 1, :: -1 if self.mirror_x else 1]
        return np.ascontiguousarray(image)


@dataclass(frozen=True)
class Timeline:
    """The frames that a video file lists, in the order they are shown.

    Attributes:
        pts: Presentation timestamp of every frame, strictly rising, int64 [N] in units of `time_base`; None where the
            container does not list frames one by one. 8 bytes a frame is all that grows with the video.
        time_base: Seconds per unit.
        width: Stored width in pixels, before orientation.
        height: Stored height.
        orientation: The turn to apply.
        plain: 8-bit 4:2:0 with no frame to drop, which every decoder reads alike.
        fps: Average frames per second, None if not known.
        duration_s: Seconds, None if not known.
        missing: Frames that the file declares and does not hold (cut off while copying).
        declared: The container's own count, 0 if it has none.
    """

    pts: np.ndarray | None
    time_base: Fraction
    width: int
    height: int
    orientation: Orientation
    plain: bool
    fps: float | None
    duration_s: float | None
    missing: int
    declared: int

    @property
    def stamps(self) -> np.ndarray:
        """The timestamps `pts`; raises ValueError where frames are not listed."""
        if self.pts is None:
            raise ValueError("this container does not list its frames")
        return self.pts

    def time_s(self, index: int) -> float:
        """Seconds from the first frame to frame `index`; raises ValueError where frames are not listed."""
        return float((int(self.stamps[index]) - int(self.stamps[0])) * self.time_base)


@contextmanager
def open_container(path: Path) -> Iterator[tuple[InputContainer, av.VideoStream]]:
    """Open a video file and choose its main video stream; closes on leaving.

    Raises:
        InputError: The file is no video, has no video stream, or is damaged beyond opening.
    """
    import av

    try:
        # "file:" keeps names such as "concat:a" or "take:2.mp4" from being taken for protocols.
        container = av.open(f"file:{path.absolute()}", metadata_errors="replace")
    except (av.FFmpegError, ValueError) as error:
        raise _cannot_open(path) from error
    with container:
        if container.format.name in _NOT_VIDEO:
            raise _cannot_open(path)
        stream = container.streams.best("video")
        if not isinstance(stream, av.VideoStream) or stream.disposition & av.stream.Disposition.attached_pic:
            raise InputError(f"{path} has no video track", "it holds only sound; choose a video or an image")
        yield container, stream


def _cannot_open(path: Path) -> InputError:
    with open(path, "rb") as handle:
        head = handle.read(12)
    if head[4:8] == b"ftyp":
        return InputError(
            f"{path} is an MP4 or MOV without a readable index; it was cut off while recording or copying",
            "copy it again from the camera, or repair it with a tool such as untrunc",
        )
    return InputError(f"{path} is not a video or image that can be read", "check that it plays, or convert it to MP4")


def scan(path: Path) -> Timeline:
    """Read through a video's packets, decoding no further than the first good frame.

    Raises:
        InputError: The file is no video, or not one frame of it can be decoded.
    """
    import av

    pts: list[int | None] = []
    dropped = 0
    first: av.VideoFrame | None = None
    with open_container(path) as (container, stream):
        try:
            for packet in container.demux(stream):
                if packet.size and packet.is_discard:
                    dropped += 1
                elif packet.size:
                    pts.append(packet.pts)
                if first is None:
                    first = _first_frame(packet)
        except av.FFmpegError:
            pass  # the file ends here; what is missing shows in the count
        if first is None:
            raise InputError(f"no frame of {path} can be decoded", "check that it plays, or convert it to MP4")
        listed = _listed(container, stream, pts)
        matrix: Any = first.side_data.get("DISPLAYMATRIX")
        time_base = stream.time_base or Fraction(1, 1000)
        duration = _duration(container, stream, listed)
        rate = len(listed) / duration if listed is not None and duration else stream.average_rate or stream.guessed_rate
        return Timeline(
            pts=listed,
            time_base=time_base,
            width=first.width,
            height=first.height,
            orientation=Orientation()
            if matrix is None
            else Orientation.from_matrix(np.frombuffer(bytes(matrix), np.int32).reshape(3, 3)),
            plain=first.format.name in ("yuv420p", "yuvj420p") and not dropped,
            fps=float(rate) if rate else None,
            duration_s=duration,
            missing=max(stream.frames - len(pts) - dropped, 0),
            declared=max(stream.frames - dropped, 0),
        )


def _first_frame(packet: av.Packet) -> av.VideoFrame | None:
    import av

    try:
        return next((frame for frame in packet.decode() if not frame.is_corrupt), None)
    except av.FFmpegError:
        return None


def _listed(container: InputContainer, stream: av.VideoStream, pts: list[int | None]) -> np.ndarray | None:
    """The sorted timestamps where packets and frames correspond one to one, else None."""
    if not _ONE_FRAME_PER_PACKET & set(container.format.name.split(",")) or not pts or None in pts:
        return None
    stamps = np.unique(np.array(pts, dtype=np.int64))
    return stamps if len(stamps) == len(pts) and stream.codec_context.name not in _HIDDEN_PACKETS else None


def _duration(container: InputContainer, stream: av.VideoStream, pts: np.ndarray | None) -> float | None:
    """Seconds: what the frames span and one mean interval for the last, else what the file declares."""
    import av

    base = stream.time_base or Fraction(1, 1000)
    if pts is not None and len(pts) > 1:
        return float((int(pts[-1]) - int(pts[0])) * base * len(pts) / (len(pts) - 1))
    if stream.duration:
        return float(stream.duration * base)
    return container.duration / av.time_base if container.duration else None
