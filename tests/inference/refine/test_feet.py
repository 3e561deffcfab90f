"""Feet from the second network beside known ankles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.feet import feet_of, said_of
from tests.observed import observation, walking
from ttpose.core.skeleton import COCO17, COCO17_FEET, torso_lengths
from ttpose.inference.refine.clip import Refined
from ttpose.inference.refine.corrected import CorrectedFrames
from ttpose.inference.refine.feet import with_feet

FRAMES = 24
TIMES = np.arange(FRAMES) / 25
LEGS = [COCO17.index(f"{side}_{part}") for part in ("hip", "knee", "ankle") for side in ("left", "right")]
LEFT_TOE, RIGHT_TOE, LEFT_HEEL, RIGHT_HEEL = range(4)


def _seen(true, *, visible=0.99, apart=2.0):
    """The prediction whose second network has everything right, its two views `apart` pixels from each other."""
    feet = said_of(feet_of(true))
    told = [
        np.concatenate([p[..., :2], np.broadcast_to([visible, apart], (*p.shape[:2], 2))], -1) for p in (true, feet)
    ]
    return replace(observation(true), ensemble=told[0], feet=told[1])


def _mirrored(seen, frames):
    """The prediction whose second network has the legs the wrong way round in some frames."""
    ensemble, feet = seen.ensemble.copy(), seen.feet.copy()
    ensemble[np.ix_(frames, LEGS)] = seen.ensemble[frames][:, np.array(COCO17.flip)[LEGS]]
    feet[frames] = seen.feet[frames][:, [1, 0, 3, 2]]
    return replace(seen, ensemble=ensemble, feet=feet)


def _placed(seen, true, times=TIMES, corrected=None):
    refined = Refined(true.copy(), np.zeros((len(true), 2), bool))
    found = with_feet(refined, seen, times, COCO17, corrected).keypoints
    assert found.shape == (len(true), len(COCO17_FEET), 3)
    return found[:, 17:]


def _off(placed, true):
    """Distances [N, 4] of placed feet from the true ones, in torsos."""
    return np.linalg.norm(placed[..., :2] - feet_of(true)[..., :2], axis=-1) / torso_lengths(true, COCO17)[:, None]


@pytest.fixture
def true():
    return walking(FRAMES)


def test_the_body_stays_exactly_as_it_is_and_feet_are_where_they_are_seen(true):
    refined = Refined(true.copy(), np.zeros((FRAMES, 2), bool))
    found = with_feet(refined, _seen(true), TIMES, COCO17).keypoints
    assert np.array_equal(found[:, :17], true)
    assert _off(found[:, 17:], true).max() < 0.02
    assert found[:, 17:, 2].min() > 0.8


@pytest.mark.parametrize("frames", [[7], list(range(5, 15)), list(range(FRAMES))])
def test_feet_go_with_the_ankles_where_the_second_network_has_the_legs_the_wrong_way_round(true, frames):
    assert _off(_placed(_mirrored(_seen(true), frames), true), true).max() < 0.02


def test_feet_go_with_the_refined_ankles_where_these_were_swapped(true):
    swapped = true.copy()
    swapped[10:14, LEGS] = true[10:14][:, np.array(COCO17.flip)[LEGS]]
    assert _off(_placed(_seen(true), swapped), swapped).max() < 0.02


def test_a_single_frame_is_assigned_too(true):
    one = _mirrored(_seen(true[:1]), [0])
    assert _off(_placed(one, true[:1], TIMES[:1]), true[:1]).max() < 0.02


def test_a_point_that_jumps_for_one_frame_is_put_back_and_the_others_stay(true):
    seen = _seen(true)
    seen.feet[11, RIGHT_TOE, :2] += (90, -40)
    seen.feet[11, RIGHT_TOE, 3] = 60
    off = _off(_placed(seen, true), true)
    assert off[11, RIGHT_TOE] < 0.1
    assert np.delete(off, 11, 0).max() < 0.05


def test_a_foot_that_swings_fast_is_followed(true):
    seen, kick = _seen(true), np.zeros((FRAMES, 2))
    angles = np.clip((np.arange(FRAMES) - 8) / 6, 0, 1) * np.pi / 2  # a quarter turn in a quarter of a second
    torso = torso_lengths(true, COCO17)[0]
    kick[:] = 0.4 * torso * np.stack([np.cos(angles) - 1, -np.sin(angles)], -1)
    seen.feet[:, LEFT_TOE, :2] += kick
    tip = seen.feet[:, LEFT_HEEL, :2] + 1.1 * (seen.feet[:, LEFT_TOE, :2] - seen.feet[:, LEFT_HEEL, :2])
    off = np.linalg.norm(_placed(seen, true)[:, LEFT_TOE, :2] - tip, axis=-1) / torso
    assert off.max() < 0.08


def test_scores_fall_with_disagreement_invisibility_and_far_ankles(true):
    sure = _placed(_seen(true), true)[..., 2]
    torso = torso_lengths(true, COCO17)[0]
    apart = _placed(_seen(true, apart=0.6 * torso), true)[..., 2]
    unseen = _placed(_seen(true, visible=0.02), true)[..., 2]
    away = _seen(true)
    for arrays in (away.ensemble, away.feet):
        arrays[..., 0] += 0.4 * torso
    far = _placed(away, true)[..., 2]
    for less in (apart, unseen, far):
        assert (less < sure).all() and (less >= 0).all()
    assert (sure - far).mean() > 0.1


def test_an_unsure_ankle_makes_its_foot_unsure_and_the_other_not(true):
    weak = true.copy()
    weak[:, COCO17.index("left_ankle"), 2] = 0.05
    before, after = (_placed(_seen(true), body)[..., 2] for body in (true, weak))
    assert (after[:, [LEFT_TOE, LEFT_HEEL]] < before[:, [LEFT_TOE, LEFT_HEEL]]).all()
    assert np.allclose(after[:, [RIGHT_TOE, RIGHT_HEEL]], before[:, [RIGHT_TOE, RIGHT_HEEL]])


def test_corrected_feet_are_exactly_where_they_were_put(true):
    places, absent = np.full((FRAMES, 21, 2), np.nan), np.zeros((FRAMES, 21), bool)
    places[3, 17 + LEFT_HEEL], absent[4, 17 + RIGHT_TOE] = (12.5, 300.25), True
    said = CorrectedFrames(places, absent, places)
    found = _placed(_seen(true), true, corrected=said)
    assert found[3, LEFT_HEEL].tolist() == [12.5, 300.25, 1.0]
    assert found[4, RIGHT_TOE, 2] == 0
    assert _off(found, true)[5:].max() < 0.02


def test_frames_far_apart_say_nothing_of_each_other(true):
    seen = _mirrored(_seen(true), [12])
    assert _off(_placed(seen, true, TIMES * 100), true).max() < 0.02
