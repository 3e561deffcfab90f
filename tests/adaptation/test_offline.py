from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.recorded import Recorded
from tests.small_models import DotModel, recoloured
from ttpose.adaptation.losses import Clip
from ttpose.adaptation.offline import _draw, _other_frames, adapt_offline, build_losses
from ttpose.adaptation.settings import PAPER, PersonalizeSettings
from ttpose.core import geometry
from ttpose.inference.tta import predict_tta

SETTINGS = PersonalizeSettings(steps=6, batch=4, pose_rate=0.02, ema=0.5, rate_warmup=0)


def _clip(walk, count):
    keypoints, _, crops = walk
    labels = keypoints[:count].copy()
    for row, crop in zip(labels, crops, strict=False):
        row[:, :2] = geometry.apply(geometry.invert(crop.to_source), row[:, :2])
    labels[..., 2] = 1.0
    return Clip(crops[:count], labels)


def test_offline_learns_from_the_labels(walk):
    base, clip = recoloured(DotModel(), 0.25, -0.25, 0.25), _clip(walk, 10)
    adapter = adapt_offline(base, clip, replace(SETTINGS, steps=20))
    early, late = (np.mean([h["total"] for h in part]) for part in (adapter.history[:3], adapter.history[-3:]))
    assert late < 0.85 * early
    before, after = (predict_tta(m, clip.crops).keypoints[..., 2].mean() for m in (base, adapter.average))
    assert after > before + 0.1


@pytest.mark.parametrize(("asked", "wanted"), [(6, 6), (0, 10)])
def test_offline_takes_the_asked_steps_or_one_a_frame(dots, walk, asked, wanted):
    told = Recorded()
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
    runs = [
        adapt_offline(recoloured(DotModel(), 0.25, -0.25, 0.25), clip, replace(SETTINGS, seed=s)).average.encoder.colors
        for s in (1, 1, 2)
    ]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_objectives_are_those_that_have_a_weight(tiny):
    empty = Clip([], np.zeros((0, 17, 3)))

    def names(**weights):
        none = {"reconstruction": 0.0, "distillation": 0.0, "self_training": 0.0, "anchor": 0.0}
        return {o.name: o.weight for o in build_losses(empty, tiny, replace(SETTINGS, **none | weights))}

    assert names() == {}
    assert names(anchor=2.0) == {"anchor": 2.0}
    everything = {"reconstruction": 0.5, "distillation": 2.0, "self_training": 1.0, "anchor": 3.0}
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
