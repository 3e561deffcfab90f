"""Boxes, square crops as affine maps, flips, and the way between image, crop and heatmap coordinates.

One convention everywhere: x to the right, y down, pixel centres at integers. An image of width W therefore spans
x from -0.5 to W - 0.5. An affine map is a float64 array [2, 3] that takes column vectors (x, y, 1) to (x', y').
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


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


def crop_matrix(
    box: Box,
    size: int,
    *,
    pad: float = 1.1,
    rotation: float = 0.0,
    scale: float = 1.0,
    shift: tuple[float, float] = (0.0, 0.0),
    flip: bool = False,
) -> np.ndarray:
    """Affine map from image pixels to the pixels of a square crop.

    The crop is a square of side `pad * scale * max(box side, 1)` about the box centre, turned by `rotation` degrees
    (counter-clockwise as seen), moved by `shift` (in shares of its side) and mirrored left-right when `flip`.

    Args:
        box: Person box in image pixels.
        size: Crop width and height in pixels.
        pad: Side of the square over the longer side of the box.
        rotation: Degrees.
        scale: More than 1 shows more surroundings.
        shift: How far the crop's centre moves, (x, y), in shares of the square's side.
        flip: Mirror the crop.

    Returns:
        float64 [2, 3], image to crop.
    """
    side = max(box.side, 1.0) * pad * scale
    cx, cy = box.center
    cx, cy = cx + shift[0] * side, cy + shift[1] * side
    zoom, angle = size / side, np.deg2rad(rotation)
    cos, sin = zoom * np.cos(angle), zoom * np.sin(angle)
    linear = np.array([[cos, sin], [-sin, cos]])
    if flip:
        linear[0] = -linear[0]
    middle = (size - 1) / 2
    return np.column_stack([linear, np.array([middle, middle]) - linear @ np.array([cx, cy])])


def invert(matrix: np.ndarray) -> np.ndarray:
    """The inverse of an affine map [2, 3]."""
    inverse = np.linalg.inv(matrix[:, :2])
    return np.column_stack([inverse, -inverse @ matrix[:, 2]])


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map points [..., 2] by an affine map [2, 3]."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def warp(image: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """Cut a square crop out of an image.

    Args:
        image: uint8 [H, W, 3].
        matrix: Affine map from image to crop pixels, from `crop_matrix`.
        size: Crop side in pixels.

    Returns:
        uint8 [size, size, 3]; black outside the image. Shrinking by more than 2 averages first, so that a large
        person in a large frame is not aliased.
    """
    import cv2

    zoom = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if zoom < 0.5:
        # Shrink the part that is needed by a whole factor with area averaging, then warp that.
        step = int(1 / zoom)
        corners = apply(invert(matrix), np.array([[0, 0], [size, 0], [0, size], [size, size]], float) - 0.5)
        x0, y0 = (max(int(v) - step, 0) for v in np.floor(corners.min(0)))
        x1, y1 = np.ceil(corners.max(0)).astype(int) + step
        part = image[y0 : max(y1, y0), x0 : max(x1, x0)]
        part = part[: part.shape[0] // step * step, : part.shape[1] // step * step]
        if part.size:
            small = cv2.resize(part, (part.shape[1] // step, part.shape[0] // step), interpolation=cv2.INTER_AREA)
            # Pixel u of the small image has its centre at x0 + step * u + (step - 1) / 2 of the image.
            to_image = np.array([[step, 0, x0 + (step - 1) / 2], [0, step, y0 + (step - 1) / 2]], float)
            image, matrix = small, compose(matrix, to_image)
    return cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR)


def compose(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """The affine map that applies `inner`, then `outer`."""
    return np.column_stack([outer[:, :2] @ inner[:, :2], outer[:, :2] @ inner[:, 2] + outer[:, 2]])


def crop_to_heatmap(points: np.ndarray, stride: float) -> np.ndarray:
    """Crop pixels to heatmap cells: cell 0 covers crop pixels 0 to stride - 1, so its centre is (stride - 1) / 2."""
    return (points + 0.5) / stride - 0.5


def heatmap_to_crop(points: np.ndarray, stride: float) -> np.ndarray:
    """Heatmap cells to crop pixels, the inverse of `crop_to_heatmap`."""
    return (points + 0.5) * stride - 0.5
