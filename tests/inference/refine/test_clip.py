from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.observed import misled, observation, walking
from tests.small_models import small_config
from ttpose.core.skeleton import COCO17
from ttpose.inference.refine.clip import fitted_refinement, refine
from ttpose.inference.refine.left_right import correct_swaps
from ttpose.inference.settings import REFINE_PRESETS, SINGLE_VIEW, RefineSettings
from ttpose.models.config import mobile_config

TIMES = np.arange(20) / 25
FLIP = np.array(COCO17.flip)
LEGS = [COCO17.index(f"{side}_{part}") for part in ("hip", "knee", "ankle") for side in ("left", "right")]
ANKLES, WRIST = [COCO17.index("left_ankle"), COCO17.index("right_ankle")], COCO17.index("left_wrist")
LIMBS = np.arange(5, 17)


@pytest.fixture
def confused():
    """20 frames of a walk: true keypoints; a wrist is thrown in frame 10, and the legs are swapped in frame 5."""
    true = walking(20)
    seen = misled(observation(true), 10, "left_wrist", (90, 60), score=0.3, spare=0.2)
    for part in (seen.keypoints, seen.peaks):
        part[5, LEGS] = part[5, FLIP[LEGS]]
    seen.side_odds[5, LEGS] *= -0.2
    return true, seen


def _with_ensemble(true):
    """What a second network says that finds every joint."""
    return np.concatenate([true, np.zeros((*true.shape[:2], 1))], -1)


@pytest.mark.parametrize("swaps", [True, False])
@pytest.mark.parametrize("rescored", [True, False])
def test_steps_are_taken_as_the_settings_say(confused, swaps, rescored):
    true, seen = confused
    found = refine(seen, TIMES, COCO17, RefineSettings(correct_swaps=swaps, rescore=rescored))
    away = np.linalg.norm(found.keypoints[..., :2] - true[..., :2], axis=-1)
    assert (away[10, WRIST] < 5) == rescored
    assert found.swapped.shape == (20, 2)
    assert np.argwhere(found.swapped).tolist() == ([[5, 0]] if swaps else [])
    if swaps:
        assert away[5, ANKLES].max() == 0
    elif not rescored:
        assert np.array_equal(found.keypoints, seen.keypoints)


def test_without_steps_keypoints_are_as_the_network_says(confused):
    _, seen = confused
    assert np.array_equal(refine(seen, TIMES, COCO17, SINGLE_VIEW).keypoints, seen.keypoints)


def test_without_rescoring_nothing_but_left_and_right_changes(confused):
    _, seen = confused
    found = refine(seen, TIMES, COCO17, RefineSettings(rescore=False))
    corrected, swapped = correct_swaps(seen.keypoints, seen.side_odds, TIMES, COCO17)
    assert np.array_equal(found.keypoints, corrected) and np.array_equal(found.swapped, swapped)


def test_a_prediction_stays_as_it_was(confused):
    _, seen = confused
    before = [getattr(seen, name).copy() for name in ("keypoints", "peaks", "side_odds")]
    refine(seen, TIMES, COCO17, RefineSettings())
    for name, kept in zip(("keypoints", "peaks", "side_odds"), before, strict=True):
        assert np.array_equal(getattr(seen, name), kept)


def test_times_count(confused):
    _, seen = confused
    seen = replace(seen, side_odds=np.where(seen.side_odds < 0, 0.5, seen.side_odds))  # sure of the wrong side
    near, far = (refine(seen, TIMES * pace, COCO17, RefineSettings(rescore=False)).swapped for pace in (1, 100))
    assert near[5, 0] and not far.any(), "frames four seconds apart say nothing of each other"


@pytest.mark.parametrize("frames", [1, 2])
def test_a_photo_is_a_clip_of_one_frame(frames):
    true = walking(frames)
    found = refine(observation(true), TIMES[:frames], COCO17, RefineSettings())
    assert np.array_equal(found.keypoints, true) and not found.swapped.any()


def test_a_model_runs_what_the_trees_know():
    balanced = REFINE_PRESETS["balanced"]
    assert fitted_refinement(balanced, mobile_config()) == balanced
    other = small_config(skeleton=COCO17.name)
    assert fitted_refinement(balanced, other) == replace(balanced, trees=False)
    assert fitted_refinement(balanced, small_config()) == replace(balanced, rescore=False, ensemble=False)  # no legs
    assert fitted_refinement(SINGLE_VIEW, other) == SINGLE_VIEW
