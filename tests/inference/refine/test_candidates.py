from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from tests.observed import misled, observation, walking
from ttpose.core.geometry import Box
from ttpose.core.skeleton import BBC7, COCO17, H36M16, LSP14, PENN13
from ttpose.inference.prediction import TTAPrediction
from ttpose.inference.refine.candidates import candidates, limb_joints

# A person who faces the camera, its left on the right of the picture; a torso of 100 pixels.
_FIGURE = {
    "shoulder": (20, 0), "elbow": (30, 50), "wrist": (30, 100), "hip": (10, 100), "knee": (10, 150), "ankle": (10, 200),
}  # fmt: skip
#: The order in which the shipped trees know the features.
FEATURES = (
    "value", "relative value", "kind", "part", "score", "odds", "spread", "mirror's score", "score alone",
    "second peak", "median score",
    "inner length", "inner score", "outer length", "outer score", "up", "outwards", "facing",
    "from keypoint", "from mirror", "from alone", "from mirror alone", "from line", "line's support",
    "3 before", "score 3 before", "2 before", "score 2 before",
    "1 before", "score 1 before", "mirror 1 before", "1 after", "score 1 after", "mirror 1 after",
    "2 after", "score 2 after", "3 after", "score 3 after",
    "in the box", "out of the box",
)  # fmt: skip
#: What the ensemble adds.
OF_SECOND = ("from second", "from second mirror", "second apart", "second visible", "second agrees", "second off")
OF_NEIGHBOURS = FEATURES[FEATURES.index("3 before") : FEATURES.index("in the box")]
FOUND, MIRRORED, LINE, FIRST, SECOND, THIRD, FOURTH, ALONE, ALONE_MIRRORED, OTHER = range(10)
FLIP = np.array(COCO17.flip)
LEFT_WRIST = COCO17.index("left_wrist")


def _figure(frames: int) -> np.ndarray:
    """Keypoints of the person, who is carried to the right by 10 pixels a frame; left scores differ from right ones."""
    clip = np.zeros((frames, 17, 3))
    for number, name in enumerate(COCO17.keypoints):
        side, _, part = name.partition("_")
        x, y = _FIGURE.get(part, (0, -20))
        clip[:, number] = x if side == "left" else -x, y, 0.8 if side == "left" else 0.6
    clip[..., 0] += 10.0 * np.arange(frames)[:, None]
    return clip


@pytest.fixture
def two_peaks():
    """Five frames at 25 a second; in the third the left wrist's map has a second, lower peak."""
    seen = observation(_figure(5))
    seen.peaks[2, LEFT_WRIST, 1] = 50, 60, 0.3
    seen.spread[2, LEFT_WRIST] = 0.02
    seen.single_view_keypoints[2, LEFT_WRIST] = 53, 104, 0.7
    return seen, np.arange(5) / 25


def _at(given, name):
    """Number of a limb joint in the candidates."""
    return given.joints.tolist().index(COCO17.index(name))


def _features(given, frame, name, kind):
    told = given.features[frame, _at(given, name), kind].tolist()
    return dict(zip((*FEATURES, *OF_SECOND)[: len(told)], told, strict=True))


def test_places_by_hand(two_peaks):
    given = candidates(*two_peaks, COCO17)
    assert [COCO17.keypoints[joint] for joint in given.joints] == [
        f"{side}_{part}"
        for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
        for side in ("left", "right")
    ]
    wrist = _at(given, "left_wrist")
    here, mirrored = [50, 100], [-10, 100]
    wanted = [here, mirrored, here, here, [50, 60], here, here, [53, 104], mirrored]
    assert given.positions[2, wrist] == pytest.approx(np.array(wanted), abs=1e-9)
    assert given.scores[2, wrist].tolist() == pytest.approx([0.8, 0, 0, 0.8, 0.3, 0, 0, 0.7, 0.6])
    # (3, 4) pixels are a twentieth of the torso.
    assert np.flatnonzero(given.worth[2, wrist]).tolist() == [FOUND, MIRRORED, SECOND, ALONE_MIRRORED]
    assert given.features.shape == (5, 12, 9, len(FEATURES)) and given.features.dtype == np.float32


def test_features_by_hand(two_peaks):
    given = candidates(*two_peaks, COCO17)
    fade = [math.exp(-gap / 0.06) for gap in (0.04, 0.08)]
    wanted = {
        "value": 0.3, "relative value": 0.3 / 0.85, "kind": SECOND, "part": 2, "score": 0.8, "odds": 2.5,
        "spread": 0.02, "mirror's score": 0.6, "score alone": 0.7, "second peak": 0.3 / 0.85,
        "median score": 0.7,  # six joints at 0.8, six at 0.6
        "inner length": 10 / 50, "inner score": 0.8, "outer length": 10 / 50, "outer score": 0.8,
        # The torso's middle is at (20, 50).
        "up": -0.1, "outwards": 0.3, "facing": 0.4,
        "from keypoint": 0.4, "from mirror": math.hypot(0.6, 0.4), "from alone": math.hypot(0.03, 0.44),
        "from mirror alone": math.hypot(0.6, 0.4), "from line": 0.4, "line's support": 2 * 0.65 * sum(fade),
        "3 before": math.nan, "score 3 before": math.nan,
        "2 before": math.hypot(0.2, 0.4), "score 2 before": 0.8,
        "1 before": math.hypot(0.1, 0.4), "score 1 before": 0.8, "mirror 1 before": math.hypot(0.7, 0.4),
        "1 after": math.hypot(0.1, 0.4), "score 1 after": 0.8, "mirror 1 after": math.hypot(0.5, 0.4),
        "2 after": math.hypot(0.2, 0.4), "score 2 after": 0.8,
        "3 after": math.nan, "score 3 after": math.nan,
        # The box's middle is (20, 90), and it is 60 wide and 220 high.
        "in the box": 0.5, "out of the box": 0,
    }  # fmt: skip
    assert _features(given, 2, "left_wrist", SECOND) == pytest.approx(wanted, abs=1e-5, nan_ok=True)


def test_features_of_a_right_knee_by_hand(two_peaks):
    given = candidates(*two_peaks, COCO17)
    found = _features(given, 1, "right_knee", MIRRORED)
    wanted = {
        "value": 0, "kind": MIRRORED, "part": 4, "score": 0.6, "mirror's score": 0.8,
        "inner length": math.hypot(20, 50) / 50, "inner score": 0.6, "outer length": math.hypot(20, 50) / 50,
        "up": -1.0, "outwards": -0.1, "facing": 0.4, "from keypoint": 0.2, "from mirror": 0, "from line": 0.2,
        "1 before": 0.3, "score 1 before": 0.6, "mirror 1 before": 0.1, "1 after": 0.1, "mirror 1 after": 0.1,
        "2 before": math.nan, "3 after": math.hypot(0.1, 0),
    }  # fmt: skip
    # At the clip's ends the line is flattened a little.
    tolerance = {"from line": 0.03}
    for name, value in wanted.items():
        assert found[name] == pytest.approx(value, abs=tolerance.get(name, 1e-4), nan_ok=True), name


@pytest.mark.parametrize(
    ("name", "inner", "outer"),
    [
        ("left_shoulder", "left_hip", "left_elbow"),
        ("right_elbow", "right_shoulder", "right_wrist"),
        ("right_wrist", "right_elbow", "right_elbow"),
        ("left_hip", "left_shoulder", "left_knee"),
        ("left_knee", "left_hip", "left_ankle"),
        ("left_ankle", "left_knee", "left_knee"),
    ],
)
def test_what_a_joint_hangs_on(name, inner, outer):
    clip = _figure(1)
    clip[0, :, 2] = 0.3 + 0.03 * np.arange(17)
    found = _features(candidates(observation(clip), np.zeros(1), COCO17), 0, name, FOUND)
    wanted = [clip[0, COCO17.index(other), 2] for other in (inner, outer)]
    assert [found["inner score"], found["outer score"]] == pytest.approx(wanted)


def test_a_limbs_own_length_is_what_both_sides_show_mostly():
    clip = _figure(10)
    # The left forearm is foreshortened in six frames, and the right one in all.
    clip[:6, COCO17.index("left_wrist"), 1] = 70
    clip[:, COCO17.index("right_wrist"), 1] = 80
    given = candidates(observation(clip), np.arange(10) / 25, COCO17)
    own = (50 + 30) / 2
    assert _features(given, 6, "left_wrist", FOUND)["inner length"] == pytest.approx(50 / own)
    assert _features(given, 0, "left_wrist", FOUND)["inner length"] == pytest.approx(20 / own)
    assert _features(given, 5, "right_wrist", FOUND)["inner length"] == pytest.approx(30 / own)


def test_places_within_a_tenth_of_the_torso_are_the_same():
    seen = observation(_figure(1))
    seen.peaks[0, LEFT_WRIST, 1:, :2] = [[30 + 9.9, 100], [30, 100 + 10.1], [30 + 8, 100 + 8]]
    seen.peaks[0, LEFT_WRIST, 1:, 2] = 0.1
    given = candidates(seen, np.zeros(1), COCO17)
    wrist = given.worth[0, _at(given, "left_wrist")]
    assert wrist[[FIRST, SECOND, THIRD, FOURTH]].tolist() == [False, False, True, True]
    assert given.worth[:, :, FOUND].all()
    far = candidates(
        replace(seen, keypoints=seen.keypoints * [3, 3, 1], peaks=seen.peaks * [3, 3, 1]), np.zeros(1), COCO17
    )
    assert np.array_equal(far.worth[0, _at(far, "left_wrist")][FIRST:ALONE], wrist[FIRST:ALONE])


def _line(keypoints, times):
    return candidates(observation(keypoints), times, COCO17).positions[:, :, LINE]


def test_the_line_through_the_neighbours_follows_a_steady_movement():
    times, joints = np.arange(11) / 25, limb_joints(COCO17)
    clip = _figure(11)
    clip[..., :2] += times[:, None, None] * [100.0, -75.0]
    away = np.linalg.norm(_line(clip, times) - clip[:, joints, :2], axis=-1)
    assert away[4:7].max() < 1e-6
    # 14 pixels a frame; where all neighbours are on one side, the line lags by less than half of that.
    assert 1e-3 < away.max() < 6


def test_the_line_leaves_out_the_frame_itself():
    times, clip = np.arange(9) / 25, _figure(9)
    before = _line(clip, times)
    clip[4, LEFT_WRIST, :2] += [80, -40]
    after = _line(clip, times)
    wrist = limb_joints(COCO17).index(LEFT_WRIST)
    assert np.array_equal(after[4], before[4])
    assert np.abs(after[3, wrist] - before[3, wrist]).max() > 5, "to the frames around it counts"


def test_the_line_hardly_heeds_keypoints_nobody_is_sure_of():
    times, clip = np.arange(9) / 25, _figure(9)
    wrist = limb_joints(COCO17).index(LEFT_WRIST)
    clip[5, LEFT_WRIST, :2] += [80, -40]
    misled_by = np.linalg.norm(_line(clip, times)[4, wrist] - [70, 100])
    clip[5, LEFT_WRIST, 2] = 0.15
    assert misled_by > 10 > 0.1 > np.linalg.norm(_line(clip, times)[4, wrist] - [70, 100])


def test_neighbours_more_than_half_a_second_away_are_unknown():
    clip, times = _figure(4), np.array([0.0, 0.5, 1.1, 1.2])
    given = candidates(observation(clip), times, COCO17)

    def known(frame):
        found = _features(given, frame, "left_wrist", FOUND)
        return [name for name in OF_NEIGHBOURS if not math.isnan(found[name])]

    assert known(1) == ["1 before", "score 1 before", "mirror 1 before"]
    assert known(2) == ["1 after", "score 1 after", "mirror 1 after"]
    # The line's neighbours are as near.
    assert given.positions[1, :, LINE] == pytest.approx(clip[0, given.joints, :2])
    assert _features(given, 1, "left_wrist", FOUND)["line's support"] == pytest.approx(
        0.65 * math.exp(-0.5 / 0.06), rel=0.01
    )


def test_one_frame_alone():
    given = candidates(observation(_figure(1)), np.array([3.2]), COCO17)
    found = _features(given, 0, "left_wrist", MIRRORED)
    assert {name for name, value in found.items() if math.isnan(value)} == set(OF_NEIGHBOURS)
    assert given.positions[0, :, LINE] == pytest.approx(given.positions[0, :, FOUND])
    assert found["line's support"] == 0
    assert found["inner length"] == pytest.approx(math.hypot(60, 50) / 50)


@pytest.fixture
def busy():
    """Twelve frames of a walk with other peaks, views that disagree and scores of all kinds; and their times."""
    rng = np.random.default_rng(0)
    seen = observation(walking(12))
    seen.keypoints[..., 2], seen.single_view_keypoints[..., 2] = rng.uniform(0.1, 0.9, (2, 12, 17))
    seen.keypoints[..., :2] += rng.normal(0, 6, (12, 17, 2))
    seen.single_view_keypoints[..., :2] += rng.normal(0, 20, (12, 17, 2))
    seen.peaks[:, :, 1:, :2] += rng.normal(0, 50, (12, 17, 3, 2))
    seen.peaks[..., 2] = np.sort(rng.uniform(0, 0.9, (12, 17, 4)))[..., ::-1]
    seen.side_odds[:], seen.spread[:] = rng.normal(size=(12, 17)), rng.uniform(0, 0.1, (12, 17))
    return seen, np.cumsum(rng.uniform(0.02, 0.2, 12))


def _carried(seen: TTAPrediction, matrix: np.ndarray, shift: tuple[float, float]) -> TTAPrediction:
    def carry(points):
        return np.concatenate([points[..., :2] @ matrix.T + shift, points[..., 2:]], -1)

    corners = [Box(*row).corners @ matrix.T + shift for row in seen.boxes]
    boxes = np.array([Box.around(pair).as_list() for pair in corners])
    return replace(
        seen,
        keypoints=carry(seen.keypoints),
        single_view_keypoints=carry(seen.single_view_keypoints),
        peaks=carry(seen.peaks),
        boxes=boxes,
    )


def _turned(degrees: float) -> np.ndarray:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[c, -s], [s, c]]).round(15)  # a right angle has zeros


@pytest.mark.parametrize(
    ("matrix", "shift"),
    [
        (np.eye(2), (500.0, -70.0)),
        (3.0 * np.eye(2), (0.0, 0.0)),
        (_turned(90), (900.0, 0.0)),
        (0.4 * _turned(-37), (20.0, 300.0)),
    ],
    ids=["moved", "larger", "on its side", "all at once"],
)
def test_features_do_not_depend_on_where_the_person_is(busy, matrix, shift):
    seen, times = busy
    given, carried = candidates(seen, times, COCO17), candidates(_carried(seen, matrix, shift), times, COCO17)
    # A box that is turned by another angle than a right one is another box.
    told = slice(None) if (matrix == 0).any() else slice(FEATURES.index("in the box"))
    assert np.allclose(carried.features[..., told], given.features[..., told], atol=1e-4, equal_nan=True)
    assert np.array_equal(carried.worth, given.worth)
    assert np.allclose(carried.positions, given.positions @ matrix.T + shift)


def test_features_do_not_depend_on_the_clock(busy):
    seen, times = busy
    given, later = candidates(seen, times, COCO17), candidates(seen, times + 100, COCO17)
    assert np.allclose(later.features, given.features, atol=1e-4, equal_nan=True)


def test_in_a_mirror_the_other_side_has_the_same_features(busy):
    seen, times = busy
    turned = _carried(seen, np.diag([-1.0, 1.0]), (640.0, 0.0))
    names = ("keypoints", "side_odds", "spread", "single_view_keypoints", "peaks")
    mirrored = TTAPrediction(*(getattr(turned, name)[:, FLIP] for name in names), turned.boxes)
    given, found = candidates(seen, times, COCO17), candidates(mirrored, times, COCO17)
    other = np.arange(12) ^ 1  # left and right follow each other
    assert np.allclose(found.features[:, other], given.features, atol=1e-4, equal_nan=True)
    assert np.array_equal(found.worth[:, other], given.worth)
    # Without the names there is a difference, so that sides can be told at all.
    assert not np.allclose(
        candidates(turned, times, COCO17).features[:, other], given.features, atol=1e-4, equal_nan=True
    )


def test_a_torso_seen_from_its_end_has_a_size_still():
    clip = _figure(3)
    for name in ("left_hip", "right_hip"):
        clip[:, COCO17.index(name), 1] = 2.0
    given = candidates(observation(clip), np.arange(3) / 25, COCO17)
    # 0.15 of the body's 200 pixels.
    assert _features(given, 1, "left_wrist", MIRRORED)["from keypoint"] == pytest.approx(60 / 30)


def test_a_person_shrunk_to_a_point_has_features_still():
    clip = _figure(3)
    clip[..., :2] = 50.0
    given = candidates(observation(clip), np.arange(3) / 25, COCO17)
    assert np.isfinite(given.features[..., :24]).all()
    assert not given.worth[:, :, 1:].any()


def test_the_second_peak_is_told_in_shares_of_the_highest():
    seen = misled(observation(_figure(3)), 1, "left_knee", (60, 0), 0.25, 0.2)
    given = candidates(seen, np.arange(3) / 25, COCO17)
    assert _features(given, 1, "left_knee", FOUND)["second peak"] == pytest.approx(0.2 / 0.3)
    assert given.positions[1, _at(given, "left_knee"), SECOND].tolist() == [20, 150]


def test_how_far_out_of_the_box_a_place_is(two_peaks):
    seen, times = two_peaks
    seen.boxes[2] = 0, 20, 40, 100
    there = _features(candidates(seen, times, COCO17), 2, "left_wrist", SECOND)
    assert (there["in the box"], there["out of the box"]) == pytest.approx((30 / 40, 10 / 100))
    seen.boxes[2] = 0, 80, 1000, 200
    there = _features(candidates(seen, times, COCO17), 2, "left_wrist", SECOND)
    assert (there["in the box"], there["out of the box"]) == pytest.approx((120 / 200, 20 / 100))


def test_a_peak_of_no_height_is_no_place(two_peaks):
    seen, times = two_peaks
    seen.peaks[2, LEFT_WRIST, 2] = 90, 10, 0.0
    given = candidates(seen, times, COCO17)
    assert not given.worth[2, _at(given, "left_wrist"), THIRD]
    seen.peaks[2, LEFT_WRIST, 2, 2] = 0.01
    assert candidates(seen, times, COCO17).worth[2, _at(given, "left_wrist"), THIRD]


@pytest.fixture
def asked(two_peaks):
    """The same, and a second network that agrees but for the left wrist of the third frame, which it sees at (50, 70);
    in the fourth frame it takes the left arm for the right one.
    """
    seen, times = two_peaks
    second = np.concatenate([seen.keypoints[..., :2], np.full((5, 17, 1), 0.9), np.full((5, 17, 1), 2.0)], -1)
    second[2, LEFT_WRIST] = 50, 70, 0.4, 30
    arms = [COCO17.index(f"{side}_{part}") for part in ("shoulder", "elbow", "wrist") for side in ("left", "right")]
    second[3, arms] = second[3, FLIP[arms]]
    return replace(seen, ensemble=second), times


def test_the_ensemble_is_one_more_candidate(asked, two_peaks):
    given, without = candidates(*asked, COCO17), candidates(*two_peaks, COCO17)
    wrist = _at(given, "left_wrist")
    assert given.positions[2, wrist, OTHER].tolist() == [50, 70] and given.scores[2, wrist, OTHER] == 0.4
    assert given.worth[2, wrist, OTHER] and not given.worth[:2, :, OTHER].any()
    assert np.array_equal(given.positions[:, :, :OTHER], without.positions)
    assert np.array_equal(given.worth[:, :, :OTHER], without.worth)
    assert np.array_equal(given.features[:, :, :OTHER, : len(FEATURES)], without.features, equal_nan=True)


def test_features_of_the_ensemble_by_hand(asked):
    given = candidates(*asked, COCO17)
    there = _features(given, 2, "left_wrist", SECOND)  # at (50, 60); the right wrist is at (-10, 100)
    wanted = {
        "from second": 0.1, "from second mirror": math.hypot(0.6, 0.4), "second apart": 0.3, "second visible": 0.4,
    }  # fmt: skip
    assert {name: there[name] for name in wanted} == pytest.approx(wanted, abs=1e-6)
    # The wrists are 0.6 apart, the elbows as well, the shoulders 0.4; the left wrist alone is seen 0.3 away.
    wrists = math.hypot(0.6, 0.3) - 0.0, math.hypot(0.6, 0.0) - 0.3
    assert there["second agrees"] == pytest.approx((0.4 * 2 + 0.6 * 2 + wrists[0] + wrists[1]) / 6, abs=1e-6)
    assert there["second off"] == pytest.approx(0.3 / 12, abs=1e-6)
    swapped = _features(given, 3, "left_wrist", FOUND)
    assert swapped["from second"] == pytest.approx(0.6) and swapped["from second mirror"] == pytest.approx(0)
    assert swapped["second agrees"] == pytest.approx(-(0.4 + 0.6 + 0.6) / 3, abs=1e-6)
    assert _features(given, 3, "left_knee", FOUND)["second agrees"] == pytest.approx(0.2), "the legs have their names"


def test_keypoint_sets_with_arms_and_legs():
    for skeleton in (COCO17, PENN13, LSP14, H36M16):
        names = [skeleton.keypoints[joint] for joint in limb_joints(skeleton)]
        assert len(names) == 12 and names[4:6] == ["left_wrist", "right_wrist"], skeleton.name
    assert limb_joints(BBC7) == []


def test_other_keypoint_sets_have_the_same_features(busy):
    seen, times = busy
    columns = [COCO17.index("nose" if name == "head" else name) for name in PENN13.keypoints]
    names = ("keypoints", "side_odds", "spread", "single_view_keypoints", "peaks")
    penn = TTAPrediction(*(getattr(seen, name)[:, columns] for name in names), seen.boxes)
    assert np.array_equal(
        candidates(penn, times, PENN13).features, candidates(seen, times, COCO17).features, equal_nan=True
    )
