from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.recorded import Recorded
from tests.small_models import CountedDots, DotModel, recoloured
from ttpose.adaptation.guard import selection
from ttpose.adaptation.guard.metrics import GuardReport
from ttpose.adaptation.online import OnlineAdapter, checked_online, personalize_stream
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.inference.tta import predict_tta

SETTINGS = PersonalizeSettings(steps=6, batch=4, pose_rate=0.02, ema=0.5, rate_warmup=0)


def _colour_blind():
    return recoloured(DotModel(), 0.25, -0.25, 0.25)


def test_online_predicts_each_frame_after_learning_from_it(walk):
    base = _colour_blind()
    stream = OnlineAdapter(base, replace(SETTINGS, mode="online", teacher_views=2, teacher_min_score=0.05))
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


def test_online_predicts_by_the_settings_views(walk):
    base = CountedDots()
    stream = OnlineAdapter(base, replace(SETTINGS, teacher_views=4, refine=replace(SETTINGS.refine, views=2)))
    stream.advance(walk[2][0])
    assert (base.predicted, stream.model.predicted) == (4, 2)


def test_online_the_base_teaches(walk):
    base = CountedDots()
    stream = OnlineAdapter(base, replace(SETTINGS, teacher_min_score=0.05))
    list(stream.run(walk[2][:4]))
    assert base.predicted == SETTINGS.teacher_views * 4, "errors of what learned must not teach"
    assert stream.model.predicted == 4 and stream.adapter.model.taught > 0


def test_online_the_ensemble_is_left_to_the_whole_clip(walk):
    settings = replace(SETTINGS, refine=replace(SETTINGS.refine, ensemble=True), teacher_min_score=0.05)
    known = np.arange(5.0 * 17 * 4).reshape(5, 17, 4)
    done = personalize_stream(DotModel(), walk[2][:5], settings, ensemble=known)
    assert done.prediction.ensemble is known
    assert personalize_stream(DotModel(), walk[2][:2], settings).prediction.ensemble is None


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
    assert np.array_equal(done.prediction.keypoints, np.concatenate([s.keypoints for s in seen]))
    assert done.delta.base_sha256 == "ab" and len(done.history) == 8
    # The person file rounds to a 127th of the largest change.
    assert torch.allclose(done.model.encoder.colors, stream.model.encoder.colors, atol=0.01)
    assert done.guard.checks == {}


@pytest.mark.parametrize(("decision", "kept"), [("base", 0.0), ("interpolated", 0.5), ("personalized", 1.0)])
def test_the_guard_has_the_last_word_on_a_stream(walk, monkeypatch, decision, kept):
    base, settings = _colour_blind(), replace(SETTINGS, teacher_min_score=0.05)
    whole = personalize_stream(base, walk[2][:20], replace(settings, guard=False))
    monkeypatch.setattr(selection, "decide", lambda checks: GuardReport(decision, "for the test", checks))
    done = personalize_stream(base, walk[2][:20], settings)
    wanted = base.encoder.colors + kept * (whole.model.encoder.colors - base.encoder.colors)
    assert torch.allclose(done.model.encoder.colors, wanted, atol=1e-5)
    assert "learning frames were checked" in done.guard.reason and set(done.guard.checks) == {
        "base", "interpolated", "personalized",
    }  # fmt: skip
    chosen_sees = predict_tta(done.model, walk[2][:20]).keypoints
    assert np.array_equal(done.prediction.keypoints, chosen_sees) == (decision != "personalized")


def test_a_ruined_stream_falls_back_to_the_base(walk):
    base = DotModel()
    done = personalize_stream(base, walk[2], replace(SETTINGS, pose_rate=50.0))
    assert done.guard.decision == "base" and done.delta.changes == {}
    assert np.array_equal(done.prediction.keypoints, predict_tta(base, walk[2]).keypoints)


def test_a_stream_is_checked_on_runs_of_its_frames(walk):
    crops = walk[2]
    assert [c.index for c in checked_online(crops)] == [9, 10, 11, 18, 19, 20]
    assert checked_online(crops[:4]) == crops[:4]


def test_progress_of_a_stream(walk):
    told = Recorded()
    personalize_stream(DotModel(), walk[2][:5], replace(SETTINGS, pose_rate=50.0), progress=told)
    assert told.stages == {"adapt and predict": [5, 5], "compare weights on held-out frames": [3, 3], "predict": [5, 5]}
