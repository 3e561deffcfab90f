"""A clip's frames as JPEG pictures, decoded when they are asked for and kept for a while."""

from __future__ import annotations

import threading
from collections import OrderedDict

from ttpose.media import Source
from ttpose.media.images import encode_jpeg

# A joint is placed to the pixel, so the picture must show every pixel; above 90 a file only grows.
_QUALITY = 90
# Frames before and after the one that is asked for: who corrects one steps to and fro next.
_BEFORE, _AFTER = 2, 6
_KEPT_BYTES = 96 << 20  # two minutes of stepping through a 1080p clip


class Pictures:
    """JPEG bytes of frames by number; may be asked in several threads."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, bytes | None] = OrderedDict()

    def jpeg(self, index: int) -> bytes | None:
        """A frame's picture, None where it is damaged or not in the clip; raises InputError if the clip is gone."""
        with self._lock:
            if index not in self._kept:
                self._decode(index)
            if index in self._kept:
                self._kept.move_to_end(index)
            return self._kept.get(index)

    def _decode(self, index: int) -> None:
        for frame in self._source.part(max(index - _BEFORE, 0), index + _AFTER):
            self._kept[frame.index] = None if frame.image is None else encode_jpeg(frame.image, _QUALITY)
        while len(self._kept) > 1 and sum(len(data or b"") for data in self._kept.values()) > _KEPT_BYTES:
            oldest = next(iter(self._kept))
            if oldest == index:  # the very one that is asked for
                break
            del self._kept[oldest]
