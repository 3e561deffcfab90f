from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.small_models import small_model
from ttpose.models.affinity import weighted_maps
from ttpose.models.bottleneck import draw_gaussians
from ttpose.models.config import mobile_config
from ttpose.models.encoders.output import EncoderOutput
from ttpose.models.pose_model import PoseModel
from ttpose.models.self_head import SeededSelfHead


@pytest.fixture(scope="module")
def model():
    return small_model()


@pytest.fixture
def images():
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(2))


def test_supervised_maps_are_made_of_self_supervised_ones(model, images):
    with torch.no_grad():
        out = model(images)
    assert out.supervised.shape == (2, 7, 16, 16)
    assert out.self_supervised.shape == (2, 9, 16, 16)
    assert torch.allclose(out.supervised, weighted_maps(out.affinity, out.self_supervised), atol=1e-6)


def test_normalisation_is_the_configs():
    model = small_model(mean=(10.0, 20.0, 30.0), std=(1.0, 2.0, 3.0))
    image = torch.tensor([11, 24, 39], dtype=torch.uint8).view(1, 3, 1, 1)
    assert model.normalise(image).flatten().tolist() == [1.0, 2.0, 3.0]


def test_mobile_normalisation_is_minus_one_to_one():
    config = mobile_config()
    ends = [(value - config.mean[0]) / config.std[0] for value in (0, 255)]
    assert ends == pytest.approx([-1.0, 1.0], abs=1e-4)


def test_heatmaps_of_pictures_are_those_of_normalised_tensors(model):
    pictures = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    supervised, self_supervised = model.heatmaps(pictures)
    with torch.no_grad():
        out = model(model.normalise(torch.from_numpy(pictures.transpose(0, 3, 1, 2).copy())))
    assert torch.allclose(supervised, out.supervised, atol=1e-6)
    assert torch.allclose(self_supervised, out.self_supervised, atol=1e-6)


def test_the_pose_path_does_not_run_the_reconstruction(model, images, monkeypatch):
    def forbidden(*args):
        raise AssertionError("reconstruction ran")

    monkeypatch.setattr(model.reconstructor, "forward", forbidden)
    model.heatmaps(np.zeros((1, 64, 64, 3), np.uint8))
    with pytest.raises(AssertionError, match="reconstruction ran"):
        model.reconstruct(torch.zeros(1, 3, 32, 32), torch.zeros(1, 9, 2), torch.zeros(1, 9, 2))


def test_the_papers_reconstruction_sees_drawn_points_at_image_size(model, monkeypatch):
    seen = {}
    monkeypatch.setattr(model.reconstructor, "forward", lambda source, maps: seen.update(maps=maps) or source)
    points = torch.full((1, 9, 2), 5.0)
    points[0, 1] = torch.tensor([12.0, 3.0])
    model.reconstruct(torch.zeros(1, 3, 32, 32), torch.zeros(1, 9, 2), points)
    maps = seen["maps"]
    assert maps.shape == (1, 9, 32, 32)  # 16 cells, doubled
    total = maps[0, 1].sum()
    grid = (torch.arange(32) + 0.5) / 32 * 16 - 0.5
    middle = (maps[0, 1].sum(0) @ grid / total, maps[0, 1].sum(1) @ grid / total)
    assert [float(v) for v in middle] == pytest.approx([12.0, 3.0], abs=0.3)  # cut off a little at the edges
    assert float(maps[0, 0].max()) == pytest.approx(float(draw_gaussians(points, 16, 2.0)[0, 0].max()), abs=0.1)


def test_reconstruction_gradient_reaches_the_pose_path(model, images):
    out = model(images)
    painted = model.reconstruct(images[:, :, ::2, ::2], None, model.points(out.self_supervised))
    model.zero_grad()
    painted.square().mean().backward()
    assert model.self_head.weight.grad.abs().max() > 0
    assert model.encoder.conv1.weight.grad.abs().max() > 0
    assert model.affinity.weight.weight.grad is None  # the affinity makes supervised maps only
    model.zero_grad(set_to_none=True)


def test_points_use_the_configs_sharpness():
    maps = torch.zeros(1, 9, 16, 16)
    maps[0, 0, 3, 9] = 1.0
    soft, sharp = small_model(), small_model(bottleneck_sharpness=20.0)
    assert float(sharp.points(maps)[0, 0, 0]) == pytest.approx(9.0, abs=0.01)
    assert float(soft.points(maps)[0, 0, 0]) < 8.5


def test_the_seeded_head_starts_as_its_seeds():
    torch.manual_seed(0)
    head = SeededSelfHead(8, 6, 4)
    features, seeds = torch.randn(1, 8, 5, 5), torch.randn(1, 4, 5, 5)
    maps = head(EncoderOutput(features, seeds))
    assert torch.allclose(maps[:, :4], torch.sigmoid(seeds), atol=1e-6)
    assert maps.shape[1] == 6 and maps[:, 4:].std() > 0
    # The residual learns.
    maps[:, 0].sum().backward()
    assert head.maps.weight.grad[0].abs().max() > 0


def test_mobile_structure():
    torch.manual_seed(0)
    model = PoseModel(mobile_config()).eval()
    with torch.no_grad():
        out = model(torch.zeros(1, 3, 256, 256))
    assert out.supervised.shape == (1, 17, 64, 64) and out.self_supervised.shape == (1, 32, 64, 64)
    assert out.affinity.diagonal(dim1=1, dim2=2).min() > 0.98
    with torch.no_grad():
        points = model.points(out.self_supervised)
        assert model.reconstruct(torch.zeros(1, 3, 128, 128), points, points).shape == (1, 3, 128, 128)
