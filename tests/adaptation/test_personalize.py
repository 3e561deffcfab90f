from __future__ import annotations

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.recorded import Recorded
from tests.small_models import CountedDots, DotModel, recoloured
from ttpose.adaptation.guard.held_out import held_out
from ttpose.adaptation.guard.metrics import measure
from ttpose.adaptation.guard.selection import chosen
from ttpose.adaptation.personalize import personalize_model
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.inference.pipeline import predict_clip
from ttpose.inference.tta import TTA_VIEWS, predict_tta

# Colours are in shares of 1, so a hundredth a step is a moderate rate here.
SETTINGS = PersonalizeSettings(
    steps=8, batch=4, pose_rate=0.01, ema=0.5, rate_warmup=0, teacher_views=2, max_crops=30
)  # fmt: skip


def _nearly_blind():
    """Knows the colours roughly, and is unsure for it."""
    return recoloured(DotModel(), 0.15, -0.15, 0.15)


@pytest.fixture(scope="module")
def done(walk):
    return personalize_model(_nearly_blind(), walk[2], SETTINGS, base_sha256="ab")


def test_a_good_change_is_kept_whole(done, walk):
    assert done.guard.decision == "personalized"
    assert done.delta.base_sha256 == "ab"
    assert set(done.delta.changes) <= {"encoder.colors", "encoder.gain"} and done.delta.changes
    base = _nearly_blind()
    before, after = (predict_tta(m, walk[2]).keypoints[..., 2].mean() for m in (base, done.model))
    assert after > before + 0.05
    assert len(done.history) == 8
    assert set(done.timings) == {"teacher_s", "adapt_s", "guard_s"}


def test_the_model_is_what_the_person_file_gives(done):
    again = done.delta.apply(_nearly_blind())
    assert all(torch.equal(a, b) for a, b in zip(done.model.parameters(), again.parameters(), strict=True))


def test_the_base_stays_as_it_is(walk):
    base = _nearly_blind()
    before = copy.deepcopy(base.state_dict())
    personalize_model(base, walk[2], replace(SETTINGS, steps=2))
    assert all(torch.equal(before[n], v) for n, v in base.state_dict().items())


def test_a_ruined_model_falls_back_to_the_base(walk):
    base = DotModel()
    done = personalize_model(base, walk[2], replace(SETTINGS, pose_rate=50.0, steps=3))
    assert done.guard.decision == "base"
    assert done.delta.changes == {} and done.whole.changes
    assert all(torch.equal(a, b) for a, b in zip(done.model.parameters(), base.parameters(), strict=True))


def test_the_guard_chooses_of_all_that_was_learned(done):
    left = chosen(done.whole, done.guard)
    assert left.changes.keys() == done.delta.changes.keys()
    assert all(torch.equal(change, done.delta.changes[name]) for name, change in left.changes.items())


def test_the_guard_measures_held_out_frames(done, walk):
    held = [walk[2][i] for i in held_out(walk[2])]
    assert 0 < len(held) < 10
    base, keypoints = measure(_nearly_blind(), None, held, None)
    assert done.guard.checks["base"] == base
    assert done.guard.checks["personalized"] == measure(done.model, keypoints, held, None)[0]


def test_held_out_frames_do_not_teach(walk):
    """Whatever they show: the same is learned where they are black."""
    crops, base = walk[2], _nearly_blind()
    teacher, held = predict_tta(base, crops, TTA_VIEWS[:2]), held_out(crops)
    dark = [replace(c, image=np.zeros_like(c.image)) if i in held else c for i, c in enumerate(crops)]
    first, second = (
        personalize_model(base, some, replace(SETTINGS, steps=2), teacher=teacher.frames()).whole
        for some in (crops, dark)
    )
    assert first.changes and all(torch.equal(c, second.changes[name]) for name, c in first.changes.items())
    unguarded = replace(SETTINGS, steps=2, guard=False)
    everything, without = (
        personalize_model(base, some, unguarded, teacher=teacher.frames()).whole for some in (crops, dark)
    )
    assert not all(torch.equal(c, without.changes[name]) for name, c in everything.changes.items())


def test_a_long_clip_is_thinned(walk):
    base, told = CountedDots(), Recorded()
    settings = replace(SETTINGS, steps=1, max_crops=10, guard=False)
    done = personalize_model(base, walk[2], settings, progress=told)
    assert told.stages["predict pseudo-labels"] == [10, 10]
    assert base.predicted == 10 * SETTINGS.teacher_views
    rows = [0, 3, 6, 10, 13, 16, 19, 23, 26, 29]
    same = personalize_model(base, [walk[2][i] for i in rows], settings)
    assert all(torch.equal(change, same.delta.changes[name]) for name, change in done.delta.changes.items())


@pytest.mark.parametrize("most", [30, 10])
def test_a_known_teacher_is_not_predicted_again(walk, most):
    base, told = CountedDots(), Recorded()
    settings = replace(SETTINGS, steps=2, max_crops=most, guard=False, distillation=1.0)
    teacher = predict_tta(base, walk[2], TTA_VIEWS[:2], keep_maps=True)
    base.predicted = 0
    done = personalize_model(base, walk[2], settings, teacher=teacher.frames(), progress=told)
    assert base.predicted == 0 and set(told.stages) == {"adapt"}
    anew = personalize_model(base, walk[2], settings)
    for name, change in anew.delta.changes.items():
        assert torch.allclose(done.delta.changes[name], change, atol=1e-4), name
    assert teacher.maps.flatten(2).max(2).values.min() > 0, "the given maps stay as they are"


def test_without_pseudo_labels_nothing_is_predicted(walk):
    base = CountedDots()
    personalize_model(base, walk[2], replace(SETTINGS, steps=1, self_training=0.0, anchor=1.0, guard=False))
    assert base.predicted == 2 * SETTINGS.batch // 2, "the anchor compares the step's views alone"


def test_too_few_frames_to_hold_any_out_are_said_so_and_checked(walk):
    done = personalize_model(DotModel(), walk[2][:5], replace(SETTINGS, steps=2))
    assert "no frames could be held out" in done.guard.reason
    assert set(done.guard.checks) == {"base", "interpolated", "personalized"}


def test_interpolation_keeps_a_share_of_the_change(walk):
    settings = replace(SETTINGS, steps=2, guard=False)
    whole = personalize_model(DotModel(), walk[2][:5], settings).delta
    half = personalize_model(DotModel(), walk[2][:5], replace(settings, interpolation=0.5)).delta
    for name, change in whole.changes.items():
        bound = float(change.abs().max()) / 100  # both are rounded to 8-bit steps
        torch.testing.assert_close(half.changes[name], change / 2, atol=bound, rtol=0)


def test_one_single_frame(walk):
    done = personalize_model(DotModel(), walk[2][:1], replace(SETTINGS, steps=2))
    assert np.isfinite(predict_clip(done.model, walk[2][:1], SETTINGS.refine).keypoints).all()


def test_without_a_guard_everything_is_kept(walk):
    base = CountedDots()
    done = personalize_model(base, walk[2], replace(SETTINGS, guard=False, steps=2))
    assert done.guard.decision == "personalized" and "off" in done.guard.reason
    assert done.delta.changes and done.guard.checks == {}
    assert base.predicted == 30 * SETTINGS.teacher_views


def test_progress_counts_to_its_totals(walk):
    told = Recorded()
    personalize_model(DotModel(), walk[2], replace(SETTINGS, steps=2), progress=told)
    assert told.stages == {
        "predict pseudo-labels": [30, 30],
        "adapt": [2, 2],
        "compare weights on held-out frames": [3, 3],
    }


def test_the_shipped_structure_end_to_end(tiny, painted_crops):
    """Every loss at once on the real network, in both directions of the delta."""
    settings = PersonalizeSettings(
        steps=2, batch=2, decoder_warmup=1, reconstruction=0.1, distillation=0.5, anchor=0.5, reconstruction_batch=1,
        teacher_views=2, guard=False,
    )  # fmt: skip
    done = personalize_model(tiny, painted_crops, settings, base_sha256="cd")
    assert len(done.history) == 3
    assert set(done.history[-1]) == {"reconstruction", "self_training", "distillation", "anchor", "total"}
    assert all(math.isfinite(v) for entry in done.history for v in entry.values())
    assert done.delta.changes and not any(n.startswith(("reconstructor.", "affinity.")) for n in done.delta.changes)
