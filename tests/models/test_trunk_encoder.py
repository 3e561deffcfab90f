from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from ttpose.models.checkpoint import load_model, read_tensors, save_model
from ttpose.models.decode import decode
from ttpose.models.perceptual_features import TrunkFeatures, perceptual_loss
from ttpose.models.self_head import PlainSelfHead
from ttpose.models.store import model_path
from ttpose.training.schedule import training_preset
from ttpose.training.start import build_model

SMALL = replace(training_preset("small").config, input_size=64, reconstruction_size=32, skeleton="penn13")


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return build_model(SMALL).eval()


def test_the_features_start_as_what_movenets_heatmap_head_sees(model):
    shipped = load_model(model_path("mobile.safetensors")).encoder.trunk
    images = torch.rand(1, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        p2 = shipped(images).p2
        stages = model.encoder.trunk.backbone(images)
        torch.testing.assert_close(model.encoder.trunk.pyramid(*stages)[2], p2, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(model.encoder.mix(p2), shipped.heatmap.sep(p2), rtol=1e-4, atol=1e-5)


def test_its_heads_are_the_papers(model):
    with torch.no_grad():
        output = model(torch.rand(2, 3, 64, 64))
    assert isinstance(model.self_head, PlainSelfHead)
    assert output.supervised.shape == (2, 13, 16, 16)
    assert output.self_supervised.shape == (2, 30, 16, 16)
    assert output.affinity.sum(-1).allclose(torch.ones(2, 13))
    assert (output.encoded.seeds, output.encoded.anchors, output.encoded.offsets) == (None, None, None)
    assert decode(output.supervised).shape == (2, 13, 3)


def test_no_weight_is_without_use(model):
    images = torch.rand(2, 3, 64, 64)
    output = model.train()(images)
    points = model.points(output.self_supervised)
    model.reconstruct(torch.rand(2, 3, 32, 32), points, points).sum().backward()
    output = model(images)
    output.supervised.sum().backward()
    unused = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    model.eval().zero_grad()
    assert not unused


def test_a_file_rebuilds_it(model, tmp_path):
    save_model(model, tmp_path / "small.safetensors", half=False)
    again = load_model(tmp_path / "small.safetensors")
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(again(images).supervised, model(images).supervised, rtol=1e-4, atol=1e-5)
    assert "mobile" in read_tensors(tmp_path / "small.safetensors")[1]["config"]


def test_its_first_stages_compare_images(model):
    assert isinstance(perceptual_loss(model).features, TrunkFeatures)
