from __future__ import annotations

import pytest
import torch

from tests.small_models import small_config
from ttpose.models.affinity import AffinityTransformer, weighted_maps


@pytest.fixture
def features():
    return torch.randn(2, 16, 16, 16, generator=torch.Generator().manual_seed(1))


def _built(**changes):
    torch.manual_seed(0)
    return AffinityTransformer(small_config(**changes), 7).eval()


def test_rows_are_shares(features):
    affinity = _built()(features)
    assert affinity.shape == (2, 7, 9)
    assert torch.allclose(affinity.sum(-1), torch.ones(2, 7), atol=1e-6)
    assert (affinity > 0).all()


def test_starts_near_the_identity_where_asked(features):
    affinity = _built(affinity_identity=8.0)(features)
    # e^8 against eight others of about e^0.
    assert torch.allclose(affinity, torch.eye(7, 9).expand(2, -1, -1), atol=0.005)
    plain = _built()(features)
    assert plain.max() < 0.9


def test_affinity_is_of_the_image_and_of_the_keypoint(features):
    affinity = _built()(features)
    assert (affinity[0] - affinity[1]).abs().max() > 1e-3
    assert (affinity[0, 0] - affinity[0, 1]).abs().max() > 1e-3


@pytest.mark.parametrize("positions", [False, True])
def test_only_learned_positions_tell_places_apart(features, positions):
    net = _built(token_positions=positions)
    if positions:
        torch.nn.init.normal_(net.positions)
    moved = features.roll((3, 5), dims=(2, 3))
    same = torch.allclose(net(features), net(moved), atol=1e-6)
    assert same is not positions


def test_tokens_are_pooled(features):
    net, pooled = _built(), _built(token_pool=4)
    pooled.load_state_dict(net.state_dict())
    coarse = torch.nn.functional.avg_pool2d(features, 4)
    assert torch.allclose(pooled(features), net(coarse), atol=1e-6)


def test_weighted_maps_are_the_papers_sum():
    affinity, maps = torch.rand(2, 3, 5), torch.randn(2, 5, 4, 6)
    wanted = torch.zeros(2, 3, 4, 6)
    for image in range(2):
        for keypoint in range(3):
            for point in range(5):
                wanted[image, keypoint] += affinity[image, keypoint, point] * maps[image, point]
    assert torch.allclose(weighted_maps(affinity, maps), wanted, atol=1e-6)
