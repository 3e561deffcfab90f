from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.live.dot_stream import FAST, HOW, first_box, walking
from tests.small_models import DotModel
from ttpose.live.learner import Learner


def _wait(done):
    until = time.monotonic() + 120  # long enough for a machine that does much else
    while not done():
        assert time.monotonic() < until, "the learner does nothing"
        time.sleep(0.002)


def _feed(learner, count, first=0):
    """Offer frames one by one, each after the learner took the one before."""
    for frame in walking(count, first):
        learner.offer(frame, first_box(frame.index))
        _wait(lambda: learner._waiting is None)


def test_it_learns_checks_and_hands_over_weights():
    start = DotModel().eval()
    before = {name: value.clone() for name, value in start.state_dict().items()}
    learner = Learner(start, FAST)
    _feed(learner, 24)
    learned = learner.close()
    assert learned.steps >= 6
    assert learned.checks >= 1
    assert learned.report.decision != "base"
    assert any(not torch.equal(value, before[name]) for name, value in learned.model.state_dict().items())
    assert all(torch.equal(value, before[name]) for name, value in start.state_dict().items())


def test_what_it_holds_is_bounded():
    learner = Learner(DotModel().eval(), replace(FAST, check_every=10_000))
    _feed(learner, 60)
    learner.close()
    assert len(learner._ring) == 8
    assert len(learner._held) == 9
    assert learner._adapter.history == []


def test_weights_that_go_astray_never_predict_and_learning_starts_again():
    start = DotModel().eval()
    wild = replace(HOW, pose_rate=5.0, clip_norm=None)
    learner = Learner(start, replace(FAST, how=wild))
    _feed(learner, 30)
    learned = learner.close()
    assert learned.restarts >= 1
    assert learned.report.decision == "base"
    assert learned.model is start


def test_paused_it_takes_nothing():
    learner = Learner(DotModel().eval(), FAST)
    learner.paused = True
    for frame in walking(10):
        learner.offer(frame, first_box(frame.index))
    assert learner.close().steps == 0
    assert len(learner._ring) == len(learner._held) == 0


def test_another_person_makes_it_forget():
    start = DotModel().eval()
    learner = Learner(start, FAST)
    _feed(learner, 24)
    _wait(lambda: learner.learned.checks > 0)
    learner.restart()
    _wait(lambda: learner.learned.restarts == 1)
    assert learner.learned.model is start
    _feed(learner, 12, first=24)
    learner.close()
    assert {crop.index for crop, _ in learner._ring} <= set(range(24, 36))
    assert {crop.index for crop in learner._held} <= set(range(24, 36))


def test_frames_for_checks_are_never_learned_from():
    learner = Learner(DotModel().eval(), replace(FAST, ring=100, check_runs=100))
    _feed(learner, 40)
    learner.close()
    learned, held = ({crop.index for crop in part} for part in ([c for c, _ in learner._ring], learner._held))
    assert held.isdisjoint(learned)
    runs = np.array(sorted(held)).reshape(-1, 3)
    assert (np.diff(runs, axis=1) == 1).all()  # neighbours, so that jumps can be measured


def test_an_error_in_the_thread_is_not_lost(monkeypatch):
    learner = Learner(DotModel().eval(), FAST)
    monkeypatch.setattr("ttpose.live.learner.predict_tta", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        _feed(learner, 30)
    with pytest.raises(ZeroDivisionError):
        learner.close()
