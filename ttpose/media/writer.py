"""Overlay videos: H.264 MP4 with the timestamps and the sound of the source."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from ttpose.core.errors import InputError, OutputError
from ttpose.core.files import atomic_path
from ttpose.media.container import file_url, open_container, others_start

if TYPE_CHECKING:
    import av
    from av.container import OutputContainer

# 90 kHz, the clock of MPEG: fine enough for any frame time, and 60, 50, 30, 25 and 24 frames/s are whole in it.
_TIME_BASE = Fraction(1, 90_000)
# FFmpeg's numbers for the colours of high-definition video, written into the file so that players need not guess.
_BT709, _LIMITED = 1, 1
# Sound that MP4 players know; anything else is left out rather than converted.
_SOUND_CODECS = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "opus"})
# Encoders put a packet or two before the start, which decoders need to warm up (AAC: 2112 samples at 44.1 kHz).
_PRIMING = Fraction(1, 20)
# Nearly invisible loss at a moderate size (x264's own default is 23), fast enough to keep up with prediction.
# Without B-frames the order of decoding is the order shown, which keeps the track's length right at any frame times.
_X264 = {"crf": "20", "preset": "veryfast", "bf": "0"}


class OverlayWriter(AbstractContextManager["OverlayWriter"]):
    """Write frames to an MP4 (H.264, yuv420p) that appears whole when the `with` block ends well, or not at all.

    Args:
        path: The file to write.
        width: Width of the images; an odd one is padded by one repeated column.
        height: Height of the images, likewise.
        fps: Expected frames per second, a hint for the encoder; each frame keeps its own time all the same.
        sound_from: A video whose sound is copied unchanged where MP4 can hold it.
        start_s: Seconds of that video at which the frames begin.

    Raises:
        OutputError: The file cannot be written, or this build of PyAV has no H.264 encoder.
    """

    def __init__(
        self,
        path: Path | str,
        width: int,
        height: int,
        *,
        fps: float | None = None,
        sound_from: Path | None = None,
        start_s: float = 0.0,
    ) -> None:
        self._path, self._width, self._height = Path(path), width, height
        self._fps, self._sound_from, self._start_s = fps or 30.0, sound_from, start_s
        self._last = -1

    def __enter__(self) -> OverlayWriter:
        import av

        with ExitStack() as stack:
            stack.enter_context(self._errors())
            partial = stack.enter_context(atomic_path(self._path))
            self._out = stack.enter_context(av.open(file_url(partial), "w", options={"movflags": "+faststart"}))
            rate = Fraction(self._fps).limit_denominator(1001)
            self._video: Any = self._out.add_stream("libx264", rate=rate, options=dict(_X264))
            self._video.width, self._video.height = self._width + self._width % 2, self._height + self._height % 2
            self._video.pix_fmt = "yuv420p"
            context = self._video.codec_context
            context.time_base = _TIME_BASE
            context.colorspace = context.color_primaries = context.color_trc = _BT709
            context.color_range = _LIMITED
            self._sound = _Sound(self._sound_from, self._out, stack, self._start_s)
            self._stack = stack.pop_all()
        return self

    def write(self, image: np.ndarray, time_s: float) -> None:
        """Add an RGB uint8 image [height, width, 3], shown from `time_s` seconds after the start on."""
        import av

        bottom, right = self._height % 2, self._width % 2
        if bottom or right:
            image = np.pad(image, ((0, bottom), (0, right), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        # A later frame always gets a later stamp, even where two times round to the same tick.
        self._last = max(round(time_s / _TIME_BASE), self._last + 1)
        frame = frame.reformat(format="yuv420p", dst_colorspace=_BT709, dst_color_range=_LIMITED)
        frame.pts, frame.time_base = self._last, _TIME_BASE
        with self._errors():
            self._mux(frame)

    def _mux(self, frame: av.VideoFrame | None) -> None:
        for packet in self._video.encode(frame):
            self._out.mux(packet)
        self._sound.mux_until(self._last * _TIME_BASE)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Say what FFmpeg raises in our own words."""
        import av

        try:
            yield
        except (av.FFmpegError, av.codec.codec.UnknownCodecError) as error:
            raise OutputError(f"cannot write {self._path}: {error}", "check free space and permissions") from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:
            if self._last < 0:
                raise OutputError(f"cannot write {self._path}: there is no frame to show", "check that the input plays")
            self._mux(None)


class _Sound:
    """The source's sound track, copied packet by packet beside the frames; silent where it has none that fits."""

    def __init__(self, path: Path | None, out: OutputContainer, stack: ExitStack, start_s: float) -> None:
        self._packets: Iterator[Any] = iter(())
        self._next: Any = None
        if path is None:
            return
        try:
            container, picture = stack.enter_context(open_container(path))
        except InputError:
            return
        source: Any = container.streams.best("audio")
        if source is None or source.codec_context is None or source.codec_context.name not in _SOUND_CODECS:
            return
        first = (picture.start_time or 0) * Fraction(picture.time_base or 0)
        others = others_start(container, picture)
        self._start = first if others is None else min(first, others)  # where the clock of frames starts, too
        self._start += Fraction(start_s).limit_denominator(1_000_000)
        self._out, self._track = out, out.add_stream_from_template(source)
        self._packets = container.demux(source)

    def mux_until(self, time_s: Fraction) -> None:
        """Copy the packets up to a time in the video."""
        import av

        while True:
            try:
                packet = self._next or next(self._packets, None)
            except av.FFmpegError:  # damaged from here on
                packet, self._packets = None, iter(())
            self._next = None
            if packet is None:
                return
            if packet.dts is None or packet.pts is None:
                continue
            if packet.dts * packet.time_base - self._start > time_s:
                self._next = packet
                return
            shift = round(self._start / packet.time_base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            if packet.dts * packet.time_base > -_PRIMING:
                packet.stream = self._track
                self._out.mux(packet)
