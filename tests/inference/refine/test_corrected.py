from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.observed import observation, walking
from ttpose.adaptation.labels import corrected_frames
from ttpose.core.skeleton import COCO17
from ttpose.corrections.model import FrameCorrection
from ttpose.inference.refine.clip import refine
from ttpose.inference.settings import RefineSettings

TIMES = np.arange(12) / 25
LEGS = [COCO17.index(f"{side}_{part}") for part in ("hip", "knee", "ankle") for side in ("left", "right")]


def _placed(joints: dict[str, tuple[float, float, float]]) -> FrameCorrection:
    keypoints = np.full((17, 3), np.nan)
    for name, row in joints.items():
        keypoints[COCO17.index(name)] = row
    return FrameCorrection(keypoints)


def test_none_where_no_frame_is_corrected():
    assert corrected_frames({7: _placed({"nose": (1, 2, 2)})}, [0, 1, 2], 17) is None


def test_corrected_joints_are_exact_with_score_1_and_absent_ones_have_score_0():
    truth = walking(12)
    correction = _placed({"left_knee": (31.25, 77.5, 2), "right_wrist": (5.0, 6.0, 1), "nose": (np.nan, np.nan, 0)})
    corrected = corrected_frames({4: correction}, range(12), 17)
    out = corrected.applied_to(truth)
    assert out[4, COCO17.index("left_knee")].tolist() == [31.25, 77.5, 1.0]
    assert out[4, COCO17.index("right_wrist")].tolist() == [5.0, 6.0, 1.0]
    assert out[4, 0].tolist() == [*truth[4, 0, :2], 0.0]
    said = np.zeros((12, 17), bool)
    said[4, [COCO17.index(name) for name in ("left_knee", "right_wrist", "nose")]] = True
    assert np.array_equal(out[~said], truth[~said])


def test_a_pinned_joint_has_one_candidate_and_the_prediction_stays_as_it_was():
    seen = observation(walking(12))
    seen = replace(seen, ensemble=np.concatenate([seen.keypoints, seen.spread[..., None]], -1))
    before = seen.keypoints.copy()
    knee = COCO17.index("left_knee")
    pinned = corrected_frames({4: _placed({"left_knee": (31.0, 77.0, 2)})}, range(12), 17).pin(seen)
    assert pinned.keypoints[4, knee].tolist() == [31.0, 77.0, 1.0]
    assert pinned.single_view_keypoints[4, knee].tolist() == [31.0, 77.0, 1.0]
    assert not pinned.peaks[4, knee, :, 2].any()
    assert np.array_equal(pinned.keypoints[5], before[5])
    assert pinned.ensemble[4, knee, :2].tolist() == [31.0, 77.0]
    assert np.array_equal(seen.keypoints, before)


def test_corrected_sides_decide_those_of_the_frames_around():
    truth = walking(12)
    wrong = truth.copy()  # the network swaps the legs all along, and is fairly sure of it
    wrong[:, LEGS] = truth[:, np.array(COCO17.flip)[LEGS]]
    seen = observation(wrong)
    seen = replace(seen, side_odds=np.full_like(seen.side_odds, 0.8))
    settings = RefineSettings(rescore=False)
    alone = refine(seen, TIMES, COCO17, settings)
    assert not alone.swapped.any()
    names = [COCO17.keypoints[k] for k in LEGS]
    correction = _placed({name: (*truth[6, COCO17.index(name), :2], 2) for name in names})
    corrected = corrected_frames({6: correction}, range(12), 17)
    found = refine(seen, TIMES, COCO17, settings, corrected).keypoints
    assert found[:, LEGS, :2] == pytest.approx(truth[:, LEGS, :2])
