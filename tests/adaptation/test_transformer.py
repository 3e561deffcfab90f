from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.painted import box_of, paint, stepping
from ttpose.adaptation.boxed_clip import personalize_crops
from ttpose.adaptation.losses import Clip
from ttpose.adaptation.methods import fitted
from ttpose.adaptation.offline import adapt_offline
from ttpose.adaptation.settings import preset_named
from ttpose.core.geometry import apply, invert
from ttpose.inference.crops import cut_crop
from ttpose.models.config import ViTConfig
from ttpose.models.encoders.vitpose import draw_adapters
from ttpose.models.person import PersonDelta
from ttpose.models.pose_model import PoseModel
from ttpose.models.vitpose import vitpose_config


def small_vitpose(decoder="simple"):
    """A random ViTPose for crops of 64×48."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        vit = ViTConfig(width=32, depth=2, heads=2, patch=8, positions=(8, 6), decoder=decoder, adapter_rank=4)
        model = PoseModel(vitpose_config(vit, target_sigma=1.0))
    draw_adapters(model)
    return model.eval()


@pytest.fixture(scope="module")
def walk():
    """16 painted frames with boxes and true keypoints."""
    keypoints = [stepping(96, i / 2) for i in range(16)]
    return [paint(k, 96) for k in keypoints], [box_of(k) for k in keypoints], keypoints


def test_no_block_is_frozen_and_all_rates_are_the_adapters():
    usual = preset_named("balanced")
    settings = fitted(usual, small_vitpose("simple").config)
    assert usual.frozen and usual.corrections.frozen
    assert settings.frozen == settings.corrections.frozen == ()
    raised = settings.pose_rate / usual.pose_rate
    assert raised > 1
    assert settings.corrections.rate == pytest.approx(raised * usual.corrections.rate)
    assert settings.corrections.later_rate == pytest.approx(raised * usual.corrections.later_rate)


@pytest.mark.parametrize("decoder", ["simple", "classic"])
def test_adapters_norms_and_the_decoder_learn_and_nothing_else(walk, decoder):
    base = small_vitpose(decoder)
    settings = fitted(preset_named("fast", steps=3), base.config)
    images, boxes, _ = walk
    made = personalize_crops(base, images, boxes, settings=settings)
    changed = PersonDelta.between(base, made.model, "").changes if made.guard.decision != "base" else None
    crops = [
        cut_crop(image, box, base.config.crop, index=i)
        for i, (image, box) in enumerate(zip(images, boxes, strict=True))
    ]
    labels = np.stack([k.copy() for k in walk[2]])
    for row, crop in zip(labels, crops, strict=True):
        row[:, :2] = apply(invert(crop.to_source), row[:, :2])
    adapter = adapt_offline(base, Clip(crops, labels), _supervised(settings))
    learned = PersonDelta.between(base, adapter.average, "").changes
    assert learned
    for name in {*learned, *(changed or ())}:
        assert name.endswith(".up") or "norm" in name or name.startswith("encoder.decoder."), name
    assert any(name.endswith(".up") for name in learned)
    state = base.state_dict()
    assert all(
        torch.equal(state[name], value) for name, value in adapter.model.state_dict().items() if name not in learned
    )


def _supervised(settings):
    from dataclasses import replace

    return replace(settings, distillation=0.0, self_training=1.0)


def test_labels_are_learned(walk):
    """Of a network that knows nothing the error to true places falls, on its own frames."""
    base = small_vitpose()
    images, boxes, keypoints = walk
    crops = [
        cut_crop(image, box, base.config.crop, index=i)
        for i, (image, box) in enumerate(zip(images, boxes, strict=True))
    ]
    labels = np.stack([k.copy() for k in keypoints])
    for row, crop in zip(labels, crops, strict=True):
        row[:, :2] = apply(invert(crop.to_source), row[:, :2])
    from dataclasses import replace

    settings = replace(_supervised(fitted(preset_named("fast", steps=60), base.config)), pose_rate=3e-3)
    history = adapt_offline(base, Clip(crops, labels), settings).history
    losses = [step["self_training"] for step in history]
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])


def test_half_of_a_delta_is_half_of_the_change():
    base = small_vitpose()
    changes = {n: torch.randn_like(p) * 0.1 for n, p in base.named_parameters() if n.endswith("qkv.up")}
    delta = PersonDelta("", changes)
    block = "encoder.trunk.blocks.0.qkv.up"

    def weight(model):
        linear = model.encoder.trunk.blocks[0].qkv
        return linear.weight + linear.up @ linear.down

    start, half, whole = weight(base), weight(delta.apply(base, 0.5)), weight(delta.apply(base))
    assert block in changes
    assert torch.allclose(half, (start + whole) / 2, atol=1e-6)


def test_a_person_of_a_full_size_b_is_a_few_megabytes(tmp_path):
    vit = ViTConfig(decoder="classic")
    with torch.device("meta"):
        model = PoseModel(vitpose_config(vit))
    learned = [
        value
        for name, value in model.named_parameters()
        if name.endswith(".up") or "norm" in name or name.startswith("encoder.decoder.")
    ]
    assert 0.5e6 < sum(value.numel() for value in learned) < 5e6  # a byte each
