from __future__ import annotations

import numpy as np
import pytest

from tests.observed import observation
from tests.painted import stepping
from ttpose.core.skeleton import BBC7, COCO17, PENN13
from ttpose.inference.refine.left_right import SwapCosts, apply_swaps, correct_swaps

LEGS = [COCO17.index(f"{side}_{part}") for part in ("hip", "knee", "ankle") for side in ("left", "right")]
ARMS = [COCO17.index(f"{side}_{part}") for part in ("shoulder", "elbow", "wrist") for side in ("left", "right")]


def _exchanged(keypoints, rows, group):
    out = keypoints.copy()
    flip = np.array(COCO17.flip)
    for row in rows:
        out[row, group] = keypoints[row, flip[group]]
    return out


@pytest.fixture
def clip():
    """60 frames of a person who walks across the picture, and their times."""
    keypoints = np.stack([stepping(300, i / 4) + np.array([2.0 * i, 0, -0.1]) for i in range(60)])
    return keypoints, np.arange(60) / 30


@pytest.fixture
def no_odds():
    return np.zeros((60, 17))


def test_a_clean_clip_is_left_alone(clip, no_odds):
    keypoints, times = clip
    corrected, swapped = correct_swaps(keypoints, no_odds + 0.1, times, COCO17)
    assert np.array_equal(corrected, keypoints)
    assert not swapped.any()


@pytest.mark.parametrize("seed", range(5))
def test_random_swaps_are_corrected(clip, no_odds, seed):
    keypoints, times = clip
    rng = np.random.default_rng(seed)
    legs = np.flatnonzero(rng.random(60) < 0.25)
    arms = np.flatnonzero(rng.random(60) < 0.25)
    broken = _exchanged(_exchanged(keypoints, legs, LEGS), arms, ARMS)
    # The maps say a little in favour of what is true.
    odds = no_odds + 0.3
    odds[np.ix_(legs, LEGS)] *= -1
    odds[np.ix_(arms, ARMS)] *= -1
    corrected, swapped = correct_swaps(broken, odds, times, COCO17)
    assert np.array_equal(corrected, keypoints)
    assert np.flatnonzero(swapped[:, 0]).tolist() == legs.tolist()
    assert np.flatnonzero(swapped[:, 1]).tolist() == arms.tolist()


def test_faces_and_scores_stay_with_their_points(clip, no_odds):
    keypoints, times = clip
    keypoints[:, :, 2] = np.linspace(0.5, 0.9, 17)
    broken = _exchanged(keypoints, [20, 21], LEGS)
    corrected, _ = correct_swaps(broken, no_odds + 0.1, times, COCO17)
    assert np.array_equal(corrected, keypoints)


def test_the_maps_decide_what_the_whole_clip_is_called(clip, no_odds):
    keypoints, times = clip
    wrong = _exchanged(_exchanged(keypoints, range(60), LEGS), range(60), ARMS)
    corrected, swapped = correct_swaps(wrong, no_odds - 1.0, times, COCO17)
    assert swapped.all()
    assert np.array_equal(corrected, keypoints)
    assert not correct_swaps(wrong, no_odds + 1.0, times, COCO17)[1].any()


def test_frames_on_both_sides_of_a_gap_are_not_tied(clip, no_odds):
    keypoints, times = clip
    # After the gap the person has turned round; each part's maps are sure of their own naming.
    turned = _exchanged(_exchanged(keypoints, range(30, 60), LEGS), range(30, 60), ARMS)
    gap = times + np.where(np.arange(60) >= 30, 2.0, 0.0)
    odds = no_odds + 0.05
    assert not correct_swaps(turned, odds, gap, COCO17)[1].any()
    # Without the gap it is cheaper to call the one half by the other's names.
    joined = correct_swaps(turned, odds, times, COCO17)[1]
    assert joined[:30].all() != joined[30:].all()
    assert joined.any(1).sum() == 30


def test_movement_outweighs_a_confident_mistake_but_not_any(clip, no_odds):
    keypoints, times = clip
    broken = _exchanged(keypoints, [30], LEGS)
    sure = no_odds + 2.0  # the maps are sure of every naming, the wrong one too
    assert correct_swaps(broken, sure, times, COCO17)[1][30].tolist() == [True, False]
    stubborn = SwapCosts(evidence=1e6)
    assert not correct_swaps(broken, sure, times, COCO17, stubborn)[1].any()


def test_a_long_stretch_that_the_maps_are_sure_of_is_believed(clip, no_odds):
    keypoints, times = clip
    # One half of the clip seems to be named oppositely, with a limb's jump where the halves meet.
    broken = _exchanged(_exchanged(keypoints, range(25), LEGS), range(25), ARMS)
    doubtful, sure = no_odds + 0.8, no_odds + 3.5
    assert correct_swaps(broken, doubtful, times, COCO17)[1][:25].all()
    assert not correct_swaps(broken, sure, times, COCO17)[1].any()
    assert correct_swaps(broken, sure, times, COCO17, SwapCosts(sure=10.0))[1][:25].all()


def test_a_reference_of_sides_is_kept_to(clip, no_odds):
    keypoints, times = clip
    wrong = _exchanged(_exchanged(keypoints, range(60), LEGS), range(60), ARMS)
    reference = np.full((60, 17, 2), np.nan)
    reference[::10] = keypoints[::10, :, :2] + 3.0  # for some frames, nearly where they are found now
    assert not correct_swaps(wrong, no_odds + 0.5, times, COCO17)[1].any()
    corrected, swapped = correct_swaps(wrong, no_odds + 0.5, times, COCO17, reference=reference)
    assert swapped.all()
    assert np.array_equal(corrected, keypoints)
    nothing = np.full((60, 17, 2), np.nan)
    assert not correct_swaps(wrong, no_odds + 0.5, times, COCO17, reference=nothing)[1].any()


def test_legs_and_arms_are_rather_named_alike(clip, no_odds):
    keypoints, times = clip
    odds = no_odds + 0.5
    odds[:, LEGS] = -0.1  # a faint doubt about the legs of all frames
    assert not correct_swaps(keypoints, odds, times, COCO17)[1].any()
    assert correct_swaps(keypoints, odds, times, COCO17, SwapCosts(cross=0.0))[1][:, 0].all()


def test_keypoints_nobody_is_sure_of_do_not_tie(clip, no_odds):
    keypoints, times = clip
    keypoints[30, LEGS, 2] = 0.0
    broken = _exchanged(keypoints, [30], LEGS)
    _, swapped = correct_swaps(broken, no_odds + 0.2, times, COCO17)
    assert not swapped.any()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_frames_come_back_as_they_are(clip, no_odds, count):
    keypoints, times = clip
    corrected, swapped = correct_swaps(keypoints[:count], no_odds[:count], times[:count], COCO17)
    assert np.array_equal(corrected, keypoints[:count]) and swapped.shape == (count, 2)


def test_a_skeleton_without_legs_comes_back_as_it_is():
    keypoints = np.random.default_rng(0).random((5, 7, 3))
    corrected, swapped = correct_swaps(keypoints, np.zeros((5, 7)), np.arange(5) / 25, BBC7)
    assert np.array_equal(corrected, keypoints) and not swapped.any()


def test_other_skeletons_with_legs_are_corrected(clip):
    keypoints, times = clip
    columns = [COCO17.index("nose" if name == "head" else name) for name in PENN13.keypoints]
    penn = keypoints[:, columns]
    flip = np.array(PENN13.flip)
    knee = [PENN13.index(f"{side}_{part}") for part in ("hip", "knee", "ankle") for side in ("left", "right")]
    broken = penn.copy()
    broken[10, knee] = penn[10, flip[knee]]
    corrected, swapped = correct_swaps(broken, np.full((60, 13), 0.1), times, PENN13)
    assert np.array_equal(corrected, penn)
    assert swapped.sum() == 1


@pytest.fixture
def distinct():
    """Three frames in which every number of an observation is another one."""
    count = iter(range(1, 10_000))
    seen = observation(np.zeros((3, 17, 3)))
    for part in (seen.keypoints, seen.side_odds, seen.spread, seen.single_view_keypoints, seen.peaks):
        part[:] = np.array([next(count) for _ in range(part.size)]).reshape(part.shape)
    return seen


def test_swapped_limbs_take_all_that_was_predicted_along(distinct):
    swapped = np.array([[True, False], [False, False], [True, True]])
    found = apply_swaps(distinct, swapped, COCO17)
    flip = np.array(COCO17.flip)
    for row, limbs in ((0, LEGS), (1, []), (2, LEGS + ARMS)):
        order = np.arange(17)
        order[limbs] = flip[limbs]
        for name in ("keypoints", "spread", "peaks"):
            assert np.array_equal(getattr(found, name)[row], getattr(distinct, name)[row, order]), name
        # The odds were for the name that is gone.
        sign = np.where(np.isin(np.arange(17), limbs), -1, 1)
        assert np.array_equal(found.side_odds[row], sign * distinct.side_odds[row, order])
    assert np.array_equal(found.single_view_keypoints, distinct.single_view_keypoints), (
        "the plain view alone keeps its own names"
    )


def test_swapping_twice_changes_nothing(distinct):
    swapped = np.array([[True, False], [False, True], [True, True]])
    twice = apply_swaps(apply_swaps(distinct, swapped, COCO17), swapped, COCO17)
    for name in ("keypoints", "side_odds", "spread", "single_view_keypoints", "peaks"):
        assert np.array_equal(getattr(twice, name), getattr(distinct, name)), name


def test_swapping_gives_the_keypoints_that_the_correction_gives(clip, no_odds):
    keypoints, times = clip
    broken = _exchanged(_exchanged(keypoints, [10, 11, 40], LEGS), [40], ARMS)
    corrected, swapped = correct_swaps(broken, no_odds + 0.1, times, COCO17)
    assert swapped.any()
    assert np.array_equal(apply_swaps(observation(broken), swapped, COCO17).keypoints, corrected)


def test_a_skeleton_without_legs_has_arms_to_swap():
    seen = observation(np.random.default_rng(0).random((2, 7, 3)))
    found = apply_swaps(seen, np.array([[True, True], [True, False]]), BBC7)
    assert np.array_equal(found.keypoints[0], seen.keypoints[0, list(BBC7.flip)])
    assert np.array_equal(found.keypoints[1], seen.keypoints[1])
