"""Pictures of one person, cut out once and kept small, as the samples of an adaptation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ttpose import geometry
from ttpose.geometry import Box
from ttpose.model.predictor import CROP_PAD

# A stored crop shows 1.5 times the network's view, so that augmentations that turn, move and shrink the person find
# pixels; at 256 px input that is 384 px, 0.44 MB a crop.
_MARGIN = 1.5


@dataclass(frozen=True)
class PersonCrop:
    """One frame's cut-out.

    Attributes:
        index: The frame's number in the clip.
        time_s: Its presentation time.
        image: RGB uint8 [M, M, 3], about 1.5 times the network's view.
        box: The person's box in the cut-out's pixels.
        to_source: Affine map [2, 3] from the cut-out's pixels to the original image's.
    """

    index: int
    time_s: float
    image: np.ndarray
    box: Box
    to_source: np.ndarray

    def matrix(self, size: int, **warp: float | bool | tuple[float, float]) -> np.ndarray:
        """Affine map from the cut-out to a network crop of `size` px; `warp` as in `geometry.crop_matrix`."""
        return geometry.crop_matrix(self.box, size, pad=CROP_PAD, **warp)  # type: ignore[arg-type]

    def view(self, matrix: np.ndarray, size: int) -> np.ndarray:
        """The network crop uint8 [size, size, 3] for a map from `matrix`."""
        if self.image.shape[0] == size and np.allclose(matrix, np.eye(2, 3), atol=1e-6):
            return self.image
        return geometry.warp(self.image, matrix, size)


def cut_crop(
    image: np.ndarray, box: Box, size: int, *, index: int = 0, time_s: float = 0.0, plain: bool = False
) -> PersonCrop:
    """Cut the person in `box` out of an image for a network with crops of `size` px.

    With `plain` it is cut at exactly that size, for a single look without turning or moving, in half of the time.
    """
    side = size if plain else round(size * _MARGIN)
    # The margin shows more surroundings at the same zoom as the network's plain crop.
    matrix = geometry.crop_matrix(box, side, pad=CROP_PAD * side / size)
    inverse = geometry.invert(matrix)
    corners = geometry.apply(matrix, np.array([[box.x, box.y], [box.x + box.width, box.y + box.height]]))
    return PersonCrop(index, time_s, geometry.warp(image, matrix, side), Box.around(corners), inverse)


def spread(count: int, most: int) -> list[int]:
    """At most `most` positions out of `count`, evenly spaced, first and last included."""
    if count <= most:
        return list(range(count))
    return np.unique(np.linspace(0, count - 1, most).round().astype(int)).tolist()
