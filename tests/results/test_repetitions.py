from __future__ import annotations

import numpy as np
import pytest

from tests.results.posed import WITH_FEET, Posture, clip
from ttpose.results.angles import body_angles
from ttpose.results.repetitions import Repetitions, find_repetitions

_RATE = 30.0


def found(knees: np.ndarray, noise: float = 0.0) -> Repetitions | None:
    points = clip([Posture(hip=(float(k), float(k)), knee=(float(k), float(k))) for k in knees])
    points[..., :2] += np.random.default_rng(0).normal(0, noise, points[..., :2].shape)
    times = np.arange(len(knees)) / _RATE
    return find_repetitions(body_angles(points, WITH_FEET, times), times)


def squats(count: int, *, rest: int = 20, length: int = 45, depth: float = 100.0) -> np.ndarray:
    """Degrees of the knee: `rest` frames of standing around each squat of `length` frames."""
    one = depth * np.sin(np.linspace(0, np.pi, length)) ** 2
    still = np.zeros(rest)
    return np.concatenate([still, *[part for _ in range(count) for part in (one, still)]])


@pytest.mark.parametrize("noise", [0.0, 1.5])
def test_squats_are_counted_and_rests_are_none(noise: float) -> None:
    movement = found(squats(6), noise)
    assert movement is not None
    assert movement.angle.split("_")[-1] in ("knee", "hip")
    assert len(movement.spans) == 6
    for number, (first, last) in enumerate(movement.spans):
        begin = 20 + 65 * number
        assert begin <= first < begin + 15 and begin + 30 < last <= begin + 45


def test_steps_without_a_rest_follow_each_other() -> None:
    movement = found(30 + 25 * np.sin(np.arange(150) * 2 * np.pi / 30))
    assert movement is not None and len(movement.spans) == 4  # of five waves one is cut by the clip's ends
    lengths = [last - first for first, last in movement.spans]
    assert all(15 < length <= 30 for length in lengths)


@pytest.mark.parametrize(
    "knees",
    [
        np.zeros(90), squats(1), np.linspace(0, 100, 90), 3 * np.sin(np.arange(200) / 5),
        np.concatenate([squats(1, length=20), squats(1, length=150)]),
    ],
    ids=["still", "once", "one way", "a tremble", "two of other lengths"],
)  # fmt: skip
def test_what_does_not_repeat(knees: np.ndarray) -> None:
    assert found(knees) is None


def test_a_clip_that_begins_and_ends_half_way_counts_the_whole_ones() -> None:
    movement = found(squats(5)[40:-45])
    assert movement is not None and len(movement.spans) == 3


def test_too_little_to_see() -> None:
    points = clip([Posture(knee=(float(k), float(k))) for k in squats(4)])
    points[100:, :, 2] = 0.1
    times = np.arange(len(points)) / _RATE
    assert find_repetitions(body_angles(points, WITH_FEET, times), times) is None
    nothing = np.zeros((0, len(WITH_FEET), 3))
    assert find_repetitions(body_angles(nothing, WITH_FEET, np.zeros(0)), np.zeros(0)) is None
