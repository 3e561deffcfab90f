from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from ttpose.inference.refine.viterbi import ViterbiCosts, likeliest_paths

EVEN = np.arange(30) / 25
STRAY = ViterbiCosts(turning=0.0)


def _cost(path, chance, places, times, torso, costs):
    """The price of one joint's path, written out plainly."""
    total = -sum(np.log(chance[t, c] + costs.doubt) for t, c in enumerate(path))
    at = [places[t, c] / torso for t, c in enumerate(path)]
    for t in range(2, len(path)):
        gaps = times[t - 1] - times[t - 2], times[t] - times[t - 1]
        if max(gaps) > costs.reach_s:
            continue
        expected = at[t - 1] + min(gaps[1] / gaps[0], 2) * (at[t - 1] - at[t - 2])
        tie = min(1, costs.close_s / max(gaps)) ** 2
        total += costs.turning * tie * min(np.linalg.norm(at[t] - expected), costs.longest)
    return total


@pytest.mark.parametrize("seed", range(6))
def test_no_path_is_cheaper(seed):
    rng = np.random.default_rng(seed)
    chance, places = rng.uniform(0, 1, (5, 2, 3)), rng.normal(0, 60, (5, 2, 3, 2))
    times = np.cumsum(rng.choice([0.02, 0.04, 0.1, 0.7], 5))
    worth = rng.uniform(size=chance.shape) < 0.7
    worth[..., 0] = True
    found = likeliest_paths(chance, worth, places, times, 40.0)
    for joint in range(2):
        allowed = itertools.product(*(np.flatnonzero(worth[t, joint]) for t in range(5)))
        prices = {p: _cost(p, chance[:, joint], places[:, joint], times, 40.0, ViterbiCosts()) for p in allowed}
        assert prices[tuple(found[:, joint])] == pytest.approx(min(prices.values()))


def _two_places(jump):
    """A joint that moves evenly, and another place beside it: [30, 1, 2, 2]."""
    way = np.stack([np.arange(30) * 4.0, np.zeros(30)], -1)
    return np.stack([way, way + np.array([0.0, jump])], 1)[:, None]


def test_a_place_that_is_likelier_for_one_frame_is_passed_by():
    chance = np.full((30, 1, 2), 0.5)
    chance[..., 1] = 0.3
    chance[12, 0] = 0.4, 0.6
    places, worth = _two_places(80.0), np.ones((30, 1, 2), bool)
    assert likeliest_paths(chance, worth, places, EVEN, 80.0).sum() == 0
    alone = likeliest_paths(chance, worth, places, EVEN, 80.0, STRAY)
    assert np.flatnonzero(alone).tolist() == [12]
    # Near by it costs little to follow.
    assert np.flatnonzero(likeliest_paths(chance, worth, _two_places(2.0), EVEN, 80.0)).tolist() == [12]


def test_a_place_that_stays_likelier_is_followed():
    chance = np.full((30, 1, 2), 0.3)
    chance[:10, 0, 0] = chance[10:, 0, 1] = 0.6
    found = likeliest_paths(chance, np.ones((30, 1, 2), bool), _two_places(80.0), EVEN, 80.0)
    assert found[:, 0].tolist() == [0] * 10 + [1] * 20


def test_even_movement_costs_nothing_however_fast():
    way = np.stack([np.arange(30) * 60.0, np.zeros(30)], -1)
    places = np.stack([way, np.zeros((30, 2))], 1)[:, None]
    chance = np.full((30, 1, 2), 0.5)
    chance[..., 1] = 0.45
    assert likeliest_paths(chance, np.ones((30, 1, 2), bool), places, EVEN, 80.0).sum() == 0


@pytest.mark.parametrize(("gap", "passed"), [(1 / 25, True), (0.3, False), (0.6, False)])
def test_frames_far_apart_say_less_of_each_other(gap, passed):
    chance = np.full((30, 1, 2), 0.5)
    chance[..., 1] = 0.3
    chance[12, 0] = 0.4, 0.6
    found = likeliest_paths(chance, np.ones((30, 1, 2), bool), _two_places(80.0), np.arange(30) * gap, 80.0)
    assert (found.sum() == 0) == passed


def test_what_is_not_worth_it_is_never_chosen():
    chance = np.full((30, 1, 2), 0.01)
    chance[..., 1] = 0.99
    worth = np.ones((30, 1, 2), bool)
    worth[..., 1] = False
    assert likeliest_paths(chance, worth, _two_places(80.0), EVEN, 80.0).sum() == 0


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_few_frames(frames):
    chance = np.full((frames, 2, 2), 0.2)
    chance[:, 1, 1] = 0.7
    places = np.repeat(_two_places(30.0)[:frames], 2, 1)
    found = likeliest_paths(chance, np.ones(chance.shape, bool), places, EVEN[:frames], 80.0)
    assert found.tolist() == [[0, 1]] * frames


def test_the_scale_of_the_picture_is_nothing():
    rng = np.random.default_rng(3)
    chance, places = rng.uniform(0, 1, (30, 2, 4)), rng.normal(0, 60, (30, 2, 4, 2))
    worth = np.ones(chance.shape, bool)
    small = likeliest_paths(chance, worth, places, EVEN, 40.0)
    assert np.array_equal(small, likeliest_paths(chance, worth, places * 3, EVEN, 120.0))
    assert not np.array_equal(
        small, likeliest_paths(chance, worth, places, EVEN, 40.0, replace(ViterbiCosts(), turning=0))
    )


def test_the_same_time_twice_is_no_trouble():
    chance = np.full((4, 1, 2), 0.5)
    found = likeliest_paths(chance, np.ones(chance.shape, bool), _two_places(30.0)[:4], np.zeros(4), 80.0)
    assert found.shape == (4, 1)
