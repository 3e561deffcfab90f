from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.results.posed import WITH_FEET, Posture, clip, drawn
from ttpose.core.skeleton import BBC7, COCO17
from ttpose.results.angles import BodyAngles, angle_names, body_angles
from ttpose.results.facing import DIRECTIONS

SQUAT = Posture(
    trunk=35, hip=(95, 100), knee=(110, 104), ankle=(20, 22), shoulder=(80, 70), elbow=(15, 25)
)  # fmt: skip
STRIDE = Posture(trunk=4, hip=(30, -18), knee=(12, 45), ankle=(5, -12), shoulder=(-25, 30), elbow=(20, 35))


def measured(postures: list[Posture], rate: float = 30.0) -> BodyAngles:
    return body_angles(clip(postures), WITH_FEET, np.arange(len(postures)) / rate)


def steps(values: np.ndarray) -> float:
    return float(np.abs(np.diff(values[np.isfinite(values)])).max())


@pytest.mark.parametrize("posture", [Posture(), SQUAT, STRIDE])
@pytest.mark.parametrize("facing", [1, -1])
def test_every_angle_of_a_known_posture(posture: Posture, facing: int) -> None:
    found = measured([replace(posture, facing=facing)] * 10)
    assert set(found.names) == {*posture.expected, "pelvis"}
    for name, degrees in posture.expected.items():
        assert found.column(name) == pytest.approx(degrees, abs=1e-6), name
    assert set(found.facing.direction) == {DIRECTIONS.index("right" if facing == 1 else "left")}
    assert found.scores[:, found.names.index("left_knee")] == pytest.approx(0.9)


def test_neutral_stance_is_zero() -> None:
    found = measured([Posture()] * 3)
    known = np.isfinite(found.degrees)
    assert np.abs(found.degrees[known]).max() < 1e-6
    assert known.sum(1).tolist() == [len(found.names) - 1] * 3  # the pelvis cannot be seen from the side


@pytest.mark.parametrize("turned", [90, 180, -120])
@pytest.mark.parametrize("facing", [1, -1])
def test_joints_are_the_same_lying_down_and_upside_down(turned: float, facing: int) -> None:
    found = measured([replace(SQUAT, facing=facing, turned=turned)] * 5)
    for joint in ("ankle", "knee", "hip", "shoulder", "elbow"):
        assert found.column(f"right_{joint}") == pytest.approx(getattr(SQUAT, joint)[1], abs=1e-6), joint
    off = found.column("trunk") - (SQUAT.trunk - facing * turned)
    assert off - 360 * np.round(off / 360) == pytest.approx(0, abs=1e-6)


def test_turning_round_in_a_squat_jumps_nowhere() -> None:
    """Half a turn in 1.5 s; away from the front every angle that can be seen is right."""
    views = np.concatenate([np.ones(15), np.cos(np.linspace(0, np.pi, 45)), -np.ones(15)])
    found = measured([replace(SQUAT, facing=float(view)) for view in views])
    order = found.facing.direction[np.append(True, np.diff(found.facing.direction) != 0)]
    assert [DIRECTIONS[direction] for direction in order] in (["right", "left"], ["right", "front", "left"])
    for name in ("left_knee", "right_knee", "left_hip", "left_elbow", "right_ankle", "left_shoulder", "trunk"):
        values = found.column(name)
        assert values[[0, -1]] == pytest.approx(SQUAT.expected[name], abs=1e-6), name
        assert np.isfinite(values).all() and np.abs(values).max() <= 180, name
        assert steps(values) < 45, name


def test_a_trunk_that_leans_while_its_owner_turns_round_passes_through_upright() -> None:
    """What was forward is backward then: the change of sign takes as long as turning round does."""
    leaning = [replace(STRIDE, trunk=20, facing=1)] * 30 + [replace(STRIDE, trunk=-20, facing=-1)] * 30
    trunk = measured(leaning).column("trunk")
    assert trunk[[0, 59]] == pytest.approx([20, -20], abs=1e-6)
    assert steps(trunk) < 6


@pytest.mark.parametrize("side", [1, -1])
def test_seen_from_front_or_behind_outwards_is_positive_on_both_sides(side: int) -> None:
    """A jumping jack: in profile these would be one arm and leg in front and one behind."""
    jack = Posture(hip=(30, -25), shoulder=(140, -150))
    points = clip([jack] * 20)
    for name in WITH_FEET.keypoints:
        out = 25 * (name.startswith("left") - name.startswith("right"))
        points[:, WITH_FEET.index(name), 0] += out
        if name.endswith(("nose", "heel", "toe", "eye", "ear")):
            points[:, WITH_FEET.index(name), 0] = 500 + out
    points[:, :, 0] = 500 + side * (points[:, :, 0] - 500)
    found = body_angles(points, WITH_FEET, np.arange(20) / 30)
    assert {DIRECTIONS[direction] for direction in found.facing.direction} == {"front" if side == 1 else "back"}
    angles = {name: found.column(f"{name}")[5] for name in ("left_hip", "right_hip", "left_shoulder", "right_shoulder")}
    assert list(angles.values()) == pytest.approx([30, 25, 140, 150], abs=1e-6)


def test_a_wrong_face_for_a_few_frames_changes_no_sign() -> None:
    points = clip([STRIDE] * 60)
    nose, ear = WITH_FEET.index("nose"), WITH_FEET.index("left_ear")
    points[20:25, nose, 0] = 2 * points[20:25, ear, 0] - points[20:25, nose, 0]
    found = body_angles(points, WITH_FEET, np.arange(60) / 30)
    assert set(found.facing.direction) == {0}
    assert found.column("right_hip") == pytest.approx(-18, abs=1e-6)


def test_a_somersault_counts_on_and_survives_stray_keypoints() -> None:
    """One turn in 0.7 s; two frames in which the trunk is upside down do not add another."""
    turns = np.concatenate([np.zeros(20), np.linspace(0, -360, 21), np.full(20, -360.0)])
    points = clip([replace(SQUAT, trunk=10, turned=float(turn)) for turn in turns])
    hips = [WITH_FEET.index(f"{side}_hip") for side in ("left", "right")]
    shoulders = [WITH_FEET.index(f"{side}_shoulder") for side in ("left", "right")]
    points[50:52, hips], points[50:52, shoulders] = points[50:52, shoulders], points[50:52, hips].copy()
    found = body_angles(points, WITH_FEET, np.arange(len(points)) / 30)
    trunk = found.column("trunk")
    assert trunk[:20] == pytest.approx(10, abs=1e-6)
    assert trunk[52:] == pytest.approx(370, abs=1e-6)
    assert steps(trunk[:50]) < 20
    assert np.abs(np.diff(found.column("left_hip")[:50])).max() < 1e-3


def test_an_arm_that_circles_counts_on_as_well() -> None:
    circle = np.linspace(0, 720, 73)
    found = measured([Posture(shoulder=(float(angle), 0)) for angle in circle])
    assert found.column("left_shoulder") == pytest.approx(circle, abs=1e-6)


def test_overhead_stays_beside_itself() -> None:
    """Around 180° nothing flips to -180°."""
    sway = 180 + 8 * np.sin(np.arange(60) / 3)
    found = measured([Posture(shoulder=(float(angle), float(angle))) for angle in sway])
    assert found.column("right_shoulder") == pytest.approx(sway, abs=1e-6)


def test_a_knee_bent_backwards_is_negative_and_one_that_only_looks_so_is_not() -> None:
    assert measured([Posture(knee=(-9, 0))] * 20).column("left_knee") == pytest.approx(-9, abs=1e-6)
    outwards = [Posture(hip=(40, -40), knee=(60, -60), facing=0.999)] * 20  # seen from the front, as in a plié
    points = clip(outwards)
    for name in ("nose", "left_big_toe", "right_big_toe"):
        points[:, WITH_FEET.index(name), 0] = points[:, WITH_FEET.index("left_ear"), 0]
    found = body_angles(points[:, :17], COCO17, np.arange(20) / 30)
    assert found.column("left_knee") == pytest.approx(60, abs=1)
    assert found.column("right_knee") == pytest.approx(60, abs=1)


def test_the_pelvis_seen_from_the_front_and_from_behind() -> None:
    for side in (1, -1):
        points = np.stack([drawn(Posture(facing=0))] * 3)
        points[:, :, 0] = 500 + side * (points[:, :, 0] - 500)
        points[:, WITH_FEET.index("left_hip"), 1] -= 10
        found = body_angles(points, WITH_FEET, np.arange(3) / 30)
        assert found.column("pelvis") == pytest.approx(np.degrees(np.arctan2(10, 50)))


def test_unsure_keypoints_leave_their_angles_empty_and_no_others() -> None:
    points = clip([STRIDE] * 4)
    points[1, WITH_FEET.index("left_ankle"), 2] = 0.1
    points[2, WITH_FEET.index("left_hip"), :2] = np.nan
    points[3, WITH_FEET.index("left_ankle")] = points[3, WITH_FEET.index("left_knee")]
    found = body_angles(points, WITH_FEET, np.arange(4) / 30)
    gaps = {name: np.isnan(found.column(name)).tolist() for name in found.names}
    assert gaps["left_knee"] == [False, True, True, True]
    assert gaps["left_hip"] == [False, False, True, False]
    assert gaps["left_ankle"] == [False, True, False, True]
    assert gaps["trunk"] == gaps["right_knee"] == [False] * 4  # the trunk is that of the right side then
    assert np.isnan(found.scores[1, found.names.index("left_knee")])
    assert np.isfinite(body_angles(points, WITH_FEET, np.arange(4) / 30, min_score=0.05).column("left_knee")[1])


def test_a_clip_without_anybody_has_no_angles() -> None:
    found = body_angles(np.full((5, 17, 3), np.nan), COCO17, np.arange(5) / 30)
    assert np.isnan(found.degrees).all()
    assert body_angles(np.zeros((0, 17, 3)), COCO17, np.zeros(0)).degrees.shape == (0, len(found.names))


def test_a_set_has_the_angles_that_its_keypoints_allow() -> None:
    assert angle_names(BBC7) == ("left_elbow", "right_elbow")
    assert angle_names(COCO17) == (
        "left_knee", "right_knee", "left_hip", "right_hip", "left_shoulder", "right_shoulder", "left_elbow",
        "right_elbow", "trunk", "pelvis", "left_thigh", "right_thigh", "left_shank", "right_shank",
    )  # fmt: skip
    assert {"left_ankle", "right_foot"} <= set(angle_names(WITH_FEET))
