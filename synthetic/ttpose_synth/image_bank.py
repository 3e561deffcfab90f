"""Many small pictures in one array of encoded bytes, decoded when asked for."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

#: Side of every texture on a person. At 256-pixel frames a garment covers fewer pixels than this.
TEXTURE_SIZE = 256


@dataclass(frozen=True)
class ImageBank:
    """Pictures by number; a decoded picture is kept, so treat it as read-only.

    Attributes:
        data: uint8, the JPEG or PNG files one after the other.
        offset: int64 [N + 1], where each begins and ends.
        names: Of the pictures, where they have names.
    """

    data: np.ndarray
    offset: np.ndarray
    names: tuple[str, ...] = ()
    _decoded: dict[int, np.ndarray] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.offset) - 1

    def __getitem__(self, number: int) -> np.ndarray:
        """Picture `number`, uint8 [H, W, 3] RGB or [H, W, 4] RGBA."""
        if number not in self._decoded:
            image = cv2.imdecode(self.data[self.offset[number] : self.offset[number + 1]], cv2.IMREAD_UNCHANGED)
            if image is None:
                raise ValueError(f"picture {number} cannot be decoded")
            to_rgb = cv2.COLOR_BGR2RGB if image.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
            self._decoded[number] = cv2.cvtColor(image, to_rgb)
        return self._decoded[number]

    def named(self, name: str) -> np.ndarray:
        """The picture called `name`."""
        return self[self.names.index(name)]


def with_alpha(image: np.ndarray) -> np.ndarray:
    """RGB or RGBA to RGBA, uint8 [H, W, 4], a copy."""
    if image.shape[2] == 4:
        return image.copy()
    return np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])


def texture_sized(image: np.ndarray) -> np.ndarray:
    """A square picture shrunk or enlarged to `TEXTURE_SIZE`."""
    if len(image) == TEXTURE_SIZE:
        return image
    return cv2.resize(image, (TEXTURE_SIZE, TEXTURE_SIZE), interpolation=cv2.INTER_AREA)
