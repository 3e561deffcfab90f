from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator

import numpy as np
import pytest

from ttpose.core.geometry import Box
from ttpose.metrics.jitter import jitter
from ttpose.metrics.pck import (
    BBC_RULE,
    CLIP_RULE,
    H36M_RULE,
    PENN_RULE,
    PckRule,
    bootstrap_mean,
    by_name,
    group_means,
    measure,
    reference_lengths,
)

JOINTS = ("left_shoulder", "right_shoulder", "left_hip", "right_hip", "neck", "left_knee")


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    """A division by zero would warn, and so fail."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def standing(torso: float = 100.0, visibility: float = 2) -> np.ndarray:
    """Shoulders at y = 0, hips `torso` lower, the neck 10 above the shoulders, a knee below."""
    points = [(-10, 0), (10, 0), (-8, torso), (8, torso), (0, -10), (-8, 2 * torso)]
    return np.array([(x, y, visibility) for x, y in points], float)


def moved(labels: np.ndarray, *shifts: float) -> np.ndarray:
    """Predictions: joint k of every frame moved right by shifts[k]."""
    predicted = labels.copy()
    predicted[..., 0] += np.array(shifts)
    return predicted


def test_torso_pck_by_hand() -> None:
    labels = standing()[None]
    # 20 px of a 100 px torso is still right at 0.2, 20.1 is not.
    predicted = moved(labels, 0, 20, 20.1, 10, 300, 5)
    at_02 = measure(predicted, labels, JOINTS, PENN_RULE).tally(0.2)
    assert at_02.right.tolist() == [1, 1, 0, 1, 0, 1]
    assert at_02.mean() == pytest.approx(4 / 6)
    assert measure(predicted, labels, JOINTS, PENN_RULE).tally(0.1).mean() == pytest.approx(3 / 6)


def test_neck_length_of_human36m() -> None:
    labels = standing()[None]
    assert reference_lengths(labels, JOINTS, H36M_RULE).tolist() == [110.0]
    found = measure(moved(labels, 22, 22.1, 0, 0, 0, 0), labels, JOINTS, H36M_RULE).tally(H36M_RULE.threshold)
    assert found.right.tolist() == [1, 0, 1, 1, 1, 1]


def test_bbc_counts_pixels_of_the_half_size_picture() -> None:
    labels = standing()[None]
    predicted = moved(labels, 12, 12.1, 6, 0, 0, 0)
    assert measure(predicted, labels, JOINTS, BBC_RULE).tally(6).right.tolist() == [1, 0, 1, 1, 1, 1]
    halved = dataclasses.replace(BBC_RULE, resolution=1.0)
    assert measure(predicted, labels, JOINTS, halved).tally(6).right.tolist() == [0, 0, 1, 1, 1, 1]


def test_visible_only_and_both_means() -> None:
    labels = np.stack([standing(), standing()])
    labels[1, :, 2] = [2, 1, 1, 1, 0, 2]
    predicted = moved(labels, 0, 50, 0, 0, 0, 0)
    visible = measure(predicted, labels, JOINTS, PENN_RULE).tally(0.2)
    assert visible.counted.tolist() == [2, 1, 1, 1, 1, 2]
    assert visible.mean("counts") == pytest.approx(7 / 8)
    assert visible.mean("joints") == pytest.approx(5 / 6)
    labelled = measure(predicted, labels, JOINTS, CLIP_RULE).tally(0.2)
    assert labelled.counted.tolist() == [2, 2, 2, 2, 1, 2]
    assert labelled.mean() == pytest.approx(9 / 11)


def test_the_floor_lengthens_short_torsos_only() -> None:
    labels = np.stack([standing(100), standing(100), standing(20), standing(80)])
    assert reference_lengths(labels, JOINTS, CLIP_RULE).tolist() == pytest.approx([100, 100, 63, 80])  # median 90
    assert reference_lengths(labels, JOINTS, PENN_RULE).tolist() == pytest.approx([100, 100, 20, 80])


def test_frames_without_labels_or_torso_are_counted_not_scored() -> None:
    labels = np.stack([standing(), standing(visibility=0), standing(), standing(torso=0)])
    labels[2, 0, 2] = 0
    found = measure(labels, labels, JOINTS, CLIP_RULE)
    assert (found.without_labels, found.without_length) == (1, 2)
    assert np.isnan(found.distances[1:]).all()
    assert found.tally(0.2).mean() == 1.0


def test_nothing_to_score_is_nan() -> None:
    labels = standing(visibility=0)[None]
    tally = measure(labels, labels, JOINTS, PENN_RULE).tally(0.2)
    assert np.isnan(tally.mean("counts"))
    assert np.isnan(tally.mean("joints"))
    assert np.isnan(tally.per_joint).all()
    upper_body = measure(labels[:, :2] + [0, 0, 2], labels[:, :2] + [0, 0, 2], JOINTS[:2], CLIP_RULE)
    assert (upper_body.without_labels, upper_body.without_length) == (0, 1)
    assert np.isnan(upper_body.tally(0.2).mean())


def test_a_prediction_without_position_is_wrong() -> None:
    labels = standing()[None]
    predicted = labels.copy()
    predicted[0, 2] = np.nan
    assert measure(predicted, labels, JOINTS, CLIP_RULE).tally(0.2).right.tolist() == [1, 1, 0, 1, 1, 1]


def test_only_scored_joints_count_but_all_make_the_torso() -> None:
    labels = standing()[None]
    scored = np.array([False, False, False, False, False, True])
    found = measure(moved(labels, 90, 90, 0, 0, 0, 15), labels, JOINTS, CLIP_RULE, scored)
    assert found.tally(0.2).counted.tolist() == [0, 0, 0, 0, 0, 1]
    assert found.distances[0, 5] == pytest.approx(0.15)


def test_tallies_add_up() -> None:
    labels = standing()[None]
    right = measure(labels, labels, JOINTS, PENN_RULE).tally(0.2)
    wrong = measure(moved(labels, *[500] * 6), labels, JOINTS, PENN_RULE).tally(0.2)
    assert (right + wrong).mean() == 0.5
    assert (right + wrong).per_joint.tolist() == [0.5] * 6


def test_by_name_reorders() -> None:
    predicted = np.arange(6.0).reshape(1, 2, 3)
    taken = by_name(predicted, ("nose", "left_knee"), ("left_knee", "tail"))
    assert taken[0, 0].tolist() == [3, 4, 5]
    assert np.isnan(taken[0, 1]).all()


def test_jitter_by_hand() -> None:
    # x of the first point: 0 0 4 0 0, so accelerations 4, -8, 4; the second point moves evenly.
    points = np.array([[[0, 0], [0, 7]], [[0, 0], [5, 7]], [[4, 0], [10, 7]], [[0, 0], [15, 7]], [[0, 0], [20, 7]]])
    boxes = [Box(0, 0, 10, 40)] * 5
    assert jitter(points[:, :1].astype(float), boxes) == pytest.approx(4 / 40)
    assert jitter(points[:, :1].astype(float), boxes, fps=30) == pytest.approx(4 / 40 * 900)
    assert jitter(points[:, 1:].astype(float), boxes) == 0
    holed = points.astype(float)
    holed[4] = np.nan
    assert jitter(holed[:, :1], boxes) == pytest.approx(6 / 40)


def test_jitter_of_too_little_is_nan() -> None:
    assert np.isnan(jitter(np.zeros((2, 3, 2)), [Box(0, 0, 5, 5)] * 2))
    assert np.isnan(jitter(np.zeros((4, 3, 2)), [Box(0, 0, 0, 0)] * 4))
    assert np.isnan(jitter(np.full((4, 3, 2), np.nan), [Box(0, 0, 5, 5)] * 4))
    assert np.isnan(jitter(np.zeros((0, 3, 2)), []))


def test_bootstrap_interval() -> None:
    values = np.random.default_rng(0).normal(5, 2, 400)
    found = bootstrap_mean(values, seed=1)
    assert found == bootstrap_mean(values, seed=1)
    assert found.mean == pytest.approx(values.mean())
    # The normal approximation: 1.96 standard errors to each side.
    half = 1.96 * values.std() / 20
    assert found.low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert found.high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_bootstrap_of_few_values() -> None:
    assert bootstrap_mean([3.0, 3.0, float("nan")]) == bootstrap_mean([3.0, 3.0])
    one = bootstrap_mean([3.0])
    assert (one.mean, one.count) == (3.0, 1)
    assert np.isnan(one.low)
    assert np.isnan(bootstrap_mean([]).mean)


def test_group_means() -> None:
    found = group_means([1, 3, float("nan"), 7], ["ann", "ann", "bob", "eve"])
    assert list(found) == ["ann", "bob", "eve"]
    assert (found["ann"], found["eve"]) == (2.0, 7.0)
    assert np.isnan(found["bob"])


def test_rules_are_the_papers() -> None:
    assert PckRule("penn", 0.2, "torso", visible_only=True, average="counts") == PENN_RULE
    assert (H36M_RULE.threshold, H36M_RULE.reference, H36M_RULE.visible_only) == (0.2, "neck", False)
    assert (BBC_RULE.threshold, BBC_RULE.resolution) == (6.0, 0.5)
