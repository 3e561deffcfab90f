"""Files that end too early: how one tells, and what can still be read of the last frame."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    import av

_TS_PACKET = 188
_EBML, _SEGMENT = 0x1A45DFA3, 0x18538067
# How a WMV (ASF) file begins, and the object in its header that holds the file's size.
_ASF, _ASF_FILE = bytes.fromhex("3026b2758e66cf11a6d900aa"), bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
# Boxes before the pixels of a file are few; one with more is no MP4 that a camera writes.
_MOST_BOXES = 100_000


def bytes_missing(path: Path) -> int:
    """How many bytes a file's own structure promises beyond its end; 0 where it is whole or does not say."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        head = file.read(12)
        file.seek(0)
        if head[:4] == b"RIFF":
            promised = 8 + int.from_bytes(head[4:8], "little")
        elif int.from_bytes(head[:4], "big") == _EBML:
            promised = _end_of_segment(file)
        elif head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
            promised = _end_of_boxes(file, size)
        elif head[:3] == b"FLV":
            promised = _end_of_tags(file, size)
        elif head[:12] == _ASF:
            promised = _size_in_asf(file)
        elif head[:1] == b"\x47" and _is_transport_stream(file):
            promised = -(-size // _TS_PACKET) * _TS_PACKET
        else:
            promised = 0
    return max(promised - size, 0)


def _end_of_boxes(file: BinaryIO, size: int) -> int:
    """Where the last box of an MP4 or MOV ends."""
    end = 0
    for _ in range(_MOST_BOXES):
        file.seek(end)
        head = file.read(16)
        if len(head) < 8:
            break
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length < 8:  # 0: to the end of the file, whatever that is
            return size
        end += length
        if end >= size:
            break
    return end


def _end_of_tags(file: BinaryIO, size: int) -> int:
    """Where the last tag of an FLV file ends."""
    end = 13  # header, and the size of the tag before, which there is none of
    while end < size:
        file.seek(end)
        head = file.read(11)
        end += 15 + int.from_bytes(head[1:4], "big")
    return end


def _size_in_asf(file: BinaryIO) -> int:
    """What the header of a WMV (ASF) file says; 0 where it does not."""
    head = file.read(8192)
    at = head.find(_ASF_FILE)
    return 0 if at < 0 else int.from_bytes(head[at + 40 : at + 48], "little")


def _end_of_segment(file: BinaryIO) -> int:
    """Where the segment of a Matroska or WebM file ends; 0 where it does not say, as live recordings do not."""
    while True:
        element, length = _vint(file, keep_marker=True), _vint(file)
        if element is None or length is None:
            return 0
        end = file.tell() + length
        if element == _SEGMENT:
            return end
        file.seek(end)


def _vint(file: BinaryIO, *, keep_marker: bool = False) -> int | None:
    """One number of EBML; None at the file's end and for "unknown"."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    more = 8 - first[0].bit_length()
    data = first + file.read(more)
    if len(data) <= more:
        return None
    value, bits = int.from_bytes(data, "big"), 7 * (more + 1)
    if keep_marker:
        return value
    value &= (1 << bits) - 1
    return None if value == (1 << bits) - 1 else value


def _is_transport_stream(file: BinaryIO) -> bool:
    data = file.read(4 * _TS_PACKET)
    return len(data) == 4 * _TS_PACKET and data[::_TS_PACKET] == b"\x47" * 4


def mended(packet: av.Packet, context: Any) -> av.Packet:
    """A packet that the file's end cuts off, so that decoders read what there is of it.

    H.264 and H.265 in MP4 and Matroska are units with their lengths before them. Decoders refuse the whole packet when
    the last unit is shorter than it says, although the slices before it are all right.
    """
    import av

    size, data = _length_size(context), bytearray(bytes(packet))
    if not size:
        return packet
    at = 0
    while at + size < len(data):
        length, rest = int.from_bytes(data[at : at + size], "big"), len(data) - at - size
        if length > rest:
            data[at : at + size] = rest.to_bytes(size, "big")
        at += size + min(length, rest)
    whole = av.Packet(bytes(data[:at]))
    whole.pts, whole.dts, whole.time_base = packet.pts, packet.dts, packet.time_base
    return whole


def _length_size(context: Any) -> int:
    """Bytes of the length before each unit; 0 for streams of another form."""
    extra = bytes(context.extradata or b"")
    if context.name == "h264" and len(extra) > 6 and extra[0] == 1:
        return (extra[4] & 3) + 1
    if context.name == "hevc" and len(extra) > 22 and extra[0] == 1:
        return (extra[21] & 3) + 1
    return 0
