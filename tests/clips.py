"""Small test videos, each written in a fraction of a second.

Frame `i` of every clip is grey noise that moves right. A band at the top spells `i` in eight black and white cells
(see `number_of`); under it are a red patch at the left edge and a green one at the right.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

WIDTH, HEIGHT, FPS = 160, 120, 30
_BAND = 16


def picture(index: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """The picture of frame `index`, RGB uint8 [height, width, 3]."""
    noise = np.random.default_rng(0).integers(60, 200, (height, width, 1)).astype(np.uint8)
    image = np.repeat(np.roll(noise, 2 * index, axis=1), 3, axis=2)
    for bit, cell in enumerate(np.array_split(image[:_BAND], 8, axis=1)):
        cell[:] = 255 * (index >> bit & 1)
    image[_BAND : 2 * _BAND, :_BAND] = 255, 0, 0
    image[_BAND : 2 * _BAND, -_BAND:] = 0, 255, 0
    return image


def number_of(image: np.ndarray) -> int:
    """The index, 0 to 255, that an upright frame shows in its band."""
    cells = np.array_split(image[4 : _BAND - 4], 8, axis=1)
    return sum(int(cell.mean() > 127) << bit for bit, cell in enumerate(cells))


def write_clip(
    path: Path,
    frames: int = 30,
    *,
    images: Sequence[np.ndarray] | None = None,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    times_s: Sequence[float] | None = None,
    rotation: int = 0,
    sound: bool = False,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    gop: int = 12,
    faststart: bool = False,
) -> Path:
    """Write a video and return its path.

    Args:
        path: The suffix chooses the container.
        frames: How many frames of `picture` to write.
        images: These pictures instead.
        size: Width and height, even.
        times_s: Presentation time of each frame in seconds; without it 30 frames a second.
        rotation: Clockwise degrees that a player is asked to turn the stored frames by.
        sound: Add a tone of the same length.
        codec: Encoder.
        pix_fmt: Pixel format.
        gop: Frames from one key frame to the next.
        faststart: Put the index before the pixels, so that a cut file still opens.
    """
    tick = Fraction(1, FPS if times_s is None else 3000)
    times = [i / FPS for i in range(frames)] if times_s is None else list(times_s)
    shown = [picture(i, *size) for i in range(len(times))] if images is None else images
    with av.open(str(path), "w", options={"movflags": "faststart"} if faststart else {}) as out:
        stream = out.add_stream(codec, rate=FPS)
        stream.height, stream.width = shown[0].shape[:2]
        stream.pix_fmt, stream.gop_size = pix_fmt, gop
        stream.time_base = stream.codec_context.time_base = tick
        if rotation:
            stream.set_display_rotation(-rotation)
        tone = _add_tone(out) if sound else None
        for time_s, image in zip(times, shown, strict=False):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = round(time_s / tick), tick
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
        if tone is not None:
            _play(out, tone, times[-1] + 1 / FPS)
    return path


def write_audio_only(path: Path, seconds: float = 1.0) -> Path:
    """Write a file with sound and no picture."""
    with av.open(str(path), "w") as out:
        _play(out, _add_tone(out), seconds)
    return path


def write_empty(path: Path) -> Path:
    """Write a file of zero bytes."""
    path.write_bytes(b"")
    return path


def write_text(path: Path) -> Path:
    """Write a text, whatever the suffix says."""
    path.write_text("This is no video.\n" * 20, encoding="utf-8")
    return path


def truncated(path: Path, target: Path, share: float = 0.5) -> Path:
    """Copy the first part of a clip's bytes; it still opens if the clip was written with `faststart`."""
    data = path.read_bytes()
    target.write_bytes(data[: int(len(data) * share)])
    return target


def corrupted(path: Path, target: Path, start: float = 0.45, end: float = 0.5) -> Path:
    """Copy a clip with a stretch of its pixel data, in shares of that data, overwritten by noise."""
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as clip:
        spans = [(packet.pos, packet.pos + packet.size) for packet in clip.demux(video=0) if packet.size]
    low, high = min(a for a, _ in spans), max(b for _, b in spans)
    first, last = low + int((high - low) * start), low + int((high - low) * end)
    data[first:last] = np.random.default_rng(1).integers(0, 256, last - first).astype(np.uint8).tobytes()
    target.write_bytes(data)
    return target


def _add_tone(out: av.container.OutputContainer) -> av.AudioStream:
    return out.add_stream("aac", rate=44100, layout="mono")


def _play(out: av.container.OutputContainer, stream: av.AudioStream, seconds: float) -> None:
    wave = 0.1 * np.sin(2 * np.pi * 440 * np.arange(int(44100 * seconds)) / 44100)
    for start in range(0, len(wave), 1024):
        frame = av.AudioFrame.from_ndarray(
            wave[None, start : start + 1024].astype(np.float32), format="fltp", layout="mono"
        )
        frame.rate, frame.pts, frame.time_base = 44100, start, Fraction(1, 44100)
        out.mux(stream.encode(frame))
    out.mux(stream.encode())
