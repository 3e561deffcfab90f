from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from ttpose.core.geometry import Box
from ttpose.core.skeleton import COCO17, LSP14
from ttpose.tracking.box_correction import needs_redetection, refine_box

DATA = os.environ.get("TTPOSE_DEV_DATA")

#: A standing person 170 px tall with the crown at y = 0, in COCO order.
STANDING = np.array(
    [
        (50, 14), (53, 11), (47, 11), (56, 12), (44, 12), (66, 31), (34, 31), (70, 62), (30, 62), (70, 88), (30, 88),
        (59, 90), (41, 90), (59, 128), (41, 128), (59, 163), (41, 163),
    ],
    float,
)  # fmt: skip


def person(score=0.9, offset=(0.0, 0.0)):
    return np.column_stack([STANDING + offset, np.full(17, score)])


def inside(box, x, y):
    return box.x < x < box.x + box.width and box.y < y < box.y + box.height


def test_box_takes_in_crown_feet_and_a_raised_arm():
    keypoints = person()
    keypoints[COCO17.index("left_wrist"), :2] = 75, -40
    box = refine_box(Box(25, 5, 50, 160), keypoints)
    for x, y in ((50, 0), (59, 170), (75, -45)):
        assert inside(box, x, y)


def test_head_down_the_crown_is_below():
    keypoints = person()
    keypoints[:, 1] = 170 - keypoints[:, 1]
    box = refine_box(Box(25, 5, 50, 160), keypoints)
    assert inside(box, 50, 172) and inside(box, 50, -5)


def test_a_complete_pose_tightens_a_box_run_over():
    box = refine_box(Box(-150, -100, 400, 400), person())
    assert box.width < 110 and box.height < 230


def test_missing_legs_do_not_cut_the_box():
    keypoints = person()
    keypoints[11:, 2] = 0.05
    box = refine_box(Box(20, -10, 60, 190), keypoints)
    assert box.y + box.height > 150


def test_poor_pose_changes_nothing():
    assert refine_box(Box(20, -10, 60, 190), person(score=0.1)) == Box(20, -10, 60, 190)


def test_a_stray_keypoint_moves_a_side_by_half_the_box_at_most():
    keypoints = person()
    keypoints[9, :2] = 5000, 60
    box = refine_box(Box(20, -10, 60, 190), keypoints)
    assert box.x + box.width <= 80 + 95 + 1e-6


def test_result_does_not_drift_when_repeated():
    box = Box(0, -30, 90, 240)
    for _ in range(20):
        box = refine_box(box, person())
    assert box.iou(refine_box(box, person())) > 0.999
    assert 180 < box.height < 240


@pytest.mark.parametrize(
    "keypoints, expected",
    [
        (person(), False),
        (person(score=0.1), True),
        (person(offset=(90, 0)), True),  # hangs out of the crop
        (np.column_stack([STANDING * 0.1 + [45, 75], np.full(17, 0.9)]), True),  # collapsed to a spot
    ],
)
def test_when_to_look_again(keypoints, expected):
    assert needs_redetection(Box(20, -10, 60, 190), keypoints) is expected


@pytest.mark.skipif(DATA is None, reason="needs labelled clips in TTPOSE_DEV_DATA")
def test_labelled_joints_give_the_labelled_boxes():
    for clip in sorted((Path(str(DATA)) / "real_dev").iterdir()):
        for frame in json.loads((clip / "labels.json").read_text())["frames"]:
            joints = np.array(frame["keypoints"], float)
            joints[:, 2] = joints[:, 2] > 0
            label = Box(*frame["bbox"])
            assert refine_box(label.scaled(0.8), joints, skeleton=LSP14).iou(label) > 0.95
