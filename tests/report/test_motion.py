from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.report.examples import figure, result_of
from ttpose.core.geometry import Box
from ttpose.metrics.jitter import jitter
from ttpose.report.motion import motion_of
from ttpose.results.series import frame_times, subject_keypoints, torso_length


def test_a_steady_walk_has_speed_and_no_jitter() -> None:
    result = result_of(Path("x"), [figure(3.0 * i) for i in range(10)])
    keypoints, times = subject_keypoints(result), frame_times(result)
    torso = torso_length(result, keypoints)
    assert torso == pytest.approx(30)  # shoulders at 35, hips at 65
    motion = motion_of(keypoints, times, torso, side=85)
    assert np.isnan(motion.speed[0])
    assert motion.speed[1:] == pytest.approx(3 * 30 / 30)  # 3 pixels a frame, 30 frames a second, torsos of 30 pixels
    assert motion.jitter[1:-1] == pytest.approx(0, abs=1e-12)
    assert motion.confidence == pytest.approx(0.9)


def test_frames_at_uneven_times_are_no_jitter() -> None:
    times = np.array([0.0, 0.01, 0.05, 0.06, 0.2])
    keypoints = np.stack([figure(100 * time) for time in times])
    assert motion_of(keypoints, times, 30, 85).jitter[1:-1] == pytest.approx(0, abs=1e-12)


def test_jitter_is_the_one_of_the_rest_of_the_package() -> None:
    shaking = np.stack([figure() for _ in range(20)])
    shaking[..., :2] += np.random.default_rng(0).normal(0, 2, shaking[..., :2].shape)
    curve = motion_of(shaking, np.arange(20) / 30, 30, side=85).jitter
    assert np.nanmean(curve) == pytest.approx(jitter(shaking, [Box(0, 0, 40, 85)] * 20), rel=0.1)


def test_gaps_are_gaps() -> None:
    result = result_of(Path("x"), [figure(), None, figure(), figure(), figure()])
    keypoints, times = subject_keypoints(result), frame_times(result)
    motion = motion_of(keypoints, times, torso_length(result, keypoints), side=85)
    assert np.isnan(motion.confidence).tolist() == [False, True, False, False, False]
    assert np.isnan(motion.speed).tolist() == [True, True, True, False, False]
    assert np.isnan(motion.jitter).tolist() == [True, True, True, False, True]


def test_a_result_without_anybody_has_figures_all_the_same() -> None:
    result = result_of(Path("x"), [None, None])
    keypoints = subject_keypoints(result)
    assert torso_length(result, keypoints) > 0
    assert np.isnan(motion_of(keypoints, frame_times(result), 1.0, 1.0).confidence).all()
