from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.observed import misled, observation, walking
from tests.small_models import small_config
from ttpose.adaptation.methods import fitted, method_named
from ttpose.adaptation.settings import PRESETS
from ttpose.core.skeleton import BBC7, COCO17, PENN13
from ttpose.inference.prediction import TTAPrediction
from ttpose.inference.refine import rescoring as module
from ttpose.inference.refine.candidates import candidates, limb_joints
from ttpose.inference.refine.rescoring import can_rescore, load_rescorer, rescore
from ttpose.inference.refine.viterbi import ViterbiCosts
from ttpose.models.config import mobile_config

TIMES = np.arange(20) / 25
LEFT_WRIST = COCO17.index("left_wrist")
LIMBS = limb_joints(COCO17)
STRAY = ViterbiCosts(turning=0.0)  # each frame by itself
_KIND = 2  # the feature that tells what kind of place it is: the keypoint is 0, the second peak 4
_SECOND = 4


class _ByKind:
    """Stands in for trees: how likely a place is hangs on its kind alone."""

    def __init__(self, **kinds: float) -> None:
        self.chances = np.array([kinds.get(f"kind{number}", 0.0) for number in range(10)])
        self.asked = 0

    def probability(self, features: np.ndarray) -> np.ndarray:
        self.asked += len(features)
        return self.chances[features[:, _KIND].astype(int)]


@pytest.fixture
def thrown():
    """A walk whose left wrist is far off in frame 10, at a low peak; the second peak is where it was."""
    return misled(observation(walking(20)), 10, "left_wrist", (90, 60), score=0.3, spare=0.2)


@pytest.fixture
def narrow():
    """A person seen from the side, who stands: left and right are in one place, and there is nowhere else to go."""
    clip = walking(20)
    clip[:] = clip[0]
    middle = (clip[..., :2] + clip[:, list(COCO17.flip), :2]) / 2
    return observation(np.concatenate([middle, clip[..., 2:]], -1))


def test_the_likeliest_place_is_taken_with_its_chance(thrown):
    trees = _ByKind(kind0=0.2, kind4=0.55)
    found, moved = rescore(thrown, TIMES, COCO17, trees)
    assert np.argwhere(moved).tolist() == [[10, LEFT_WRIST]]
    assert found[10, LEFT_WRIST].tolist() == [*thrown.peaks[10, LEFT_WRIST, 1, :2], 0.55]
    assert np.array_equal(found[~moved], thrown.keypoints[~moved])


@pytest.mark.parametrize(
    ("chance", "margin", "moves"), [(0.59, 0.1, False), (0.61, 0.1, True), (0.59, 0.05, True), (0.61, 0.2, False)]
)
def test_another_place_must_be_likelier_by_a_margin(thrown, chance, margin, moves):
    trees = _ByKind(kind0=0.5, kind4=chance)
    found, moved = rescore(thrown, TIMES, COCO17, trees, margin, STRAY)
    assert moved[10, LEFT_WRIST] == moves and moved.sum() == moves
    assert found[10, LEFT_WRIST, 2] == pytest.approx(chance if moves else 0.3)


def test_a_hardly_likelier_place_is_not_enough_where_no_margin_is_given(thrown):
    assert not rescore(thrown, TIMES, COCO17, _ByKind(kind0=0.5, kind4=0.51), costs=STRAY)[1].any()
    assert rescore(thrown, TIMES, COCO17, _ByKind(kind0=0.5, kind4=0.75), costs=STRAY)[1].any()


def test_an_unlikely_keypoint_stays_where_no_other_place_is_likelier(thrown):
    found, moved = rescore(thrown, TIMES, COCO17, _ByKind(kind0=0.01, kind4=0.02), costs=STRAY)
    assert not moved.any() and np.array_equal(found, thrown.keypoints)


@pytest.mark.parametrize(("shift", "moves"), [((90, 60), True), ((20, 10), False)])
def test_a_keypoint_that_leaves_its_path_goes_back_to_it(shift, moves):
    """Its own frame says that it is where it is; a jump there and back is what speaks against it."""
    seen = misled(observation(walking(20)), 10, "left_wrist", shift, score=0.3, spare=0.2)
    found, moved = rescore(seen, TIMES, COCO17, _ByKind(kind0=0.9, kind4=0.05))
    assert moved[10, LEFT_WRIST] == moves and moved.sum() == moves
    if moves:
        assert found[10, LEFT_WRIST].tolist() == [*seen.peaks[10, LEFT_WRIST, 1, :2], 0.05]


def test_places_that_are_the_same_are_not_moved_to(thrown):
    # The highest peak and the plain view alone are sure, and say what the keypoint says.
    _, moved = rescore(thrown, TIMES, COCO17, _ByKind(kind3=1.0, kind7=1.0), costs=STRAY)
    assert not moved.any()


def test_the_first_of_equally_likely_places_is_taken(thrown):
    found, _ = rescore(thrown, TIMES, COCO17, _ByKind(kind1=0.9, kind4=0.9))
    assert found[10, LEFT_WRIST, :2].tolist() == thrown.keypoints[10, COCO17.index("right_wrist"), :2].tolist()


def test_faces_are_left_alone_and_the_observation_too(thrown):
    before = thrown.keypoints.copy()
    thrown.peaks[:, :5, 1] = 400, 400, 0.9
    found, moved = rescore(thrown, TIMES, COCO17, _ByKind(kind1=1.0, kind4=1.0))
    assert moved[:, LIMBS].all() and not moved[:, :5].any()
    assert np.array_equal(found[:, :5], before[:, :5])
    assert np.array_equal(thrown.keypoints, before)


def test_keypoints_with_nowhere_else_to_go_are_not_judged(narrow):
    trees = _ByKind(kind0=0.0, kind1=1.0, kind4=1.0)
    found, moved = rescore(narrow, TIMES, COCO17, trees)
    assert trees.asked == 0 and not moved.any()
    assert np.array_equal(found, narrow.keypoints)
    one = misled(narrow, 10, "left_wrist", (0, -120), score=0.3, spare=0.2)
    given = candidates(one, TIMES, COCO17)
    away = np.argwhere(given.worth.sum(2) > 1)
    assert [10, given.joints.tolist().index(LEFT_WRIST)] in away.tolist() and len(away) < 10
    rescore(one, TIMES, COCO17, trees)
    assert trees.asked == given.worth[tuple(away.T)].sum()


@pytest.mark.parametrize("block", [1, 3, 7, 19])
def test_long_clips_in_blocks_are_as_in_one(monkeypatch, block):
    clip = walking(20)
    clip[:, LIMBS[2:6], :2] += np.random.default_rng(0).normal(0, 20, (20, 4, 2))  # the torso is as long as ever
    # The way between the frames around needs them all.
    seen, trees = observation(clip), _ByKind(kind2=1.0)
    whole, moved = rescore(seen, TIMES, COCO17, trees)
    assert moved[:, LIMBS[2:6]].mean() > 0.6
    monkeypatch.setattr(module, "_BLOCK", block)
    found, again = rescore(seen, TIMES, COCO17, trees)
    assert np.array_equal(again, moved) and np.allclose(found, whole)


def test_no_block_is_short(monkeypatch):
    seen, lengths = observation(walking(20)), []
    original = module.candidates
    monkeypatch.setattr(module, "_BLOCK", 9)
    monkeypatch.setattr(module, "candidates", lambda s, *rest: lengths.append(len(s.keypoints)) or original(s, *rest))
    rescore(seen, TIMES, COCO17, _ByKind(kind0=1.0))
    # Six or seven of the 20 frames each, and four neighbours on either side: a torso's length takes many frames.
    assert lengths == [10, 15, 11]


def _with_second(seen: TTAPrediction, true: np.ndarray) -> TTAPrediction:
    """The observation, and a second network that sees the truth."""
    return replace(seen, ensemble=np.concatenate([true, np.full((*true.shape[:2], 1), 2.0)], -1))


@pytest.mark.parametrize("second", [False, True])
@pytest.mark.parametrize("score", [0.2, 0.4])
def test_the_shipped_trees_bring_a_thrown_wrist_back(score, second):
    true = walking(20)
    thrown = misled(observation(true), 10, "left_wrist", (90, 60), score=score, spare=0.2)
    thrown = _with_second(thrown, true) if second else thrown
    found, moved = rescore(thrown, TIMES, COCO17)
    assert np.argwhere(moved).tolist() == [[10, LEFT_WRIST]]
    assert np.linalg.norm(found[..., :2] - true[..., :2], axis=-1).max() < 5
    assert score + 0.1 < found[10, LEFT_WRIST, 2] <= 1


@pytest.mark.parametrize("second", [False, True])
def test_the_shipped_trees_leave_what_is_sure(second):
    for clip in (walking(20), walking(1), walking(20)[:, list(COCO17.flip)]):
        seen = _with_second(observation(clip), clip) if second else observation(clip)
        found, moved = rescore(seen, TIMES[: len(clip)], COCO17)
        assert not moved.any() and np.array_equal(found, clip)


@pytest.mark.parametrize("second", [False, True])
def test_the_shipped_trees_ask_for_features_that_there_are(second):
    trees, seen = load_rescorer(second), observation(walking(2))
    given = candidates(_with_second(seen, walking(2)) if second else seen, TIMES[:2], COCO17)
    assert trees.feature.max() < given.features.shape[-1]
    # What makes a place another one, and its height, matter to many trees.
    asked = np.bincount(trees.feature[trees.feature >= 0], minlength=given.features.shape[-1])
    assert asked[0] > 0 and asked[_KIND] > 0
    chance = trees.probability(given.features.reshape(-1, given.features.shape[-1]))
    assert ((chance > 0) & (chance < 1)).all()


def test_the_shipped_trees_are_read_once(monkeypatch):
    assert load_rescorer(False) is load_rescorer(False) is not load_rescorer(True)
    monkeypatch.setattr(module, "load_rescorer", lambda _: _ByKind(kind1=1.0))
    found, _ = rescore(observation(walking(3)), TIMES[:3], COCO17)
    assert found[1, LEFT_WRIST, 2] == 1


@pytest.fixture
def asked():
    """A walk, and a second network that sees each joint 4 pixels further to the right."""
    seen = observation(walking(20))
    around = np.concatenate([seen.keypoints[..., :2] + [4, 0], np.full((20, 17, 1), 0.9), np.zeros((20, 17, 1))], -1)
    return replace(seen, ensemble=around)


def test_keypoints_move_towards_an_ensemble_prediction_that_is_near(asked):
    far, nowhere = COCO17.index("right_knee"), COCO17.index("left_ankle")
    torso = candidates(asked, TIMES, COCO17).torso
    asked.ensemble[3, far, 0] += 0.4 * torso
    asked.ensemble[3, LEFT_WRIST, :2] = asked.keypoints[3, LEFT_WRIST, :2] + [0, 0.28 * torso]
    asked.ensemble[5, nowhere] = np.nan
    before = asked.keypoints.copy()
    found, moved = rescore(asked, TIMES, COCO17, _ByKind(kind0=1.0))
    assert not moved.any(), "it is the same place, a little further"
    assert np.array_equal(asked.keypoints, before)
    shift = (found - before)[:, LIMBS]
    assert np.allclose(shift[0], [1, 0, 0])
    at = LIMBS.index
    assert shift[3, at(LEFT_WRIST)].tolist() == pytest.approx([0, 0.07 * torso, 0])
    assert not shift[3, at(far)].any() and not shift[5, at(nowhere)].any()
    assert not (found - before)[:, :5].any(), "faces are left alone"


def test_the_ensemble_may_have_the_likeliest_candidate(asked):
    asked.ensemble[10, LEFT_WRIST] = *(asked.keypoints[10, LEFT_WRIST, :2] + [60, 0]), 0.9, 0.0
    found, moved = rescore(asked, TIMES, COCO17, _ByKind(kind0=0.2, kind9=0.9), costs=STRAY)
    assert np.argwhere(moved).tolist() == [[10, LEFT_WRIST]]
    assert found[10, LEFT_WRIST].tolist() == pytest.approx([*asked.ensemble[10, LEFT_WRIST, :2], 0.9])


def test_with_the_ensemble_another_candidate_must_be_likelier_by_more(asked):
    asked.ensemble[10, LEFT_WRIST, :2] += [60, 0]
    without = misled(replace(asked, ensemble=None), 10, "left_wrist", (90, 60), score=0.3, spare=0.2)
    for chance, moves in ((0.59, (True, False)), (0.71, (True, True))):
        trees = _ByKind(kind0=0.5, kind4=chance, kind9=chance)
        told = [rescore(seen, TIMES, COCO17, trees, costs=STRAY)[1].any() for seen in (without, asked)]
        assert tuple(told) == moves


def test_an_unknown_opinion_is_no_place(asked):
    asked.ensemble[10, LEFT_WRIST] = np.nan
    assert not candidates(asked, TIMES, COCO17).worth[10, 4, 9]
    found, _ = rescore(asked, TIMES, COCO17)
    assert np.isfinite(found).all()


def test_trees_are_chosen_by_what_there_is_to_know(asked, monkeypatch):
    told = []
    monkeypatch.setattr(module, "load_rescorer", lambda second: told.append(second) or _ByKind(kind0=1.0))
    for seen in (asked, replace(asked, ensemble=None)):
        rescore(seen, TIMES, COCO17)
    assert told == [True, False]


def test_only_maps_that_the_trees_know_are_rescored():
    mobile = mobile_config()
    assert can_rescore(mobile) and can_rescore(replace(mobile, skeleton=PENN13.name))
    assert not can_rescore(replace(mobile, skeleton=BBC7.name)), "no legs"
    assert not can_rescore(replace(mobile, encoder="resnet18"))
    assert not can_rescore(small_config()) and not can_rescore(small_config(skeleton=COCO17.name))


@pytest.mark.parametrize("preset", ["fast", "balanced", "thorough"])
def test_ours_rescore_where_the_model_can(preset):
    settings = method_named("ours", preset=preset)
    assert settings.refine.rescore and settings.refine.correct_swaps
    assert fitted(settings, mobile_config()) == settings
    assert fitted(replace(settings, mode="online"), mobile_config()).refine.rescore
    other = small_config(skeleton=COCO17.name)
    assert fitted(settings, other).refine == replace(settings.refine, trees=False)
    assert settings.refine.ensemble == (preset != "fast")
    assert not fitted(settings, replace(mobile_config(), skeleton=BBC7.name)).refine.rescore


def test_the_paper_and_what_it_is_compared_with_do_not_rescore():
    assert not PRESETS["paper"].refine.rescore
    for name in ("paper", "tent", "rotation", "confident"):
        assert not method_named(name).refine.rescore, name
