from __future__ import annotations

import numpy as np
import pytest

from ttpose.core.skeleton import BBC7, COCO17
from ttpose.results.limb_angles import joint_angles, limb_angle_names


def standing() -> np.ndarray:
    """A person who stands straight with hanging arms, 1 pixel a keypoint row."""
    heights = {"nose": 0, "eye": 0, "ear": 0, "shoulder": 10, "elbow": 20, "wrist": 30, "hip": 30, "knee": 50}
    heights["ankle"] = 70
    points = np.ones((17, 3))
    for k, name in enumerate(COCO17.keypoints):
        points[k, :2] = (-5 if name.startswith("left") else 5, heights[name.split("_")[-1]])
    return points


def put(points: np.ndarray, name: str, x: float, y: float) -> None:
    points[COCO17.index(name), :2] = x, y


def test_straight_limbs_and_hanging_arms() -> None:
    angles = joint_angles(standing(), COCO17)
    assert list(angles) == [
        "left_knee", "right_knee", "left_hip", "right_hip", "left_elbow", "right_elbow",
        "left_shoulder", "right_shoulder",
    ]  # fmt: skip
    for name, angle in angles.items():
        assert angle == pytest.approx(0 if "shoulder" in name else 180), name


@pytest.mark.parametrize("direction", [1, -1])
def test_bent_joints_whatever_the_direction(direction: int) -> None:
    points = standing()
    put(points, "left_ankle", -5 + direction * 20, 50)  # shank level with the knee
    put(points, "right_elbow", 5 + direction * 10, 0)  # arm 45° over the shoulder's height
    angles = joint_angles(points, COCO17)
    assert angles["left_knee"] == pytest.approx(90)
    assert angles["left_hip"] == pytest.approx(180)
    assert angles["right_shoulder"] == pytest.approx(135)


def test_unsure_missing_or_lengthless_is_nan_and_the_rest_is_not() -> None:
    clip = np.stack([standing()] * 4)
    clip[1, COCO17.index("left_ankle"), 2] = 0.1
    clip[2, COCO17.index("left_hip"), :2] = np.nan
    clip[3, COCO17.index("left_ankle")] = clip[3, COCO17.index("left_knee")]
    angles = joint_angles(clip, COCO17)
    assert np.isnan(angles["left_knee"]).tolist() == [False, True, True, True]
    assert np.isnan(angles["left_hip"]).tolist() == [False, False, True, False]
    assert np.isfinite(angles["right_knee"]).all()
    assert np.isfinite(joint_angles(clip, COCO17, min_score=0.05)["left_knee"][1])


def test_turning_and_scaling_the_picture_changes_nothing() -> None:
    random = np.random.default_rng(0)
    points = np.column_stack([random.uniform(0, 100, (17, 2)), np.ones(17)])
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    turned = points.copy()
    turned[:, :2] = 3 * points[:, :2] @ turn.T + 40
    before, after = joint_angles(points, COCO17), joint_angles(turned, COCO17)
    for name in before:
        assert before[name] == pytest.approx(after[name])


def test_a_set_without_legs_has_only_arm_angles() -> None:
    assert limb_angle_names(BBC7) == ("left_elbow", "right_elbow")
