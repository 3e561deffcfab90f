"""What a file itself says about playing slower than it was filmed: an MP4's edit list, or a camera's note."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

# Phones and cameras that store slow motion at a playing rate note the rate of filming under one of these keys.
_CAPTURE_KEYS = ("com.android.capture.fps",)
# A file plays slowly from this factor on; less may be rounding.
_LEAST = 1.2
_CONTAINERS = (b"moov", b"trak", b"mdia", b"edts")
# Edit lists are rounded, and leave the last frame's length to the reader: a factor this near to a whole one is that.
_WHOLE = 0.03
# What comes before the pixels of a film is small; a larger one is damaged.
_MOST_BYTES = 64 << 20


def slow_motion_note(path: Path, metadata: Mapping[str, str], fps: float | None) -> str:
    """One line on a video that plays slower than it was filmed, by its own word; empty for all others.

    Args:
        path: The file.
        metadata: Of the container.
        fps: Frames per second by the track's clock, which is the one that frames are read by.
    """
    if not fps:
        return ""
    slower = edit_list_factor(path)
    if slower is not None and slower >= _LEAST:
        slower = round(slower) if abs(slower / round(slower) - 1) <= _WHOLE else slower
        return (
            f"its edit list plays this clip {slower:.3g} times slower than it was filmed: times are those of filming, "
            f"{fps:.4g} frames a second (--slow-motion {1 / slower:.3g} takes those of playing)"
        )
    captured = next((rate for key in _CAPTURE_KEYS if (rate := _number(metadata.get(key)))), None)
    if captured is not None and captured >= _LEAST * fps:
        return (
            f"this clip was filmed at {captured:.4g} frames a second and plays at {fps:.4g}: times and speeds are "
            f"those of playing; --capture-fps {captured:.4g} takes those of filming"
        )
    return ""


def edit_list_factor(path: Path) -> float | None:
    """How many times longer the edit list of an MP4's or MOV's first video track plays than its media lasts.

    None where the file has no such list, or the list says nothing but when to start.
    """
    with open(path, "rb") as file:
        if file.read(12)[4:8] not in (b"ftyp", b"moov", b"wide", b"mdat", b"free", b"skip"):
            return None
    clock = 0
    track: dict[bytes, bytes] = {}
    for name, body in _boxes(path):
        if name == b"mvhd":
            clock = _clock(body)[0]
        elif name == b"trak":
            track = {}
        elif name in (b"elst", b"mdhd", b"hdlr"):
            track[name] = body
        if len(track) == 3:
            if clock and track[b"hdlr"][8:12] == b"vide":
                return _factor(track[b"elst"], *_clock(track[b"mdhd"]), clock)
            track = {}
    return None


def _factor(elst: bytes, media_clock: int, media_units: int, clock: int) -> float | None:
    played = filmed = 0.0
    version, count = elst[0], int.from_bytes(elst[4:8], "big")
    layout = struct.Struct(">QqhH" if version == 1 else ">IihH")
    for entry in range(count):
        if len(elst) < 8 + (entry + 1) * layout.size:
            return None
        units, start, whole, part = layout.unpack_from(elst, 8 + entry * layout.size)
        if start < 0:  # nothing is shown
            continue
        rate = whole + part / 65536
        played += units / clock
        filmed += units / clock * rate
    if not played or not media_clock:
        return None
    lasts = media_units / media_clock
    # A list that says rate 1 and plays longer than there is media means the same.
    return played / min(filmed, lasts) if min(filmed, lasts) > 0 else None


def _boxes(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Name and body of the film's boxes in order; those that hold others have no body."""
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        at = 0
        while at + 8 <= size:
            file.seek(at)
            head = file.read(16)
            length, name, skip = int.from_bytes(head[:4], "big"), head[4:8], 8
            if length == 1:
                length, skip = int.from_bytes(head[8:16], "big"), 16
            if length < skip:
                return
            if name in _CONTAINERS:
                yield name, b""
                at += skip
                continue
            if name in (b"mvhd", b"mdhd", b"hdlr", b"elst") and length < _MOST_BYTES:
                file.seek(at + skip)
                yield name, file.read(length - skip)
            at += length


def _clock(body: bytes) -> tuple[int, int]:
    """Units a second, and how many there are, of an mvhd or mdhd box."""
    if len(body) < 20 or (body[0] == 1 and len(body) < 32):
        return 0, 0
    if body[0] == 1:
        return int.from_bytes(body[20:24], "big"), int.from_bytes(body[24:32], "big")
    return int.from_bytes(body[12:16], "big"), int.from_bytes(body[16:20], "big")


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
