"""Decoding that starts in the middle of a video: from the key frame before the one that is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ttpose.media.container import open_container
from ttpose.media.timeline import Timeline

if TYPE_CHECKING:
    import av

# Where a seek lands too late (key frames are found by decoding order, not by the order shown), it is tried again this
# many frames earlier before everything is decoded: more than any encoder reorders.
_EARLIER = 32


def pictures_from(path: Path, line: Timeline, start: int) -> Iterator[tuple[int, av.VideoFrame]]:
    """Number and picture of frame `start` and of those after it that can be decoded; `line` must list its frames."""
    for earlier in (start, max(start - _EARLIER, 0), 0):
        pictures = _decoded(path, line, earlier)
        first = next(pictures, None)
        if first is not None and first[0] <= start:
            break
    if first is not None:
        yield from (each for each in chain([first], pictures) if each[0] >= start)


def _decoded(path: Path, line: Timeline, start: int) -> Iterator[tuple[int, Any]]:
    """What comes out of the decoder after a seek to frame `start`, in order, from the key frame on."""
    import av

    stamps = line.stamps
    with open_container(path, line.track) as (container, stream):
        try:
            if start:
                container.seek(int(stamps[start]), stream=stream)
            for packet in container.demux(stream):
                try:
                    frames = packet.decode()
                except av.FFmpegError:
                    continue
                for frame in frames:
                    if frame.pts is not None and not frame.is_corrupt:
                        yield int(np.searchsorted(stamps, frame.pts)), frame
        except av.FFmpegError:
            return
