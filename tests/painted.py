"""Painted people: a figure of coloured limbs on a patterned wall, with its COCO keypoints."""

from __future__ import annotations

import colorsys

import cv2
import numpy as np

from ttpose.core.geometry import Box
from ttpose.core.skeleton import COCO17
from ttpose.tracking.box_correction import refine_box

# A standing figure that faces the camera, in shares of a square about it; its left is on the right of the picture.
# The face is wider than anyone's, so that small heatmaps tell its points apart.
_STANDING = {
    "nose": (0.500, 0.185), "left_eye": (0.540, 0.130), "right_eye": (0.460, 0.130), "left_ear": (0.585, 0.160),
    "right_ear": (0.415, 0.160), "left_shoulder": (0.590, 0.260), "right_shoulder": (0.410, 0.260),
    "left_elbow": (0.660, 0.390), "right_elbow": (0.340, 0.390), "left_wrist": (0.690, 0.520),
    "right_wrist": (0.310, 0.520), "left_hip": (0.555, 0.530), "right_hip": (0.445, 0.530),
    "left_knee": (0.570, 0.710), "right_knee": (0.430, 0.710), "left_ankle": (0.580, 0.890),
    "right_ankle": (0.420, 0.890),
}  # fmt: skip
_BODY_LIMBS = [limb for limb in COCO17.limbs if min(limb) >= 5]


def standing(size: float) -> np.ndarray:
    """Keypoints [17, 3] of the standing figure in a picture of `size` px, all sure."""
    points = np.array([_STANDING[name] for name in COCO17.keypoints]) * size - 0.5
    return np.column_stack([points, np.ones(len(points))])


def bent(keypoints: np.ndarray, **shifts: tuple[float, float]) -> np.ndarray:
    """The figure with some keypoints moved, by name, in pixels."""
    out = keypoints.copy()
    for name, shift in shifts.items():
        out[COCO17.index(name), :2] += shift
    return out


def stepping(size: float, phase: float) -> np.ndarray:
    """The figure in a stride: arms and legs swing with `phase` (radians)."""
    swing = 0.06 * size * np.sin(phase)
    return bent(
        standing(size),
        left_wrist=(swing, -abs(swing)),
        right_wrist=(swing, -abs(swing)),
        left_ankle=(-swing / 2, -abs(swing) / 2),
        right_ankle=(swing / 2, 0),
        left_knee=(-swing / 4, 0),
        right_knee=(swing / 4, 0),
    )


def limb_color(position: int) -> tuple[int, int, int]:
    """The colour of limb number `position` of the body, RGB."""
    red, green, blue = colorsys.hsv_to_rgb(position / len(_BODY_LIMBS), 0.9, 0.9)
    return round(255 * red), round(255 * green), round(255 * blue)


def paint(keypoints: np.ndarray, size: int, *, background: int = 0) -> np.ndarray:
    """The figure, RGB uint8 [size, size, 3]; `background` chooses one of many patterned walls."""
    wall = np.random.default_rng(background).integers(90, 140, (8, 8, 3)).astype(np.uint8)
    image = cv2.resize(wall, (size, size), interpolation=cv2.INTER_CUBIC)
    points = [(round(16 * (x + 0.5)) - 8, round(16 * (y + 0.5)) - 8) for x, y in keypoints[:, :2]]
    thick = max(round(size * 0.045), 1)
    trunk = [COCO17.index(f"{side}_{part}") for side, part in
             (("left", "shoulder"), ("right", "shoulder"), ("right", "hip"), ("left", "hip"))]  # fmt: skip
    cv2.fillPoly(image, [np.array([points[i] for i in trunk])], (60, 60, 160), cv2.LINE_AA, shift=4)
    for position, (a, b) in enumerate(_BODY_LIMBS):
        cv2.line(image, points[a], points[b], limb_color(position), thick, cv2.LINE_AA, shift=4)
    ears = (keypoints[3, :2] + keypoints[4, :2]) / 2
    center = (round(16 * (ears[0] + 0.5)) - 8, round(16 * (ears[1] + 0.5)) - 8)
    cv2.circle(image, center, round(16 * size * 0.055), (225, 180, 150), -1, cv2.LINE_AA, shift=4)
    return image


def box_of(keypoints: np.ndarray) -> Box:
    """A box a little larger than the figure."""
    return Box.around(keypoints[:, :2]).scaled(1.15)


def corrected_box(keypoints: np.ndarray) -> Box:
    """The box that box correction by the true pose comes to, so that it has nothing to correct any more."""
    box = box_of(keypoints)
    for _ in range(10):
        box = refine_box(box, keypoints)
    return box


def _group(name: str) -> str:
    return name.removeprefix("left_").removeprefix("right_")


#: Keypoints that share a colour: a pair's two sides look alike.
GROUPS = tuple(dict.fromkeys(_group(name) for name in COCO17.keypoints))


def group_of(name: str) -> int:
    """The number of the group that a keypoint belongs to."""
    return GROUPS.index(_group(name))


def dot_color(group: int) -> tuple[int, int, int]:
    """The colour of a group's dots, RGB; far from black and from each other."""
    red, green, blue = colorsys.hsv_to_rgb(group / len(GROUPS), 1.0, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def paint_dots(keypoints: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The keypoints alone, as dots on black, RGB uint8 [*shape, 3]."""
    image = np.zeros((*shape, 3), np.uint8)
    span = np.ptp(keypoints[:, :2], axis=0).max()
    for name, (x, y) in zip(COCO17.keypoints, keypoints[:, :2].tolist(), strict=True):
        where = round(16 * x), round(16 * y)
        cv2.circle(image, where, round(16 * 0.025 * span), dot_color(group_of(name)), -1, cv2.LINE_AA, shift=4)
    return image
