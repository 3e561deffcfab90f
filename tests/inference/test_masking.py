"""A crop with one person masked out."""

from __future__ import annotations

import numpy as np

from tests.painted import stepping
from ttpose.core.geometry import Box
from ttpose.core.skeleton import COCO17
from ttpose.inference.crops import cut_crop
from ttpose.inference.masking import without_person


def _pose(x: float) -> np.ndarray:
    pose = stepping(100, 0.0) + np.array([x, 40, 0])
    pose[:, 2] = 0.8
    return pose


def test_a_body_takes_the_colours_around_it_and_the_rest_stays():
    image = np.full((200, 300, 3), (30, 120, 60), np.uint8)
    pose, other = _pose(60), _pose(160)
    for points, color in ((pose, (220, 30, 30)), (other, (30, 30, 220))):
        for x, y in points[:, :2].astype(int):
            image[y - 3 : y + 4, x - 3 : x + 4] = color
    crop = cut_crop(image, Box(40, 30, 200, 140), 256)
    masked = without_person(crop, pose, COCO17)

    def share(picture: np.ndarray, channel: int) -> float:
        return float((picture[..., channel] > 150).mean())

    assert share(crop.image, 0) > 0.005 and share(masked.image, 0) == 0
    assert share(masked.image, 2) == share(crop.image, 2) > 0.005
    assert masked.box == crop.box and masked.index == crop.index


def test_a_pose_that_nobody_is_sure_of_masks_nothing():
    crop = cut_crop(np.full((200, 300, 3), 90, np.uint8), Box(40, 30, 200, 140), 128)
    pose = _pose(60)
    pose[:, 2] = 0.1
    assert without_person(crop, pose, COCO17) is crop
