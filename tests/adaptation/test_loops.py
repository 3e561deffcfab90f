from __future__ import annotations

import contextlib
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.small_models import DotModel
from ttpose.adaptation import online
from ttpose.adaptation.guard import selection as select_weights
from ttpose.adaptation.guard.metrics import GuardReport
from ttpose.adaptation.losses import Clip
from ttpose.adaptation.offline import _draw, _other_frames, adapt_offline, build_losses
from ttpose.adaptation.online import OnlineAdapter, checked_online, personalize_stream
from ttpose.adaptation.settings import PAPER, PersonalizeSettings
from ttpose.core import geometry
from ttpose.core.progress import Progress
from ttpose.inference import pipeline as run
from ttpose.inference.tta import TTA_VIEWS, predict_tta

SETTINGS = PersonalizeSettings(steps=6, batch=4, pose_rate=0.02, ema=0.5, rate_warmup=0)


def _clip(walk, count):
    keypoints, _, crops = walk
    labels = keypoints[:count].copy()
    for row, crop in zip(labels, crops, strict=False):
        row[:, :2] = geometry.apply(geometry.invert(crop.to_source), row[:, :2])
    labels[..., 2] = 1.0
    return Clip(crops[:count], labels)


def _colour_blind():
    model = DotModel()
    with torch.no_grad():
        model.encoder.colors += torch.tensor([0.25, -0.25, 0.25])
    return model


class _Counting(Progress):
    def __init__(self):
        self.stages = {}

    def stage(self, name, total=None):
        self.stages[name] = [total, 0]

        def advance(n=1):
            self.stages[name][1] += n

        return contextlib.nullcontext(advance)


def test_offline_learns_from_the_labels(walk):
    base, clip = _colour_blind(), _clip(walk, 10)
    adapter = adapt_offline(base, clip, replace(SETTINGS, steps=20))
    early, late = (np.mean([h["total"] for h in part]) for part in (adapter.history[:3], adapter.history[-3:]))
    assert late < 0.85 * early
    before, after = (predict_tta(m, clip.crops).keypoints[..., 2].mean() for m in (base, adapter.average))
    assert after > before + 0.1


@pytest.mark.parametrize(("asked", "wanted"), [(6, 6), (0, 10)])
def test_offline_takes_the_asked_steps_or_one_a_frame(dots, walk, asked, wanted):
    told = _Counting()
    adapter = adapt_offline(dots, _clip(walk, 10), replace(SETTINGS, steps=asked), told)
    assert adapter.steps_done == wanted
    assert told.stages == {"adapt": [wanted, wanted]}


def test_warm_up_comes_before_the_asked_steps(tiny, painted_crops):
    settings = replace(
        SETTINGS, steps=2, decoder_warmup=2, batch=2, reconstruction=1.0, reconstruction_batch=1, pose_rate=1e-4
    )
    labels = np.zeros((len(painted_crops), 17, 3))
    adapter = adapt_offline(tiny, Clip(painted_crops, labels), settings)
    assert [set(h) for h in adapter.history[:2]] == [{"reconstruction", "total"}] * 2
    assert [set(h) for h in adapter.history[2:]] == [{"reconstruction", "self_training", "total"}] * 2


def test_the_same_seed_gives_the_same_result(walk):
    clip = _clip(walk, 10)
    runs = [adapt_offline(_colour_blind(), clip, replace(SETTINGS, seed=s)).average.encoder.colors for s in (1, 1, 2)]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_objectives_are_those_that_have_a_weight(tiny):
    empty = Clip([], np.zeros((0, 17, 3)))

    def names(**weights):
        none = {"reconstruction": 0.0, "self_training": 0.0, "consistency": 0.0, "anchor": 0.0}
        return {o.name: o.weight for o in build_losses(empty, tiny, replace(SETTINGS, **none | weights))}

    assert names() == {}
    assert names(anchor=2.0) == {"anchor": 2.0}
    everything = {"reconstruction": 0.5, "self_training": 1.0, "consistency": 2.0, "anchor": 3.0}
    assert names(**everything) == everything
    assert {o.name for o in build_losses(empty, tiny, PAPER)} == {"reconstruction"}


def test_draws_do_not_repeat_while_there_are_frames_enough(walk):
    rng = np.random.default_rng(0)
    assert sorted(c.index for c in _draw(rng, walk[2][:8], 8)) == list(range(8))
    assert len(_draw(rng, walk[2][:3], 8)) == 8
    assert {c.index for c in _draw(rng, walk[2][:3], 8)} <= {0, 1, 2}
    seen = {c.index for _ in range(40) for c in _draw(rng, walk[2], 4)}
    assert seen == set(range(30))


def test_a_source_is_another_frame(walk):
    rng = np.random.default_rng(0)
    crops = walk[2][:3]
    for _ in range(20):
        sources = _other_frames(rng, crops, crops)
        assert all(s.index != t.index for s, t in zip(sources, crops, strict=True))
    only = _other_frames(rng, crops[:1], crops[:1])
    assert only == crops[:1]


def test_online_predicts_each_frame_after_learning_from_it(walk):
    base = _colour_blind()
    stream = OnlineAdapter(base, replace(SETTINGS, mode="online", views=2, teacher_min_score=0.05))
    keypoints, _, crops = walk
    seen = [stream.advance(crop) for crop in crops[:12]]
    assert stream.adapter.steps_done == 12
    assert all(s.keypoints.shape == (1, 17, 3) for s in seen)
    # The stream's last answers are those of its average; they got surer than the base's.
    assert np.allclose(predict_tta(stream.adapter.average, [crops[11]]).keypoints, seen[-1].keypoints)
    assert seen[-1].keypoints[..., 2].mean() > predict_tta(base, [crops[11]]).keypoints[..., 2].mean() + 0.05
    found = np.concatenate([s.keypoints for s in seen[4:]])
    assert np.median(np.abs(found[..., :2] - keypoints[4:12, :, :2])) < 3


def test_online_steps_see_the_newest_frame_and_earlier_sources(dots, walk, monkeypatch):
    stream = OnlineAdapter(dots, replace(SETTINGS, batch=3))
    seen = []
    original = stream.adapter.step

    def spy(targets, sources, *, first_plain=False):
        seen.append((targets, sources, first_plain))
        return original(targets, sources, first_plain=first_plain)

    monkeypatch.setattr(stream.adapter, "step", spy)
    list(stream.run(walk[2][:6]))
    for number, (targets, sources, plain) in enumerate(seen):
        assert plain
        assert [t.index for t in targets] == [number] * 3
        assert all(s.index <= number for s in sources)
    assert len({s.index for _, sources, _ in seen for s in sources}) > 2


def test_online_memory_is_bounded(dots, walk):
    stream = OnlineAdapter(dots, replace(SETTINGS, batch=1, max_crops=4))
    for crop in walk[2]:
        stream.advance(crop)
        assert len(stream._seen) <= 4
        assert stream._seen[-1] is crop
    (labels,) = [o._labels for o in stream.adapter.losses]
    assert len(labels) == 1


def test_online_sources_are_a_fair_sample_of_all_frames_so_far(dots, walk):
    kept = []
    for seed in range(30):
        stream = OnlineAdapter(dots, replace(SETTINGS, max_crops=9, seed=seed))
        for index in range(300):
            stream._remember(replace(walk[2][0], index=index))
            stream.adapter.steps_done += 1
        assert stream._seen[-1].index == 299
        kept += [crop.index for crop in stream._seen[:-1]]
    assert len(kept) == 240
    # Uniform over 0..298: mean 149, standard error 5.6 of 240 draws.
    assert np.mean(kept) == pytest.approx(149, abs=17)
    assert np.histogram(kept, 3)[0].min() > 55


def test_online_runs_alike_with_the_same_seed(walk):
    def run(seed):
        stream = OnlineAdapter(_colour_blind(), replace(SETTINGS, seed=seed, batch=2))
        return np.concatenate([s.keypoints for s in stream.run(walk[2][:4])])

    assert np.array_equal(run(1), run(1))
    assert not np.array_equal(run(1), run(2))


@pytest.fixture
def looks(monkeypatch):
    """Who looks from now on, and through which views."""
    asked, original = [], online.predict_tta

    def spy(model, crops, views, *rest, **more):
        asked.append((model, views))
        return original(model, crops, views, *rest, **more)

    monkeypatch.setattr(online, "observe", spy)
    monkeypatch.setattr(run, "observe", spy)
    return asked


def test_online_predicts_through_the_asked_views(dots, walk, looks):
    OnlineAdapter(dots, replace(SETTINGS, views=4, predict_views=2)).advance(walk[2][0])
    assert [views for _, views in looks] == [TTA_VIEWS[:4], TTA_VIEWS[:2]]


def test_online_the_base_teaches(walk, looks):
    base = _colour_blind()
    stream = OnlineAdapter(base, replace(SETTINGS, teacher_min_score=0.05))
    list(stream.run(walk[2][:4]))
    assert [model for model, _ in looks] == [base, stream.model] * 4


def test_online_a_part_of_the_change_predicts(walk):
    base = _colour_blind()
    whole = OnlineAdapter(base, replace(SETTINGS, teacher_min_score=0.05))
    part = OnlineAdapter(base, replace(SETTINGS, teacher_min_score=0.05, interpolation=0.25))
    for crop in walk[2][:6]:
        whole.advance(crop)
        seen = part.advance(crop)
        quarter = base.encoder.colors.lerp(whole.model.encoder.colors, 0.25)
        assert torch.allclose(part.model.encoder.colors, quarter, atol=1e-6)
        assert np.allclose(predict_tta(part.model, [crop]).keypoints, seen.keypoints)
    assert not torch.equal(part.model.encoder.colors, base.encoder.colors)
    assert torch.equal(base.encoder.colors, _colour_blind().encoder.colors)


@pytest.mark.parametrize("interpolation", [1.0, 0.25])
def test_a_stream_gives_a_person_and_what_each_frame_showed(walk, interpolation):
    base, settings = (
        _colour_blind(),
        replace(SETTINGS, teacher_min_score=0.05, interpolation=interpolation, guard=False),
    )
    stream = OnlineAdapter(base, settings)
    seen = list(stream.run(walk[2][:8]))
    done = personalize_stream(base, walk[2][:8], settings, base_sha256="ab")
    assert np.array_equal(done.seen.keypoints, np.concatenate([s.keypoints for s in seen]))
    assert done.delta.base_sha256 == "ab" and len(done.history) == 8
    # The person file rounds to a 127th of the largest change.
    assert torch.allclose(done.model.encoder.colors, stream.model.encoder.colors, atol=0.01)
    assert done.guard.checks == {}


@pytest.mark.parametrize(("verdict", "kept"), [("base", 0.0), ("interpolated", 0.5), ("personalized", 1.0)])
def test_the_guard_has_the_last_word_on_a_stream(walk, monkeypatch, decision, kept):
    base, settings = _colour_blind(), replace(SETTINGS, teacher_min_score=0.05)
    whole = personalize_stream(base, walk[2][:20], replace(settings, guard=False))
    monkeypatch.setattr(select_weights, "decide", lambda checks: GuardReport(decision, "for the test", checks))
    done = personalize_stream(base, walk[2][:20], settings)
    wanted = base.encoder.colors + kept * (whole.model.encoder.colors - base.encoder.colors)
    assert torch.allclose(done.model.encoder.colors, wanted, atol=1e-5)
    assert "learning frames were checked" in done.guard.reason and set(done.guard.checks) == {
        "base", "interpolated", "personalized",
    }  # fmt: skip
    chosen_sees = predict_tta(done.model, walk[2][:20]).keypoints
    assert np.array_equal(done.seen.keypoints, chosen_sees) == (decision != "personalized")


def test_a_ruined_stream_falls_back_to_the_base(walk):
    base = DotModel()
    done = personalize_stream(base, walk[2], replace(SETTINGS, pose_rate=50.0))
    assert done.guard.decision == "base" and done.delta.changes == {}
    assert np.array_equal(done.seen.keypoints, predict_tta(base, walk[2]).keypoints)


def test_a_stream_is_checked_on_runs_of_its_frames(walk):
    crops = walk[2]
    assert [c.index for c in checked_online(crops)] == [9, 10, 11, 18, 19, 20]
    assert checked_online(crops[:4]) == crops[:4]


def test_progress_of_a_stream(walk):
    told = _Counting()
    personalize_stream(DotModel(), walk[2][:5], replace(SETTINGS, pose_rate=50.0), progress=told)
    assert told.stages == {"adapt and predict": [5, 5], "check": [3, 3], "predict": [5, 5]}


def test_a_stream_keeps_the_teachers_names(walk):
    base, settings = _colour_blind(), replace(SETTINGS, teacher_min_score=0.05, views=2)
    done = personalize_stream(base, walk[2][:8], settings)
    taught = predict_tta(base, walk[2][:8], TTA_VIEWS[:2]).keypoints
    assert sorted(done.reference) == list(range(8))
    assert np.allclose([done.reference[i] for i in range(8)], taught[..., :2])
    # Nobody teaches where the clip is only repainted.
    paper = replace(SETTINGS, self_training=0.0, anchor=1.0)
    assert personalize_stream(base, walk[2][:2], paper).reference == {}
