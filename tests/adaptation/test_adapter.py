from __future__ import annotations

import copy
import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.small_models import small_model
from ttpose.adaptation import adapter as adapt
from ttpose.adaptation.adapter import Adapter
from ttpose.adaptation.losses.anchor import Anchor
from ttpose.adaptation.losses.reconstruction import Reconstruction
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.inference.warps import PLAIN
from ttpose.models.perceptual_features import perceptual_loss

SETTINGS = PersonalizeSettings(batch=2, pose_rate=1e-3, decoder_rate=2e-3, rate_warmup=0, ema=None, clip_norm=None)


class _Push:
    """Pulls every pose-path parameter that learns with a gradient of `slope`."""

    name, weight = "push", 1.0

    def __init__(self, slope=1.0):
        self.slope = slope

    def loss(self, step):
        total = sum(p.sum() for n, p in step.model.named_parameters() if p.requires_grad and "reconstructor" not in n)
        return self.slope * total + 0 * step.output.supervised.sum()


def _weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def _changed(before, model):
    return {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}


def _adapter(base, settings=SETTINGS, losses=None):
    return Adapter(base, [_Push()] if losses is None else losses, settings)


@pytest.fixture(scope="module")
def small():
    return small_model()


@pytest.fixture(scope="module")
def small_crops(painted_crops):
    """Cut for 64 px, which is the small model's size as well."""
    return painted_crops


def test_what_is_frozen_stays_bit_for_bit(small, small_crops):
    adapter = _adapter(small, replace(SETTINGS, reconstruction=1.0))
    before = _weights(small)
    for _ in range(3):
        adapter.step(small_crops[:2], small_crops[2:4])
    changed = _changed(before, adapter.model)
    norms = {n for n, m in small.named_modules() if isinstance(m, (torch.nn.BatchNorm2d, torch.nn.LayerNorm))}
    assert norms
    assert not any(name.rsplit(".", 1)[0] in norms for name in changed)
    assert not any(name.startswith("affinity.") for name in changed)
    convolutions = {n for n, _ in small.encoder.named_parameters(prefix="encoder") if n.rsplit(".", 1)[0] not in norms}
    assert convolutions <= changed
    assert {"self_head.weight", "self_head.bias"} <= changed


def test_the_base_stays_as_it_is(small, small_crops):
    before = _weights(small)
    _adapter(small, replace(SETTINGS, ema=0.9)).step(small_crops[:2], small_crops[2:4])
    assert not _changed(before, small)
    assert all(p.grad is None for p in small.parameters())


def test_only_the_named_prefixes_learn(small, small_crops):
    before = _weights(small)
    adapter = _adapter(small, replace(SETTINGS, trainable=("self_head.", "encoder.layer4.1.conv2")))
    adapter.step(small_crops[:2], small_crops[2:4])
    assert _changed(before, adapter.model) == {"self_head.weight", "self_head.bias", "encoder.layer4.1.conv2.weight"}


def test_warm_up_moves_the_decoder_alone(tiny, painted_crops):
    settings = replace(SETTINGS, reconstruction=1.0, decoder_warmup=2, ema=0.9)
    losses = [Reconstruction(1.0, perceptual_loss(tiny), 2), Anchor(1.0)]
    adapter, before = _adapter(tiny, settings, losses), _weights(tiny)
    for _ in range(2):
        terms = adapter.step(painted_crops[:2], painted_crops[2:4])
        assert set(terms) == {"reconstruction", "total"}
    changed = _changed(before, adapter.model)
    assert changed and all(name.startswith("reconstructor.") for name in changed)
    assert not _changed(before, adapter.average)
    terms = adapter.step(painted_crops[:2], painted_crops[2:4])
    assert "anchor" in terms
    later = _changed(before, adapter.model)
    assert any(name.startswith("encoder.") for name in later)
    assert _changed(before, adapter.average)


def test_warm_up_computes_nothing_that_is_not_reconstructed(tiny, painted_crops):
    looked = []

    class Watch(_Push):
        name = "reconstruction"

        def loss(self, step):
            looked.append([crop.index for crop in step.targets])
            return super().loss(step) + sum(p.sum() for p in step.model.reconstructor.parameters())

    settings = replace(SETTINGS, reconstruction=1.0, decoder_warmup=1, reconstruction_batch=2, together=4)
    adapter = _adapter(tiny, settings, [Watch()])
    for _ in range(2):
        adapter.step(painted_crops[:3], painted_crops[3:6])
    assert looked == [[0, 1], [0, 1, 2]]


def test_without_reconstruction_the_decoder_rests(tiny, painted_crops):
    adapter, before = _adapter(tiny), _weights(tiny)
    adapter.step(painted_crops[:1], painted_crops[2:3])
    assert not any(name.startswith("reconstructor.") for name in _changed(before, adapter.model))


def test_rate_rises_over_the_first_steps(dots, walk):
    # Adam's step is its rate while the gradient stays the same.
    adapter = _adapter(dots, replace(SETTINGS, rate_warmup=4))
    gains = [1.0]
    for _ in range(6):
        adapter.step(walk[2][:2], walk[2][2:4])
        gains.append(float(adapter.model.encoder.gain.detach()))
    moves = -np.diff(gains)
    assert moves == pytest.approx([0.25e-3, 0.5e-3, 0.75e-3, 1e-3, 1e-3, 1e-3], rel=0.02)


def test_rates_are_the_settings(tiny, painted_crops):
    settings = replace(SETTINGS, reconstruction=1.0)
    losses = [_Push(), Reconstruction(1.0, perceptual_loss(tiny), 1)]
    adapter, before = _adapter(tiny, settings, losses), _weights(tiny)
    adapter.step(painted_crops[:1], painted_crops[2:3])
    after = adapter.model.state_dict()
    pose = (after["encoder.trunk.stem.conv.weight"] - before["encoder.trunk.stem.conv.weight"]).abs()
    decoder = (after["reconstructor.leave.3.weight"] - before["reconstructor.leave.3.weight"]).abs()
    assert float(pose.max()) == pytest.approx(1e-3, rel=0.05)
    assert float(decoder.max()) == pytest.approx(2e-3, rel=0.05)


@pytest.mark.parametrize(("slope", "limit", "norm"), [(100.0, 1.0, 1.0), (1e-4, 1.0, None), (100.0, None, None)])
def test_gradients_are_clipped_by_their_norm(dots, walk, slope, limit, norm):
    adapter = _adapter(dots, replace(SETTINGS, clip_norm=limit), [_Push(slope)])
    adapter.step(walk[2][:2], walk[2][2:4])
    gradients = [p.grad for p in adapter.model.parameters() if p.grad is not None]
    found = float(torch.cat([g.flatten() for g in gradients]).norm())
    free = slope * sum(g.numel() for g in gradients) ** 0.5
    assert found == pytest.approx(free if norm is None else norm, rel=1e-3)


def test_pose_and_decoder_are_clipped_apart(tiny, painted_crops):
    class Both(_Push):
        def loss(self, step):
            return 10.0 * sum(p.sum() for p in step.model.parameters() if p.requires_grad)

    adapter = _adapter(tiny, replace(SETTINGS, reconstruction=1.0, clip_norm=0.5), [Both()])
    adapter.step(painted_crops[:1], painted_crops[2:3])
    for group in adapter.optimizer.param_groups:
        norm = torch.cat([p.grad.flatten() for p in group["params"]]).norm()
        assert float(norm) == pytest.approx(0.5, rel=0.02), group["name"]


def test_the_average_follows_the_formula(dots, walk):
    adapter = _adapter(dots, replace(SETTINGS, ema=0.8))
    wanted = 1.0
    for step in range(1, 30):
        adapter.step(walk[2][:1], walk[2][2:3])
        keep = min(0.8, step / (step + 5))
        wanted = keep * wanted + (1 - keep) * float(adapter.model.encoder.gain.detach())
        assert float(adapter.average.encoder.gain.detach()) == pytest.approx(wanted, rel=1e-5)
    assert 29 / 34 > 0.8, "long enough that the settings' own share holds"


def test_without_an_average_the_last_weights_predict(dots):
    adapter = _adapter(dots)
    assert adapter.average is adapter.model


def test_no_frozen_weight_moves_in_the_average(small, small_crops):
    adapter, before = _adapter(small, replace(SETTINGS, ema=0.5)), _weights(small)
    for _ in range(2):
        adapter.step(small_crops[:2], small_crops[2:4])
    assert _changed(before, adapter.average) == _changed(before, adapter.model)


def _run(base, crops, seed, steps=3):
    # Only random views make a difference: each adapter gets the same frames.
    adapter = Adapter(base, [Anchor(1.0), _Squeeze()], replace(SETTINGS, seed=seed, ema=0.9))
    for _ in range(steps):
        adapter.step(crops[:2], crops[2:4])
    return adapter


class _Squeeze:
    name, weight = "squeeze", 1.0

    def loss(self, step):
        return step.output.supervised.square().mean()


def test_the_same_seed_gives_the_same_weights_bit_for_bit(small, small_crops):
    first, second, other = (_run(small, small_crops, seed) for seed in (5, 5, 6))
    for one, two in ((first.model, second.model), (first.average, second.average)):
        assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))
    assert first.history == second.history
    assert _changed(_weights(first.model), other.model)


def test_global_random_numbers_do_not_matter(small, small_crops):
    torch.manual_seed(1)
    np.random.seed(1)
    first = _run(small, small_crops, 5)
    torch.manual_seed(2)
    np.random.seed(2)
    second = _run(small, small_crops, 5)
    assert not _changed(_weights(first.model), second.model)


def test_history_has_an_entry_a_step(dots, walk):
    adapter = _adapter(dots)
    for _ in range(3):
        returned = adapter.step(walk[2][:2], walk[2][2:4])
    assert len(adapter.history) == adapter.steps_done == 3
    assert adapter.history[-1] == returned
    totals = [entry["total"] for entry in adapter.history]
    assert all(b < a for a, b in itertools.pairwise(totals))


def test_the_first_view_can_be_asked_for_unchanged(dots, walk, monkeypatch):
    asked = []
    original = adapt.warped_batch
    monkeypatch.setattr(
        adapt, "warped_batch", lambda crops, warps, size: asked.append(warps) or original(crops, warps, size)
    )
    adapter = _adapter(dots)
    adapter.step(walk[2][:3], walk[2][3:6], first_plain=True)
    adapter.step(walk[2][:3], walk[2][3:6])
    assert asked[0][0] is PLAIN
    assert all(warp is not PLAIN for warp in [*asked[0][1:], *asked[1]])


def test_evaluation_mode_throughout(small, small_crops):
    base = copy.deepcopy(small).train()
    adapter = _adapter(base)
    adapter.step(small_crops[:2], small_crops[2:4])
    assert not adapter.model.training and not adapter.average.training
