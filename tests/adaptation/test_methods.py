from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tests.painted import box_of, paint, stepping
from tests.small_models import small_model
from ttpose.adaptation.adapter import Adapter
from ttpose.adaptation.losses import Clip
from ttpose.adaptation.losses.confident import Confident
from ttpose.adaptation.losses.entropy import Entropy
from ttpose.adaptation.methods import METHODS, fitted, let_learn, method_named
from ttpose.adaptation.offline import adapt_offline
from ttpose.adaptation.online import OnlineAdapter
from ttpose.adaptation.personalize import personalize_model
from ttpose.adaptation.session import PersonalizationSession
from ttpose.adaptation.settings import PAPER, PRESETS
from ttpose.core import geometry
from ttpose.core.errors import UsageError
from ttpose.core.progress import Progress
from ttpose.inference.crops import cut_crop
from ttpose.inference.settings import SINGLE_VIEW
from ttpose.inference.tta import TTA_VIEWS, predict_tta
from ttpose.inference.warps import PLAIN
from ttpose.models.person import PersonDelta
from ttpose.training.losses import pose_loss

# The structures that `ttpose train --method` leaves.
MODELS = {
    "joint": {},
    "supervised": {"pose_head": "separate", "self_task": "none"},
    "separate": {"pose_head": "separate"},
    "rotation": {"pose_head": "separate", "self_task": "rotation"},
    "imm": {"pose_head": "linear"},
}
FITTING = {
    "ours": ("joint", "supervised", "separate", "rotation"),
    "student": ("joint", "supervised", "separate", "rotation"),
    "paper": ("joint", "separate", "imm"),
    "tent": ("joint", "supervised", "separate", "rotation"),
    "rotation": ("rotation",),
    "confident": ("joint", "supervised", "separate", "rotation", "imm"),
}


@pytest.fixture(scope="module")
def models():
    found = {name: small_model(**changes) for name, changes in MODELS.items()}
    torch.manual_seed(0)
    for model in found.values():  # the first weights of transposed convolutions are too small to say anything
        for module in model.modules():
            if isinstance(module, nn.ConvTranspose2d):
                nn.init.kaiming_normal_(module.weight)
    return found


@pytest.fixture(scope="module")
def crops():
    people = [stepping(120, i / 2) for i in range(6)]
    return [cut_crop(paint(k, 120), box_of(k), 64, index=i, time_s=i / 25) for i, k in enumerate(people)]


def small(name, **changes):
    settings = replace(method_named(name, steps=2), batch=2, perceptual="none", teacher_min_score=-1e9, **changes)
    return replace(settings, decoder_warmup=min(settings.decoder_warmup, 1), teacher_views=1, refine=SINGLE_VIEW)


def clip_of(model, crops):
    labels = np.zeros((len(crops), len(model.skeleton), 3))
    labels[..., :2], labels[..., 2] = 48, 1
    cells = model.config.heatmap_size
    return Clip(crops, labels, torch.rand(len(crops), len(model.skeleton), cells, cells))


def changed_parts(model, adapter):
    before = dict(model.named_parameters())
    return {name for name, value in adapter.model.named_parameters() if not torch.equal(value, before[name])}


def step_of(model, crops, warps=None):
    warps = warps or [PLAIN] * len(crops)
    adapter = Adapter(model, [], PAPER)
    return adapter._look(crops, crops, warps, with_gradient=True)


@pytest.mark.parametrize(("method", "name"), [(m, n) for m, names in FITTING.items() for n in names])
def test_every_method_runs_on_the_models_that_fit(models, crops, method, name):
    model = models[name]
    settings = fitted(small(method), model.config)
    adapter = adapt_offline(model, clip_of(model, crops), settings)
    assert changed_parts(model, adapter)
    assert all(np.isfinite(record["total"]) for record in adapter.history)


@pytest.mark.parametrize(
    ("method", "name"),
    [(m, n) for m, names in FITTING.items() for n in MODELS if n not in names],
)
def test_what_does_not_fit_is_said_before_any_work(models, method, name):
    with pytest.raises(UsageError):
        fitted(method_named(method), models[name].config)


def test_the_paper_on_an_encoder_without_norm_layers(models):
    config = replace(models["joint"].config, preset="small")
    offline, online = (fitted(method_named("paper", mode=mode), config) for mode in ("offline", "online"))
    assert (offline.pose_rate, offline.decoder_rate, offline.steps, offline.decoder_warmup) == (1e-5, 5e-4, 40, 5)
    assert (online.pose_rate, online.steps, online.decoder_warmup, online.batch) == (1e-5, 0, 0, 8)
    whole = fitted(method_named("paper"), replace(config, preset="paper"))
    assert (whole.pose_rate, whole.steps, whole.batch) == (PAPER.pose_rate, PAPER.steps, PAPER.batch)


def test_a_rate_and_steps_that_the_caller_named_are_kept(models):
    config = replace(models["joint"].config, preset="small")
    named = fitted(method_named("paper", rate=1e-4, steps=7), config)
    assert (named.pose_rate, named.steps) == (1e-4, 7)
    assert named.decoder_rate == pytest.approx(5e-3)
    assert fitted(method_named("paper", learn=["encoder"]), config).decoder_rate == 0.0


def test_ours_on_a_whole_clip_of_a_model_without_hips_or_decoder(models, crops):
    done = personalize_model(models["rotation"], crops, fitted(small("ours"), models["rotation"].config))
    assert done.guard.decision in ("personalized", "interpolated", "base")
    assert done.guard.checks["base"].reconstruction is None


def test_tent_moves_norm_layers_only(models, crops):
    model = models["joint"]
    adapter = adapt_offline(model, clip_of(model, crops), small("tent"))
    norms = {
        f"{name}.{part}"
        for name, module in model.named_modules()
        if isinstance(module, (nn.BatchNorm2d, nn.LayerNorm)) and not name.startswith("reconstructor")
        for part in ("weight", "bias")
    }
    assert changed_parts(model, adapter) <= norms
    assert any("encoder" in name for name in changed_parts(model, adapter))
    before, after = dict(model.named_buffers()), dict(adapter.model.named_buffers())
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_tent_makes_heatmaps_surer(models, crops):
    model = models["joint"]
    entropy = Entropy(1.0)
    settings = replace(small("tent"), pose_rate=1e-2, steps=10)
    adapter = adapt_offline(model, clip_of(model, crops), settings)
    with torch.no_grad():
        before, after = (float(entropy.loss(step_of(m, crops))) for m in (model, adapter.model))
    assert after < before - 0.01


def test_entropy_by_hand(models, crops):
    step = step_of(models["joint"], crops[:1])
    maps = torch.zeros(1, 2, 4, 4)
    maps[0, 0, 1, 1] = 5.0  # certain
    maps[0, 1, 0, :2] = 0.3  # one of two cells: ln 2 of ln 16; a negative cell counts nothing
    maps[0, 1, 3, 3] = -4.0
    output = replace(step.output, supervised=maps)
    found = Entropy(1.0).loss(replace(step, output=output))
    assert float(found) == pytest.approx((0 + np.log(2) / np.log(16)) / 2, abs=1e-3)


def test_rotation_learns_the_clips_turns_with_the_encoder_only(models, crops):
    model = models["rotation"]
    settings = replace(small("rotation"), pose_rate=1e-3, steps=30, batch=4)
    adapter = adapt_offline(model, clip_of(model, crops), settings)
    early, late = (
        np.mean([record["rotation"] for record in part]) for part in (adapter.history[:6], adapter.history[-6:])
    )
    assert late < early
    assert all(name.startswith("encoder.") for name in changed_parts(model, adapter))


def test_confident_learns_only_labels_above_the_score(models, crops):
    model = models["joint"]
    step = step_of(model, crops[:1])
    count = len(model.skeleton)
    labels = np.zeros((1, count, 3))
    labels[0, :, :2], labels[0, 2, 2] = 48, 0.6
    loss_term = Confident(Clip(crops[:1], labels), 1.0)
    maps = step.output.supervised.detach().clone().requires_grad_()
    loss_term.loss(replace(step, output=replace(step.output, supervised=maps))).backward()
    moved = maps.grad[0].abs().sum((1, 2))
    assert moved[2] > 0
    assert float(moved.sum()) == pytest.approx(float(moved[2]))


def test_confident_is_the_papers_supervised_loss(models, crops):
    model, step = models["joint"], step_of(models["joint"], crops[:1])
    count, size, matrix = len(model.skeleton), model.config.input_size, step.matrices[0]
    joints = np.random.default_rng(0).uniform(10, size - 10, (count, 2))
    labels = np.ones((1, count, 3))
    labels[0, :, :2] = geometry.apply(geometry.invert(matrix), joints)
    found = Confident(Clip(crops[:1], labels), 1.0).loss(step)
    wanted = pose_loss(
        step.output.supervised, torch.from_numpy(np.column_stack([joints, np.ones(count)]))[None].float(), model.config
    )
    assert found.item() == pytest.approx(wanted.item(), rel=1e-4)


def test_labels_are_asked_for_where_they_teach(models, crops):
    done = personalize_model(models["joint"], crops, small("confident"))
    assert done.history[0]["confident"] > 0
    assert isinstance(done.delta, PersonDelta) and done.delta.changes


def test_online_confident_takes_each_frames_own_labels(models, crops):
    stream = OnlineAdapter(models["joint"], replace(small("confident"), mode="online"))
    list(stream.run(crops[:3]))
    assert [record["confident"] > 0 for record in stream.adapter.history] == [True] * 3


def test_reset_per_frame_forgets(models, crops):
    model = models["joint"]
    settings = replace(small("paper", reset_per_frame=True), mode="online", augmentation=replace(
        PAPER.augmentation, rotation_share=0.0, scale=(1.0, 1.0), flip=False))  # fmt: skip
    stream = OnlineAdapter(model, settings)
    first = stream.advance(crops[0])
    stream._seen.clear()
    again = stream.advance(crops[0])
    # Nothing random is left, so the same frame gives the same answer; without the reset it does not.
    assert np.array_equal(first.keypoints, again.keypoints)
    carried = OnlineAdapter(model, replace(settings, reset_per_frame=False))
    carried.advance(crops[0])
    carried._seen.clear()
    carried.advance(crops[0])
    ours, theirs = (torch.cat([p.flatten() for p in s.adapter.model.parameters()]) for s in (stream, carried))
    assert not torch.equal(ours, theirs)
    assert len(stream.adapter.history) == 2


def test_frame_steps(models, crops):
    stream = OnlineAdapter(models["joint"], replace(small("tent"), mode="online", frame_steps=3))
    list(stream.run(crops[:2]))
    assert stream.adapter.steps_done == 6


def test_parts_that_learn(models, crops):
    model = models["joint"]
    for parts in (["encoder"], ["self_head", "affinity"], ["norms"], ["decoder"]):
        adapter = adapt_offline(model, clip_of(model, crops), let_learn(small("paper"), parts))
        moved = {name.split(".")[0] for name in changed_parts(model, adapter)}
        wanted = {"reconstructor" if part == "decoder" else part for part in parts}
        assert moved <= (wanted if parts != ["norms"] else {"encoder"})
        assert moved, parts
    with pytest.raises(UsageError, match="no model has a part head"):
        let_learn(PAPER, ["encoder", "head"])


def test_parts_that_the_loss_does_not_reach_are_a_usage_error(models, crops):
    model = models["rotation"]
    with pytest.raises(UsageError, match="rotation gives this model no gradient where only pose_head"):
        adapt_offline(model, clip_of(model, crops), let_learn(small("rotation"), ["pose_head"]))


def test_methods_by_name():
    assert method_named("paper", seed=3) == replace(PAPER, seed=3)
    assert method_named() == PRESETS["balanced"]
    assert method_named("ours", preset="fast") == PRESETS["fast"]
    assert {name: method_named(name).preset for name in METHODS if name != "ours"} == {
        name: name for name in METHODS if name != "ours"
    }
    for name in ("tent", "rotation", "confident"):
        settings = method_named(name, mode="online")
        assert (settings.batch, settings.guard, settings.reconstruction, settings.ema) == (32, False, 0, None)
    with pytest.raises(UsageError, match="tent"):
        method_named("none")
    with pytest.raises(UsageError, match="no presets"):
        method_named("tent", preset="fast")


def test_observing_a_linear_model(models, crops):
    assert predict_tta(models["imm"], crops, TTA_VIEWS).keypoints.shape == (6, 7, 3)


@pytest.mark.parametrize(("name", "told"), [("ours", []), ("tent", ["tent has no guard"]), ("paper", ["paper has no"])])
def test_a_method_without_a_guard_says_so(name, told):
    class Notes(Progress):
        def __init__(self):
            self.notes = []

        def note(self, text):
            self.notes.append(text)

    heard = Notes()
    PersonalizationSession.begin(method_named(name), "cpu", None, None, heard)
    assert [note[: len(start)] for note, start in zip(heard.notes, told, strict=True)] == told
