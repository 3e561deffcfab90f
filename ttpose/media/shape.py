"""The shape of pictures: turned upright, in square pixels, and fitted into another size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

#: Renders a picture at a width and height, RGB uint8 [height, width, 3].
Render = Callable[[int, int], np.ndarray]

_SQUARE = Fraction(1)
# Real recordings stay between about 1:2 and 2:1 (DV 8:9, HDV 4:3, half-width tapes and discs). Far beyond that the
# number is a mistake, and following it would ask for pictures of any size.
_MOST_STRETCHED = 8


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

    def turned(self, size: tuple[int, int]) -> tuple[int, int]:
        """Width and height of a picture that is stored as `size`."""
        return size[::-1] if self.transpose else size

    def upright(self, image: np.ndarray) -> np.ndarray:
        """Turn an image [H, W, 3] as stored; a contiguous array."""
        if self.transpose:
            image = image.swapaxes(0, 1)
        image = image[:: -1 if self.mirror_y else 1, :: -1 if self.mirror_x else 1]
        return np.ascontiguousarray(image)


@dataclass(frozen=True)
class Shape:
    """How frames are stored and how they look.

    Attributes:
        width: Stored pixels in a row.
        height: Stored rows.
        pixel_aspect: Width of a stored pixel divided by its height.
    """

    width: int
    height: int
    pixel_aspect: Fraction = _SQUARE

    @classmethod
    def of(cls, width: int, height: int, pixel_aspect: Fraction | None) -> Shape:
        """A shape with the pixel aspect that a file states; none, or one that no camera has, counts as square."""
        aspect = pixel_aspect or _SQUARE
        plausible = Fraction(1, _MOST_STRETCHED) <= aspect <= _MOST_STRETCHED
        return cls(width, height, aspect if plausible else _SQUARE)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in square pixels; like players' and FFmpeg's `scale=iw*sar:ih`, every row is kept."""
        return max(round(self.width * self.pixel_aspect), 1), self.height

    @property
    def is_square(self) -> bool:
        """Whether stored pixels are shown as they are."""
        return self.size == (self.width, self.height)


def fitted(render: Render, own: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """A picture inside a frame of another shape: as large as fits, centred, black around it.

    Args:
        render: Draws the picture.
        own: Its width and height in square pixels.
        size: Those of the frame.

    Returns:
        RGB uint8 [height, width, 3].
    """
    width, height = size
    scale = min(Fraction(width, own[0]), Fraction(height, own[1]))
    w, h = (max(round(side * scale), 1) for side in own)
    if (w, h) == size:
        return render(w, h)
    frame = np.zeros((height, width, 3), np.uint8)
    x, y = (width - w) // 2, (height - h) // 2
    frame[y : y + h, x : x + w] = render(w, h)
    return frame
