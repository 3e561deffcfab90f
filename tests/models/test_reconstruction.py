from __future__ import annotations

import pytest
import torch

from ttpose.models.reconstruction import Decoder, Reconstructor, StageEncoder


def _part(weights, prefix):
    return {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}


def test_shapes_and_size_of_the_paper():
    net = Reconstructor(num_maps=30).eval()
    with torch.no_grad():
        assert net.appearance(torch.randn(2, 3, 128, 128)).shape == (2, 256, 16, 16)
        assert net(torch.randn(2, 3, 64, 64), torch.randn(2, 30, 64, 64)).shape == (2, 3, 64, 64)
    # The paper: 39.82 M parameters in all, 35.07 M of them in the pose network.
    assert sum(p.numel() for p in net.parameters()) == pytest.approx(39.82e6 - 35.07e6, abs=0.01e6)


def test_names_are_those_of_published_checkpoints(paper_weights):
    for module, prefix in ((StageEncoder(3), "image_encoder."), (StageEncoder(30), "pose_encoder.")):
        module.load_state_dict(_part(paper_weights, prefix))
    Decoder().load_state_dict(_part(paper_weights, "image_renderer."))


def test_source_and_keypoints_both_reach_the_picture():
    torch.manual_seed(0)
    net = Reconstructor(num_maps=4).eval()
    source, maps = torch.randn(1, 3, 32, 32), torch.rand(1, 4, 32, 32)
    with torch.no_grad():
        picture = net(source, maps)
        assert not torch.allclose(picture, net(source.roll(8, dims=2), maps))
        assert not torch.allclose(picture, net(source, maps.roll(8, dims=2)))
