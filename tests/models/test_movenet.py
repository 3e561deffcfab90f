from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ttpose.models.checkpoint import load_model
from ttpose.models.encoders.mobile import MobileEncoder, person_anchors
from ttpose.models.encoders.movenet import MoveNetOutput
from ttpose.models.mobile_blocks import ConvAct
from ttpose.models.store import model_path


def _picture():
    """Coloured blocks, the same on every machine, RGB uint8 [256, 256, 3]."""
    blocks = np.random.default_rng(0).integers(0, 256, (32, 32, 3))
    return np.kron(blocks, np.ones((8, 8, 1), int)).astype(np.uint8)


@pytest.fixture(scope="module")
def published():
    """What the published MoveNet Thunder weights say of `_picture`: every eighth cell of its heads, from cell 3.

    The numbers come from an independent implementation that agrees with the original runtime to 6e-4.
    """
    with np.load(Path(__file__).parent / "movenet_numbers.npz") as stored:
        return dict(stored)


@pytest.fixture(scope="module")
def shipped():
    return load_model(model_path("mobile.safetensors"))


@pytest.fixture(scope="module")
def encoded(shipped):
    images = torch.from_numpy(_picture()[None]).permute(0, 3, 1, 2)
    with torch.no_grad():
        normalised = shipped.normalise(images)
        return shipped.encoder.trunk(normalised), shipped(normalised)


def test_heads_give_the_published_networks_logits(encoded, published):
    trunk, _ = encoded
    heads = {"heatmap": trunk.heatmaps, "center": trunk.center, "regress": trunk.regress, "offset": trunk.offsets}
    for name, maps in heads.items():
        assert np.ptp(published[name]) > 0.1, "numbers without any spread would prove nothing"
        assert np.abs(maps[0, :, 3::8, 3::8].numpy() - published[name]).max() < 1e-3, name


def test_anchors_are_the_published_networks_coarse_keypoints(encoded, published):
    _, out = encoded
    assert out.encoded.anchors.shape == (1, 17, 2)
    assert np.abs(out.encoded.anchors[0].numpy() - published["anchors"]).max() < 1e-3


def test_offsets_are_x_first(encoded, published):
    _, out = encoded
    wanted = published["offset"].reshape(17, 2, 8, 8)
    found = out.encoded.offsets[0, :, :, 3::8, 3::8].numpy()
    assert np.abs(found[:, 0] - wanted[:, 1]).max() < 1e-3
    assert np.abs(found[:, 1] - wanted[:, 0]).max() < 1e-3


def test_the_base_starts_as_the_published_network(encoded, published):
    _, out = encoded
    wanted = torch.sigmoid(torch.from_numpy(published["heatmap"]))
    assert torch.allclose(out.self_supervised[0, :17, 3::8, 3::8], wanted, atol=1e-3)
    # The trained affinity mixes a little, but a keypoint stays mostly its own pretrained map.
    affinity = out.affinity[0]
    assert torch.allclose(affinity.sum(-1), torch.ones(17), atol=1e-5)
    assert affinity[:, :17].diagonal().mean() > 0.6


def test_same_padding_is_tensorflows():
    conv = ConvAct(1, 1, 3, 2)
    torch.nn.init.ones_(conv.conv.weight)
    torch.nn.init.zeros_(conv.conv.bias)
    # An even side adds a row below and a column on the right: the first window starts at pixel 0.
    even = conv(torch.ones(1, 1, 4, 4))[0, 0]
    assert even.tolist() == [[9.0, 6.0], [6.0, 4.0]]
    # An odd one has a row on each side.
    odd = conv(torch.ones(1, 1, 5, 5))[0, 0]
    assert odd.tolist() == [[4.0, 6.0, 4.0], [6.0, 9.0, 6.0], [4.0, 6.0, 4.0]]


def test_the_person_in_the_middle_is_chosen():
    center = torch.full((1, 1, 16, 16), -9.0)
    regress = torch.zeros(1, 34, 16, 16)
    center[0, 0, 8, 9], center[0, 0, 1, 14] = 1.0, 3.0  # a bystander in the corner is seen a little better
    regress[0, 0, 8, 9], regress[0, 1, 8, 9] = -2.0, 3.0  # (y, x) from the middle to the nose
    regress[0, :, 1, 14] = 7.0
    nothing = torch.zeros(1)
    out = MoveNetOutput(nothing, nothing, nothing, nothing, center, regress, nothing)
    anchors = person_anchors(out)
    assert anchors[0, 0].tolist() == [12.0, 6.0]
    assert anchors[0, 1].tolist() == [9.0, 8.0]


def test_features_have_stride_4_and_see_the_image():
    torch.manual_seed(0)
    encoder = MobileEncoder(8).eval()
    out = encoder(torch.rand(2, 3, 64, 96) * 2 - 1)
    assert out.features.shape == (2, 8, 16, 24)
    assert out.seeds.shape == (2, 17, 16, 24)
    assert (out.features[0] - out.features[1]).abs().max() > 0
