"""A crop without somebody else: the other person's body is filled with the colours around it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ttpose.core import geometry
from ttpose.core.geometry import Box
from ttpose.core.skeleton import Skeleton
from ttpose.inference.crops import PersonCrop

_SURE = 0.2  # score of a keypoint that counts
# Thickness of limbs and radius of the head in shares of the pose's longer side, with clothes; chosen by eye.
_LIMB, _HEAD = 0.13, 0.09
_TRUNK = ("left_shoulder", "right_shoulder", "right_hip", "left_hip")


def without_person(crop: PersonCrop, pose: np.ndarray, skeleton: Skeleton) -> PersonCrop:
    """Mask somebody out of a crop.

    Args:
        crop: Of another person.
        pose: [K, 3] of the person to be masked, in the original image's pixels.
        skeleton: Names the keypoints and the limbs.
    """
    import cv2

    sure = pose[:, 2] >= _SURE
    if not sure.any():
        return crop
    points = geometry.apply(geometry.invert(crop.to_source), pose[:, :2])
    side = Box.around(points[sure]).side
    places = np.round(np.clip(points, -4096, 4096)).astype(int).tolist()
    mask = np.zeros(crop.image.shape[:2], np.uint8)
    for a, b in skeleton.limbs:
        if sure[a] and sure[b]:
            cv2.line(mask, places[a], places[b], 1, max(round(_LIMB * side), 1))
    trunk = [skeleton.index(name) for name in _TRUNK if name in skeleton.keypoints]
    if len(trunk) == len(_TRUNK) and sure[trunk].all():
        cv2.fillConvexPoly(mask, cv2.convexHull(np.array([places[k] for k in trunk])), 1)
    for name in ("nose", "left_ear", "right_ear"):
        if name in skeleton.keypoints and sure[skeleton.index(name)]:
            cv2.circle(mask, places[skeleton.index(name)], max(round(_HEAD * side), 1), 1, -1)
    return replace(crop, image=_filled(crop.image, mask, side))


def _filled(image: np.ndarray, mask: np.ndarray, side: float) -> np.ndarray:
    """The image [H, W, 3] with what is masked [H, W] replaced by the mean of the rest around it."""
    import cv2

    rest = (1 - mask).astype(np.float32)
    reach = (2 * max(round(0.3 * side), 2) + 1,) * 2
    share = cv2.blur(rest, reach)
    around = cv2.blur(image.astype(np.float32) * rest[..., None], reach) / np.maximum(share, 1e-3)[..., None]
    return np.where(mask[..., None] > 0, np.clip(around, 0, 255), image).astype(np.uint8)
