"""Pictures of one person, cut out once and kept small, as the samples of an adaptation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ttpose.core import geometry
from ttpose.core.geometry import Box, CropGrid

# A stored crop shows 1.5 times the network's view, so that augmentations that turn, move and shrink the person find
# pixels; at 256 px input that is 384 px, 0.44 MB a crop.
_MARGIN = 1.5


@dataclass(frozen=True)
class PersonCrop:
    """One frame's cut-out.

    Attributes:
        index: The frame's number; of crops that are learned from together no two have the same.
        time_s: Its presentation time.
        image: RGB uint8 [H, W, 3], about 1.5 times the network's view.
        box: The person's box in the cut-out's pixels.
        to_source: Affine map [2, 3] from the cut-out's pixels to the original image's.
        clip: Which of several clips and photos of the person the frame is from.
    """

    index: int
    time_s: float
    image: np.ndarray
    box: Box
    to_source: np.ndarray
    clip: int = 0

    def matrix(self, grid: CropGrid | int, **warp: float | bool | tuple[float, float]) -> np.ndarray:
        """Affine map from the cut-out to a network's crop or heatmap; `warp` as in `geometry.crop_matrix`.

        Here and below a number stands for the usual square crop of so many pixels.
        """
        grid = CropGrid.of(grid)
        if grid.corners:  # such a grid is a hair wider in one direction, and so would a cut-out of a cut-out be twice
            return geometry.compose(grid.matrix(self.source_box, **warp), self.to_source)
        return grid.matrix(self.box, **warp)

    @property
    def source_box(self) -> Box:
        """The person's box in the original image's pixels."""
        return Box.around(geometry.apply(self.to_source, self.box.corners))

    def view(self, matrix: np.ndarray, grid: CropGrid | int) -> np.ndarray:
        """The network crop uint8 [height, width, 3] for a map from `matrix`."""
        size = CropGrid.of(grid).size
        if self.image.shape[:2] == size and np.allclose(matrix, np.eye(2, 3), atol=1e-6):
            return self.image
        return geometry.warp(self.image, matrix, size)


def cut_crop(
    image: np.ndarray, box: Box, grid: CropGrid | int, *, index: int = 0, time_s: float = 0.0, plain: bool = False
) -> PersonCrop:
    """Cut the person in `box` out of an image for a network with crops on `grid`.

    With `plain` it is cut at exactly that size, for the plain view alone, in half of the time.
    """
    # The margin shows more surroundings at the same zoom as the network's plain crop.
    whole = CropGrid.of(grid) if plain else CropGrid.of(grid).wider(_MARGIN)
    matrix = whole.matrix(box)
    inverse = geometry.invert(matrix)
    inside = Box.around(geometry.apply(matrix, box.corners))
    return PersonCrop(index, time_s, geometry.warp(image, matrix, whole.size), inside, inverse)


def evenly_spaced(count: int, most: int) -> list[int]:
    """At most `most` positions out of `count`, evenly spaced, first and last included."""
    if count <= most:
        return list(range(count))
    return np.unique(np.linspace(0, count - 1, most).round().astype(int)).tolist()


def by_clip(crops: Sequence[PersonCrop]) -> list[slice]:
    """Where each clip's crops are; those of one clip stand together."""
    starts = [i for i, crop in enumerate(crops) if i == 0 or crop.clip != crops[i - 1].clip]
    return [slice(start, end) for start, end in zip(starts, [*starts, len(crops)][1:], strict=True)]
