"""The time that a personalization says it will take."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.listed import ListedClip
from tests.live.dot_stream import DotDetector, picture
from tests.recorded import Recorded
from tests.small_models import CountedDots
from ttpose.adaptation import estimate as module
from ttpose.adaptation.estimate import Estimate
from ttpose.adaptation.session import PersonalizationSession
from ttpose.adaptation.settings import PersonalizeSettings, preset_named
from ttpose.inference.settings import RefineSettings
from ttpose.models.shipped import LoadedModel


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until a test moves it."""
    clock = SimpleNamespace(now=100.0, perf_counter=lambda: clock.now)
    monkeypatch.setattr(module, "time", clock)
    return clock


def _counted(estimate, clock, frames, seconds_a_frame=0.1, together=1):
    """Let the estimate count frames; returns what was counted beside it."""
    counted = []
    count = estimate.counting(counted.append)
    for _ in range(frames // together):
        clock.now += seconds_a_frame * together
        count(together)
    return counted


def test_it_is_told_once_after_twenty_frames(clock):
    told = Recorded()
    estimate = Estimate(preset_named("fast"), 100, told)
    assert _counted(estimate, clock, 19) == [1] * 19 and told.notes == []
    _counted(estimate, clock, 1)
    (note,) = told.notes
    _counted(estimate, clock, 80)
    assert told.notes == [note]


def test_seconds_by_hand(clock):
    told = Recorded()
    settings = preset_named("fast")
    assert (settings.refine.views, settings.refine.ensemble, settings.steps, settings.batch) == (1, False, 12, 8)
    assert (settings.teacher_views, settings.max_crops) == (4, 48)
    _counted(Estimate(settings, 100, told), clock, 24, together=8)
    # A frame, one forward pass, takes 0.1 s. 100 frames before learning and after; 12 steps of 8 views, each as long as
    # 1.9 passes; 48 crops seen by the teacher in four views; 24 held-out frames, 9 passes each.
    passes = 2 * 100 + 12 * 8 * 1.9 + 48 * 4 + 24 * 9
    assert told.notes == [f"about {0.1 * passes:.0f} s in all"]


@pytest.mark.parametrize(("frames", "counted"), [(None, 100), (20, 20), (12, 12)])
def test_nothing_is_told_where_the_length_is_not_known_or_the_clip_is_over(clock, frames, counted):
    told = Recorded()
    _counted(Estimate(preset_named("fast"), frames, told), clock, counted)
    assert told.notes == []


def test_loading_before_the_first_frame_does_not_count(clock):
    told = [Recorded(), Recorded()]
    for wait, recorded in zip((0.0, 500.0), told, strict=True):
        estimate = Estimate(preset_named("fast"), 100, recorded)
        clock.now += wait
        _counted(estimate, clock, 20)
    assert told[0].notes == told[1].notes != []


@pytest.mark.parametrize(
    ("changes", "more"),
    [
        ({"steps": 200}, True),
        ({"guard": False}, False),
        ({"decoder_warmup": 50}, True),
        ({"teacher_views": 1}, False),
        ({"batch": 2}, False),
    ],
)
def test_what_takes_longer_is_said_to(changes, more):
    settings = preset_named("fast")
    seconds = []
    for one in (settings, replace(settings, **changes)):
        estimate = Estimate(one, 100, Recorded())
        estimate.counting(lambda n: None)(20)
        seconds.append(estimate.seconds(2.0))
    assert (seconds[1] > seconds[0]) == more and seconds[0] != seconds[1]


def test_it_is_near_the_work_that_is_done():
    """In forward passes of one view, which it measures everything by."""
    settings = PersonalizeSettings(
        steps=12, max_crops=48, pose_rate=0.001, teacher_views=4, refine=RefineSettings(rescore=False)
    )  # fmt: skip
    base, told = LoadedModel(CountedDots(), "dots", "ab" * 32), Recorded()
    session = PersonalizationSession(base, base, DotDetector(), settings, told)
    clip = ListedClip([picture(i) for i in range(60)])
    seen = session.observe(clip, "auto", estimate=session.estimate([clip]))
    assert len(told.notes) == 1 and told.notes[0].startswith("about "), "a real run tells it once"
    weights = session.learn([seen])
    made = session.predict(seen, weights)
    assert made.guard.decision == "personalized"
    # The base looked, taught and was checked; a check of each change, and the last prediction.
    checked = 3 * 9
    done = base.model.predicted + 2 * checked + 60 + 3.4 * settings.steps * settings.batch
    estimate = Estimate(settings, 60, Recorded())
    estimate.counting(lambda n: None)(20)
    assert estimate.seconds(20.0) == pytest.approx(done, rel=0.3)
