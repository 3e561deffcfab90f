"""Boxes, crops as affine maps, flips, and the way between image, crop and heatmap coordinates.

One convention everywhere: x to the right, y down, pixel centres at integers. An image of width W therefore spans
x from -0.5 to W - 0.5. An affine map is a float64 array [2, 3] that takes column vectors (x, y, 1) to (x', y').
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

#: Size of a crop over the box that it shows, where a model's description has none; MoveNet is most accurate near it.
CROP_PAD = 1.1


@dataclass(frozen=True)
class Box:
    """An axis-aligned box in pixels: left edge x, top edge y, width and height."""

    x: float
    y: float
    width: float
    height: float

    @property
    def center(self) -> tuple[float, float]:
        """The middle (x, y)."""
        return self.x + self.width / 2, self.y + self.height / 2

    @property
    def corners(self) -> np.ndarray:
        """Top left and bottom right corner, [2, 2]."""
        return np.array([[self.x, self.y], [self.x + self.width, self.y + self.height]])

    @property
    def area(self) -> float:
        """Width times height, 0 for an inverted box."""
        return max(self.width, 0.0) * max(self.height, 0.0)

    @property
    def side(self) -> float:
        """The longer of width and height."""
        return max(self.width, self.height)

    def scaled(self, factor: float) -> Box:
        """The box grown about its centre."""
        (cx, cy), w, h = self.center, self.width * factor, self.height * factor
        return Box(cx - w / 2, cy - h / 2, w, h)

    def with_margin(self, share: float) -> Box:
        """The box with each edge moved out by a share of the longer side."""
        grow = share * self.side
        return Box(self.x - grow, self.y - grow, self.width + 2 * grow, self.height + 2 * grow)

    def holds(self, x: float, y: float) -> bool:
        """Whether a point is in the box, its edges included."""
        return self.x <= x <= self.x + self.width and self.y <= y <= self.y + self.height

    def clipped(self, width: int, height: int) -> Box:
        """The part inside an image of the given size; may have no area."""
        x0, y0 = min(max(self.x, -0.5), width - 0.5), min(max(self.y, -0.5), height - 0.5)
        x1, y1 = min(max(self.x + self.width, -0.5), width - 0.5), min(max(self.y + self.height, -0.5), height - 0.5)
        return Box(x0, y0, x1 - x0, y1 - y0)

    def iou(self, other: Box) -> float:
        """Intersection over union with another box, 0..1."""
        w = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        h = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        inter = max(w, 0.0) * max(h, 0.0)
        union = self.area + other.area - inter
        return inter / union if union > 0 else 0.0

    def as_list(self) -> list[float]:
        """[x, y, width, height]."""
        return [self.x, self.y, self.width, self.height]

    @classmethod
    def around(cls, points: np.ndarray) -> Box:
        """The tight box around points [N, 2]."""
        low, high = np.min(points, axis=0), np.max(points, axis=0)
        return cls(float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1]))


@dataclass(frozen=True)
class CropGrid:
    """A grid of pixels, or of a heatmap's cells, over the part of the image that a network looks at.

    The part is the person's box, grown to the grid's aspect ratio and by `pad` about its centre. A network's crop and
    its heatmaps are grids over the same part, so that one rule takes points from any of them to any other.

    Attributes:
        height, width: Rows and columns.
        pad: Size of the part over the size of the box that was grown to the aspect ratio.
        corners: Where the part's edges lie: False on the outer edges of the outer pixels, True on their centres (the
            "unbiased data processing" of Huang et al. 2020, with which ViTPose is trained).
    """

    height: int
    width: int
    pad: float = CROP_PAD
    corners: bool = False

    @classmethod
    def of(cls, size: CropGrid | int) -> CropGrid:
        """The grid itself, or a square of so many pixels."""
        return size if isinstance(size, CropGrid) else cls(size, size)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.height, self.width

    def resized(self, height: int, width: int) -> CropGrid:
        """Another grid over the same part."""
        return replace(self, height=height, width=width)

    def wider(self, factor: float) -> CropGrid:
        """A grid of the same resolution over `factor` times as much about the same centre, rounded to whole pixels."""
        height, width = round(self.height * factor), round(self.width * factor)
        return replace(self, height=height, width=width, pad=self.pad * height / self.height)

    def matrix(self, box: Box, **warp: float | bool | tuple[float, float]) -> np.ndarray:
        """Affine map [2, 3] from image pixels to this grid; `warp` as in `crop_matrix`."""
        return crop_matrix(box, self.size, pad=self.pad, corners=self.corners, **warp)  # type: ignore[arg-type]

    def points_from(self, other: CropGrid, points: np.ndarray) -> np.ndarray:
        """Points [..., 2] (x, y) on another grid over the same part, on this one."""
        if self.corners:
            return points * np.array([
                (self.width - 1) / (other.width - 1), (self.height - 1) / (other.height - 1)
            ])  # fmt: skip
        if self.height < other.height:  # not the product with the inverse, which rounds differently
            return (points + 0.5) / np.array([other.width / self.width, other.height / self.height]) - 0.5
        return (points + 0.5) * np.array([self.width / other.width, self.height / other.height]) - 0.5


def crop_matrix(
    box: Box,
    size: int | tuple[int, int],
    *,
    pad: float = CROP_PAD,
    rotation: float = 0.0,
    scale: float = 1.0,
    shift: tuple[float, float] = (0.0, 0.0),
    flip: bool = False,
    corners: bool = False,
) -> np.ndarray:
    """Affine map from image pixels to the pixels of a crop.

    The crop shows the box, grown about its centre to the crop's aspect ratio (for a square crop to the longer side, at
    least 1 px) and then by `pad * scale`; it is turned by `rotation` degrees (counter-clockwise as seen), moved by
    `shift` (in shares of its sides) and mirrored left-right when `flip`.

    Args:
        box: Person box in image pixels.
        size: Crop height and width in pixels, or the side of a square.
        pad: Size of what is shown over the size of the grown box.
        rotation: Degrees.
        scale: More than 1 shows more surroundings.
        shift: How far the crop's centre moves, (x, y), in shares of the crop's width and height.
        flip: Mirror the crop.
        corners: Whether the outer pixels' centres lie on the edges of what is shown, see `CropGrid`.

    Returns:
        float64 [2, 3], image to crop.
    """
    height, width = (size, size) if isinstance(size, int) else size
    tall = max(box.height, box.width * (height / width), 1.0) * pad * scale
    wide = tall * (width / height)
    cx, cy = box.center
    cx, cy = cx + shift[0] * wide, cy + shift[1] * tall
    across, down, angle = (width - corners) / wide, (height - corners) / tall, np.deg2rad(rotation)
    linear = np.array([
        [across * np.cos(angle), across * np.sin(angle)], [-(down * np.sin(angle)), down * np.cos(angle)]
    ])  # fmt: skip
    if flip:
        linear[0] = -linear[0]
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    return np.column_stack([linear, middle - linear @ np.array([cx, cy])])


def invert(matrix: np.ndarray) -> np.ndarray:
    """The inverse of an affine map [2, 3]."""
    inverse = np.linalg.inv(matrix[:, :2])
    return np.column_stack([inverse, -inverse @ matrix[:, 2]])


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map points [..., 2] by an affine map [2, 3]."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def warp(image: np.ndarray, matrix: np.ndarray, size: int | tuple[int, int]) -> np.ndarray:
    """Cut a crop out of an image.

    Args:
        image: uint8 [H, W, 3].
        matrix: Affine map from image to crop pixels, from `crop_matrix`.
        size: Crop height and width in pixels, or the side of a square.

    Returns:
        uint8 [height, width, 3]; black outside the image. Shrinking by more than 2 averages first, so that a large
        person in a large frame is not aliased.
    """
    import cv2

    height, width = (size, size) if isinstance(size, int) else size
    zoom = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if zoom < 0.5:
        # Shrink the part that is needed by a whole factor with area averaging, then warp that.
        step = int(1 / zoom)
        corners = apply(invert(matrix), np.array([[0, 0], [width, 0], [0, height], [width, height]], float) - 0.5)
        x0, y0 = (max(int(v) - step, 0) for v in np.floor(corners.min(0)))
        x1, y1 = np.ceil(corners.max(0)).astype(int) + step
        part = image[y0 : max(y1, y0), x0 : max(x1, x0)]
        part = part[: part.shape[0] // step * step, : part.shape[1] // step * step]
        if part.size:
            small = cv2.resize(part, (part.shape[1] // step, part.shape[0] // step), interpolation=cv2.INTER_AREA)
            # Pixel u of the small image has its centre at x0 + step * u + (step - 1) / 2 of the image.
            to_image = np.array([[step, 0, x0 + (step - 1) / 2], [0, step, y0 + (step - 1) / 2]], float)
            image, matrix = small, compose(matrix, to_image)
    return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR)


def compose(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """The affine map that applies `inner`, then `outer`."""
    return np.column_stack([outer[:, :2] @ inner[:, :2], outer[:, :2] @ inner[:, 2] + outer[:, 2]])


def crop_to_heatmap(points: np.ndarray, stride: float) -> np.ndarray:
    """Crop pixels to heatmap cells: cell 0 covers crop pixels 0 to stride - 1, so its centre is (stride - 1) / 2."""
    return (points + 0.5) / stride - 0.5


def heatmap_to_crop(points: np.ndarray, stride: float) -> np.ndarray:
    """Heatmap cells to crop pixels, the inverse of `crop_to_heatmap`."""
    return (points + 0.5) * stride - 0.5
