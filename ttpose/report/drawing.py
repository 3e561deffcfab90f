"""Drawing a person's keypoints onto a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ttpose.core.geometry import Box
from ttpose.core.skeleton import Skeleton

# Okabe & Ito's colour-blind-safe palette, RGB: the person's left orange, right blue, head and trunk white-ish.
LEFT, RIGHT, MIDDLE = (230, 159, 0), (86, 180, 233), (240, 240, 240)
_OUTLINE = (20, 20, 20)
Colour = tuple[int, int, int]
# Of several people, by number: the same palette in an order in which neighbours differ most.
_PEOPLE: tuple[Colour, ...] = (
    (86, 180, 233), (213, 94, 0), (240, 228, 66), (0, 158, 115), (204, 121, 167), (230, 159, 0)
)  # fmt: skip
_LIGHTER = 0.5  # share of white in the colour of a person's left side, where colours tell people apart
_OF_ARMS_AND_LEGS = frozenset({"elbow", "wrist", "knee", "ankle", "toe", "heel"})
#: Keypoints that score less are not drawn.
MIN_SCORE = 0.2
# Limb width in shares of the person's longer side (judged by eye from 100-pixel to 1000-pixel people).
_WIDTH = 0.012
# OpenCV draws at sub-pixel positions given with this many fractional bits.
_BITS = 4


@dataclass(frozen=True)
class Colours:
    """Of one person's left and right side, and of head and trunk, RGB."""

    left: Colour = LEFT
    right: Colour = RIGHT
    middle: Colour = MIDDLE

    @classmethod
    def of_number(cls, number: int) -> Colours:
        """Those of one of several people, from 1: one colour, lighter on the person's left."""
        own = _PEOPLE[(number - 1) % len(_PEOPLE)]
        red, green, blue = (round(value + _LIGHTER * (255 - value)) for value in own)
        return cls((red, green, blue), own, own)


def draw_skeleton(
    image: np.ndarray,
    keypoints: np.ndarray,
    skeleton: Skeleton,
    min_score: float = MIN_SCORE,
    colours: Colours | None = None,
) -> np.ndarray:
    """Draw one person.

    Args:
        image: RGB uint8 [H, W, 3]; not changed.
        keypoints: [K, 3] x, y in pixels and score 0..1; NaN coordinates are passed over.
        skeleton: Names the keypoints and the limbs.
        min_score: Keypoints below it are not drawn; above it, opacity follows the score.
        colours: None takes those of a person alone.

    Returns:
        A new image: limbs and joints with a dark outline, left and right in different colours, thickness in
        proportion to the person.
    """
    colours = colours or Colours()
    out = np.ascontiguousarray(image).copy()
    points = np.asarray(keypoints, dtype=np.float64)
    seen = np.isfinite(points).all(axis=1) & (points[:, 2] >= min_score)
    # Far outside the picture there is nothing to see, and OpenCV's fixed-point numbers would overflow.
    reach = 4 * max(out.shape[:2])
    seen &= (np.abs(np.nan_to_num(points[:, :2])) < reach).all(axis=1)
    if not seen.any():
        return out
    width = max(Box.around(points[seen, :2]).side * _WIDTH, 1.5)
    opacity = 0.35 + 0.65 * np.clip((points[:, 2] - min_score) / max(1 - min_score, 1e-6), 0.0, 1.0)
    limbs = [(a, b) for a, b in skeleton.limbs if seen[a] and seen[b]]
    # All outlines first, so that none cuts through another limb.
    for outlined in (True, False):
        grow, paint = (width * 0.7, _OUTLINE) if outlined else (0.0, None)
        for a, b in limbs:
            colour = paint or _colour(colours, skeleton.keypoints[a], skeleton.keypoints[b])
            _stroke(out, points[a, :2], points[b, :2], width + grow, colour, min(opacity[a], opacity[b]))
        for k in np.flatnonzero(seen):
            colour = paint or _colour(colours, skeleton.keypoints[k])
            _stroke(out, points[k, :2], points[k, :2], width * 1.7 + grow, colour, opacity[k])
    return out


def draw_number(image: np.ndarray, box: Box, number: int) -> None:
    """Write a person's number at the upper left of the box, in place, in the person's colour on a dark plate."""
    import cv2

    font, text, height = cv2.FONT_HERSHEY_SIMPLEX, str(number), image.shape[0]
    scale = max(height / 900, 0.4)
    thickness = max(round(2 * scale), 1)
    (wide, high), below = cv2.getTextSize(text, font, scale, thickness)
    pad = max(high // 3, 2)
    x = round(min(max(box.x, pad), image.shape[1] - wide - 2 * pad))
    y = round(min(max(box.y, high + 2 * pad), height - below - pad))
    cv2.rectangle(image, (x - pad, y - high - pad), (x + wide + pad, y + pad), _OUTLINE, -1)
    own = Colours.of_number(number).right
    cv2.putText(image, text, (x, y), font, scale, own, thickness, cv2.LINE_AA)


def _colour(colours: Colours, *names: str) -> Colour:
    """The colour of a keypoint, or of a limb between two: arms and legs by side, head and trunk neutral."""
    parts = {name.split("_")[-1] for name in names}
    if len(names) == 2 and not parts & _OF_ARMS_AND_LEGS:
        return colours.middle
    if all(name.startswith("left_") for name in names):
        return colours.left
    return colours.right if all(name.startswith("right_") for name in names) else colours.middle


def _stroke(
    image: np.ndarray, start: np.ndarray, end: np.ndarray, width: float, colour: tuple[int, int, int], opacity: float
) -> None:
    """Blend a line with round ends, or a dot, into `image` in place."""
    import cv2

    margin = width / 2 + 2
    (x0, y0), (x1, y1) = np.minimum(start, end) - margin, np.maximum(start, end) + margin
    left, top = max(int(x0), 0), max(int(y0), 0)
    right, bottom = min(int(np.ceil(x1)) + 1, image.shape[1]), min(int(np.ceil(y1)) + 1, image.shape[0])
    if left >= right or top >= bottom:
        return
    part = image[top:bottom, left:right]
    mask = np.zeros(part.shape[:2], np.uint8)
    scale = 1 << _BITS
    # A polygon, because OpenCV's lines are whole pixels thick.
    along = end - start
    length = float(np.hypot(*along))
    if length > 0:
        across = np.array([-along[1], along[0]]) / length * width / 2
        corners = np.array([start + across, end + across, end - across, start - across]) - (left, top)
        cv2.fillConvexPoly(mask, np.round(corners * scale).astype(np.int32), 255, cv2.LINE_AA, _BITS)
    for x, y in {tuple(start), tuple(end)}:
        center = (round((x - left) * scale), round((y - top) * scale))
        cv2.circle(mask, center, round(width / 2 * scale), 255, -1, cv2.LINE_AA, _BITS)
    weight = (mask * (opacity / 255)).astype(np.float32)[..., None]
    part[:] = np.round(part + (np.array(colour, np.float32) - part) * weight).astype(np.uint8)
