"""A clip's frames as JPEG pictures, decoded when they are asked for; the frames around them are kept for a while."""

from __future__ import annotations

import threading
from collections import OrderedDict

import numpy as np

from ttpose.media import Source
from ttpose.media.images import encode_jpeg

# A joint is placed to the pixel, so the picture must show every pixel; above 90 a file only grows.
_QUALITY = 90
# Frames before and after the one that is asked for: who corrects one steps to and fro next.
_BEFORE, _AFTER = 2, 6
_KEPT_BYTES = 128 << 20  # of decoded frames: 21 of 1080p


class Pictures:
    """JPEG bytes of frames by number; may be asked in several threads."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, np.ndarray | None] = OrderedDict()  # RGB uint8 [H, W, 3], the oldest first

    def jpeg(self, index: int) -> bytes | None:
        """A frame's picture, None where it is damaged or not in the clip; raises InputError if the clip is gone."""
        with self._lock:
            if index not in self._kept:
                self._decode(index)
            image = self._kept.get(index)
        return None if image is None else encode_jpeg(image, _QUALITY)

    def _decode(self, index: int) -> None:
        for frame in self._source.part(max(index - _BEFORE, 0), index + _AFTER):
            self._kept[frame.index] = frame.image
            self._kept.move_to_end(frame.index)
        if index in self._kept:
            self._kept.move_to_end(index)
        while len(self._kept) > 1 and self._bytes() > _KEPT_BYTES:
            self._kept.popitem(last=False)

    def _bytes(self) -> int:
        return sum(image.nbytes for image in self._kept.values() if image is not None)
