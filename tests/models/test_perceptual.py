from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ttpose.core.errors import WeightsError
from ttpose.models.perceptual import PAPER_MEANS, PerceptualLoss
from ttpose.models.vgg import VGG16Features


class _Halves(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(2.0))

    def forward(self, images):
        return [F.avg_pool2d(images, 2) * self.gain]


def test_terms_are_divided_by_their_running_means():
    loss = PerceptualLoss(_Halves(), initial=(0.5, 4.0), momentum=0.1)
    target = torch.zeros(1, 3, 8, 8)
    value, terms = loss(torch.ones(1, 3, 8, 8), target)
    assert terms.tolist() == pytest.approx([1.0, 4.0])
    # The mean moves first and then divides, as in the paper's code: 0.9 * 0.5 + 0.1 * 1 and 0.9 * 4 + 0.1 * 4.
    assert float(value) == pytest.approx(1 / 0.55 + 4 / 4)
    assert loss.means.tolist() == pytest.approx([0.55, 4.0])


def test_without_initial_means_each_term_starts_at_one_and_reset_forgets():
    loss = PerceptualLoss(_Halves())
    target = torch.zeros(1, 3, 8, 8)
    first, _ = loss(torch.full((1, 3, 8, 8), 3.0), target)
    later, _ = loss(torch.ones(1, 3, 8, 8), target)
    assert float(first) == pytest.approx(2.0)
    assert float(later) == pytest.approx(2 / 9, rel=0.02)
    loss.reset()
    again, _ = loss(torch.ones(1, 3, 8, 8), target)
    assert float(again) == pytest.approx(2.0)


def test_running_means_rest_in_evaluation_mode():
    loss = PerceptualLoss(_Halves(), initial=(1.0, 1.0)).eval()
    loss(torch.ones(1, 3, 8, 8), torch.zeros(1, 3, 8, 8))
    assert loss.means.tolist() == [1.0, 1.0]


def test_gradient_reaches_the_reconstruction_but_not_the_features():
    features = _Halves()
    loss = PerceptualLoss(features, initial=(1.0, 1.0))
    image = torch.ones(1, 3, 8, 8, requires_grad=True)
    loss(image, torch.zeros(1, 3, 8, 8))[0].backward()
    assert image.grad.abs().min() > 0
    assert features.gain.grad is None


def test_pixels_of_no_weight_do_not_count():
    loss = PerceptualLoss(_Halves(), initial=(1.0, 1.0)).eval()
    target, image = torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)
    image[..., :4], image[..., 4:] = 1.0, 100.0
    weight = torch.zeros(1, 1, 8, 8)
    weight[..., :4] = 0.3
    _, terms = loss(image, target, weight)
    assert terms.tolist() == pytest.approx([1.0, 4.0])


@pytest.fixture(scope="module")
def vgg_file(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("vgg") / "vgg16.pth"
    # torchvision's file also holds conv5_3, which no term needs, and the classifier.
    extra = {"classifier.0.bias": torch.zeros(8)}
    extra |= {"features.28.weight": torch.zeros(512, 512, 3, 3), "features.28.bias": torch.zeros(512)}
    torch.save({**VGG16Features().state_dict(), **extra}, path)
    return path


def test_vgg_taps_follow_the_paper(vgg_file):
    model = VGG16Features.load(vgg_file)
    image = torch.randn(1, 3, 32, 32)
    maps = model(image)
    assert [tuple(m.shape[1:]) for m in maps] == [(64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4), (512, 2, 2)]
    state = torch.load(vgg_file, weights_only=True)

    def conv(x, index):
        return F.relu(F.conv2d(x, state[f"features.{index}.weight"], state[f"features.{index}.bias"], padding=1))

    first = conv(conv(image, 0), 2)
    second = conv(conv(F.max_pool2d(first, 2), 5), 7)
    assert torch.allclose(maps[0], first, atol=1e-6)
    assert torch.allclose(maps[1], second, atol=1e-6)
    assert not any(p.requires_grad for p in model.parameters())
    assert len(PAPER_MEANS) == 1 + len(maps)


def test_vgg_can_be_shown_blue_first(vgg_file):
    image = torch.randn(1, 3, 16, 16)
    rgb, bgr = VGG16Features.load(vgg_file), VGG16Features.load(vgg_file, channels="bgr")
    assert torch.allclose(bgr(image)[0], rgb(image.flip(1))[0], atol=1e-6)


def test_missing_vgg_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(WeightsError) as caught:
        VGG16Features.load()
    assert str(tmp_path) in caught.value.message
    assert "https://download.pytorch.org/models/vgg16-397923af.pth" in caught.value.hint


def test_a_file_of_another_network_is_refused(tmp_path):
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="lacks features"):
        VGG16Features.load(tmp_path / "other.pth")
