"""Odd videos, each a line of a table: what a file is made of, and what reading it must give.

`ODD_VIDEOS` names every kind. To add one, add a line: the arguments of `write_video`, and what is expected of it.
Frames are `tests.clips.picture`, so that a test can tell which one it got. Nothing is stored; each takes milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from tests import clips

Size = tuple[int, int]
SIZE: Size = (clips.WIDTH, clips.HEIGHT)
FPS = Fraction(30)


@dataclass(frozen=True)
class Track:
    """One track of pictures.

    Attributes:
        size: Width and height of its frames.
        default: Whether it is flagged as the one to play.
    """

    size: Size = SIZE
    default: bool = False


@dataclass(frozen=True)
class Odd:
    """A kind of odd video and what is right for it.

    Attributes:
        name: Of the file; its suffix chooses the container.
        make: Arguments of `write_video`.
        size: Width and height that frames must have.
        times: Presentation time of frame `i` in seconds is this times `i`, plus `start`.
        start: Seconds from the start of the file's clock to the first frame.
        frames: How many there are.
        warns: Part of a warning; "" if there must be none.
        source: What `SourceInfo.describe` must say beyond the usual.
        band: Whether the frame's number can be read from it (see `clips.number_of`).
    """

    name: str
    make: dict[str, Any] = field(default_factory=dict)
    size: Size = SIZE
    times: float = 1 / 30
    start: float = 0.0
    frames: int = 20
    warns: str = ""
    source: dict[str, Any] = field(default_factory=dict)
    band: bool = True


def _square(aspect: str, stored: Size = SIZE) -> dict[str, Any]:
    return {"pixel_aspect_ratio": aspect, "stored_width": stored[0], "stored_height": stored[1]}


_B_FRAMES = {"options": {"bf": "2", "b-adapt": "0"}}
_X265_SILENT = {"x265-params": "log-level=none"}
_TELLS_NO_RATE = {"x265-params": "vui-timing-info=0:log-level=none"}

ODD_VIDEOS = (
    # Pixels that are not square, in every container that says so, both ways, and turned.
    *(Odd(f"wide.{e}", {"aspect": Fraction(4, 3)}, (213, 120), source=_square("4:3")) for e in ("mp4", "mkv", "ts")),
    *(Odd(f"narrow.{end}", {"aspect": Fraction(8, 9)}, (142, 120), source=_square("8:9")) for end in ("mov", "avi")),
    Odd("anamorphic.mp4", {"aspect": Fraction(2)}, (320, 120), source=_square("2:1")),
    Odd("tall.mov", {"aspect": Fraction(4, 3), "rotation": 90}, (120, 213), source=_square("4:3"), band=False),
    Odd("nonsense.mp4", {"aspect": Fraction(200)}),
    Odd(
        "ntsc.dv", {"codec": "dvvideo", "pix_fmt": "yuv411p", "size": (720, 480), "fps": Fraction(30000, 1001)},
        (640, 480), times=1001 / 30000, source=_square("8:9", (720, 480)), band=False,
    ),
    # Streams without a container: the codec's rate, or one that is assumed and said.
    Odd("bare.h264", source={"fps": 30.0, "fps_from": "stream"}),
    Odd("bare50.h264", {"fps": Fraction(50)}, times=1 / 50, source={"fps": 50.0, "fps_from": "stream"}),
    Odd("bare.m2v", {"codec": "mpeg2video"}, source={"fps": 30.0, "fps_from": "stream"}),
    Odd("bare.hevc", {"codec": "libx265", "options": _X265_SILENT}, source={"fps": 30.0, "fps_from": "stream"}),
    Odd(
        "silent.hevc", {"codec": "libx265", "options": _TELLS_NO_RATE}, times=1 / 25,
        warns="25 frames a second are assumed", source={"fps": 25.0, "fps_from": "assumed"},
    ),
    Odd(
        "bare.mjpeg", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}, times=1 / 25,
        warns="25 frames a second are assumed", source={"fps": 25.0, "fps_from": "assumed"},
    ),
    # Frames that are not stored in the order shown.
    *(Odd(f"b_frames.{end}", _B_FRAMES) for end in ("avi", "mp4", "mkv", "ts")),
    Odd("b_frames_asp.avi", {"codec": "mpeg4", "options": {"bf": "2"}}),
    # 16-bit samples of which a part is in use.
    *(Odd(f"grey{n}.mkv", {"grey_bits": n}, warns=f"{n} of 16 bits", source={"bits_used": n}) for n in (10, 12, 14)),
    Odd("grey12.avi", {"grey_bits": 12, "codec": "ffv1"}, warns="12 of 16 bits", source={"bits_used": 12}),
    Odd("grey16.mkv", {"grey_bits": 16}),
    # Several tracks of pictures.
    Odd(
        "small_first.mp4", {"tracks": [Track((80, 60)), Track()]},
        warns="track 1 (160×120) is used, not 0 (80×60)", source={"stream": 1},
    ),
    Odd(
        "flagged_small.mkv", {"tracks": [Track((320, 240)), Track(default=True)]},
        warns="track 1 (160×120) is used, not 0 (320×240)", source={"stream": 1},
    ),
    Odd(
        "flagged_later.mp4", {"tracks": [Track((320, 240)), Track(default=True)]},
        warns="track 1 (160×120) is used", source={"stream": 1},
    ),
    Odd(
        "none_flagged.mkv", {"tracks": [Track((80, 60)), Track(), Track((80, 60))]},
        warns="track 1 (160×120) is used, not 0 (80×60) or 2 (80×60)", source={"stream": 1},
    ),
    # Pictures that begin after the sound.
    *(Odd(f"late.{end}", {"late_s": 0.5, "sound": True}, start=0.5) for end in ("mp4", "mkv")),
    Odd("late_alone.mkv", {"late_s": 0.5}),
)  # fmt: skip


def write_video(
    path: Path,
    *,
    frames: int = 20,
    codec: str | None = None,
    pix_fmt: str = "yuv420p",
    size: Size = SIZE,
    fps: Fraction = FPS,
    aspect: Fraction | None = None,
    rotation: int = 0,
    options: dict[str, str] | None = None,
    grey_bits: int | None = None,
    tracks: Sequence[Track] = (),
    late_s: float = 0.0,
    sound: bool = False,
    faststart: bool = False,
) -> Path:
    """Write a video as the table says and return its path.

    Args:
        path: The suffix chooses the container, and without `codec` H.264 is written.
        frames: How many.
        codec: FFmpeg's name of the encoder.
        pix_fmt: How samples are stored.
        size: Width and height as stored.
        fps: Frames per second.
        aspect: Width of a stored pixel divided by its height.
        rotation: Clockwise degrees that a player is asked to turn the frames by.
        options: Of the encoder.
        grey_bits: 16-bit grey whose samples use so many bits, without loss.
        tracks: Several tracks of pictures in place of one.
        late_s: Seconds before the first frame.
        sound: Add a tone that begins at once.
        faststart: Put an MP4's index before its pictures.
    """
    if grey_bits is not None:
        codec, pix_fmt = "ffv1", "gray16le"
    with av.open(str(path), "w", options={"movflags": "faststart"} if faststart else {}) as out:
        streams = []
        for track in tracks or (Track(size),):
            stream = out.add_stream(codec or "libx264", rate=fps, options=dict(options or {}))
            stream.width, stream.height = track.size
            stream.gop_size = 12
            stream.pix_fmt = pix_fmt
            if aspect is not None:
                stream.codec_context.sample_aspect_ratio = aspect
            if rotation:
                stream.set_display_rotation(-rotation)
            if track.default:
                stream.disposition = av.stream.Disposition.default
            streams.append((stream, track))
        tone = clips._add_tone(out) if sound else None
        for index in range(frames):
            for stream, track in streams:
                frame = _frame(index, track.size, pix_fmt, grey_bits)
                frame.pts, frame.time_base = index + round(late_s * fps), 1 / fps
                out.mux(stream.encode(frame))
        for stream, _ in streams:
            out.mux(stream.encode())
        if tone is not None:
            clips._play(out, tone, late_s + frames / float(fps))
    return path


def write_changing(path: Path, sizes: Sequence[Size], each: int = 10) -> Path:
    """Write an H.264 video whose pictures change their size midway, as when a phone is turned while it records."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=FPS)
        stream.width, stream.height = sizes[0]
        stream.pix_fmt = "yuv420p"
        for part, size in enumerate(sizes):
            for packet in _coded(size, range(part * each, (part + 1) * each)):
                packet.stream, packet.time_base = stream, 1 / FPS
                out.mux(packet)
    return path


def _coded(size: Size, indices: range) -> Iterator[av.Packet]:
    encoder: Any = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height = size
    encoder.pix_fmt, encoder.time_base, encoder.framerate, encoder.options = "yuv420p", 1 / FPS, FPS, {"bf": "0"}
    for index in indices:
        frame = _frame(index, size, "yuv420p", None)
        frame.pts, frame.time_base = index, 1 / FPS
        yield from encoder.encode(frame)
    yield from encoder.encode(None)


def write_subtitles(path: Path) -> Path:
    """Write a file of subtitles."""
    path.write_text("1\n00:00:01,000 --> 00:00:02,000\nHello.\n", encoding="utf-8")
    return path


def _frame(index: int, size: Size, pix_fmt: str, grey_bits: int | None) -> av.VideoFrame:
    image = clips.picture(index, *size)
    if grey_bits is None:
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        return frame.reformat(format=pix_fmt) if pix_fmt != "yuv420p" else frame
    white = (1 << grey_bits) - 1
    samples = (image[..., 1].astype(np.uint32) * white // 255).astype(np.uint16)
    return av.VideoFrame.from_ndarray(samples, format="gray16le")
