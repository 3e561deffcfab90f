from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.recorded import Recorded
from tests.small_models import CountedDots, DotModel, recoloured
from ttpose.adaptation.guard.metrics import GuardReport, measure
from ttpose.adaptation.guard.rule import decide
from ttpose.adaptation.guard.selection import base_is_known, chosen, run_guard, select_weights
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.inference.settings import RefineSettings
from ttpose.inference.tta import TTA_VIEWS, predict_tta
from ttpose.models.person import PersonDelta


@pytest.fixture
def base():
    return recoloured(DotModel(), 0.15, -0.15, 0.15)


def _delta(base, share):
    """So much of the way from a base that knows the colours roughly to the right colours."""
    towards = recoloured(DotModel(), *[0.15 * (1 - share), -0.15 * (1 - share), 0.15 * (1 - share)])
    return PersonDelta.between(base, towards, "ab")


def test_base_half_and_all_of_a_change_are_measured(base, walk):
    crops, delta, told = walk[2][:6], _delta(base, 1.0), Recorded()
    report = select_weights(base, delta, crops, progress=told)
    assert told.stages == {"compare weights on held-out frames": [3, 3]}
    checks, keypoints = measure(base, None, crops, None)
    wanted = {"base": checks}
    for kind, weight in (("interpolated", 0.5), ("personalized", 1.0)):
        wanted[kind] = measure(delta.apply(base, weight), keypoints, crops, None)[0]
    assert report.checks == wanted
    assert report == decide(wanted) and report.decision == "personalized"


def test_a_base_that_has_predicted_the_crops_is_not_asked_again(walk):
    base, crops = CountedDots(), walk[2][:6]
    settings = replace(PersonalizeSettings(), refine=RefineSettings(views=4, rescore=False))
    known, delta = predict_tta(base, crops, TTA_VIEWS[:4]), PersonDelta.between(base, recoloured(CountedDots()), "ab")
    base.predicted = 0
    reports = [run_guard(base, delta, crops, settings, known=one) for one in (known, None)]
    assert base.predicted == 4 * len(crops), "for the second report alone"
    assert reports[0] == reports[1] and base_is_known(replace(settings, teacher_views=4))


def test_a_change_that_destroys_is_refused(base, walk):
    report = select_weights(base, _delta(base, -30.0), walk[2][:6])
    assert report.decision == "base"
    assert chosen(_delta(base, -30.0), report).changes == {}


@pytest.mark.parametrize(("decision", "kept"), [("personalized", 1.0), ("interpolated", 0.5), ("base", None)])
def test_what_a_decision_leaves_of_a_change(base, decision, kept):
    delta = _delta(base, 1.0)
    left = chosen(delta, GuardReport(decision, "for the test", {}))
    assert left.base_sha256 == "ab"
    assert left.changes.keys() == (delta.changes.keys() if kept else set())
    for name, change in left.changes.items():
        assert torch.allclose(change, kept * delta.changes[name])


def test_without_a_guard_all_of_a_change_is_kept_and_nothing_measured(base, walk):
    report = run_guard(base, _delta(base, -30.0), walk[2][:6], PersonalizeSettings(guard=False))
    assert (report.decision, report.checks) == ("personalized", {}) and "off" in report.reason


def test_frames_that_taught_are_said_to_have(base, walk):
    held, learned = (
        run_guard(base, _delta(base, 1.0), walk[2][:6], PersonalizeSettings(), learned_from=said)
        for said in (False, True)
    )
    assert learned == replace(
        held, reason=f"{held.reason}; no frames could be held out, so learning frames were checked"
    )
