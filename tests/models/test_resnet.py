from __future__ import annotations

import pytest
import torch

from ttpose.core.errors import WeightsError
from ttpose.models.encoders.resnet import ResNetEncoder


@pytest.mark.parametrize("depth", [18, 50])
def test_features_have_stride_four(depth):
    encoder = ResNetEncoder(depth).eval()
    with torch.no_grad():
        features = encoder(torch.randn(2, 3, 64, 96)).features
    assert features.shape == (2, encoder.out_channels, 16, 24)
    assert encoder.out_channels == 256


def test_resnet50_has_the_paper_size_and_torchvision_names():
    encoder = ResNetEncoder(50)
    trunk = {name: p for name, p in encoder.named_parameters() if not name.startswith("deconv_layers.")}
    # torchvision's ResNet-50 has 25,557,032 parameters, 2,049,000 of them in its classifier.
    assert sum(p.numel() for p in trunk.values()) == 25_557_032 - 2_049_000
    assert {"conv1.weight", "bn1.bias", "layer1.0.downsample.1.weight", "layer3.5.conv3.weight"} <= trunk.keys()
    assert encoder.layer2[0].conv2.stride == (2, 2)  # the stride sits in the 3x3 convolution


def test_imagenet_weights_start_the_trunk_only(tmp_path):
    donor, encoder = ResNetEncoder(18), ResNetEncoder(18)
    state = {name: t + 0.5 for name, t in donor.state_dict().items() if not name.startswith("deconv_layers.")}
    torch.save({**state, "fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}, tmp_path / "r18.pth")
    before = encoder.deconv_layers[0].weight.clone()
    encoder.load_imagenet(tmp_path / "r18.pth")
    assert torch.equal(encoder.layer4[1].conv2.weight, state["layer4.1.conv2.weight"])
    assert torch.equal(encoder.deconv_layers[0].weight, before)


def test_imagenet_weights_of_another_depth_are_refused(tmp_path):
    state = {name: t for name, t in ResNetEncoder(18).state_dict().items() if not name.startswith("deconv_layers.")}
    torch.save(state, tmp_path / "r18.pth")
    with pytest.raises(WeightsError, match=r"lacks layer1\.0\.bn3\.bias and 197 more"):
        ResNetEncoder(50).load_imagenet(tmp_path / "r18.pth")
