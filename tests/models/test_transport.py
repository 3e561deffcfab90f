from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.painted import bent, limb_color, paint, standing, stepping
from ttpose.core.skeleton import COCO17
from ttpose.models.transport import BodyParts, TransportReconstructor, part_maps, part_masks

SIZE = 128


def _shares(keypoints):
    """Keypoints in pixels as points [1, K, 2] in shares of the side."""
    return torch.from_numpy((keypoints[None, :, :2] + 0.5) / SIZE - 0.5).float()


def _tensor(image):
    return torch.from_numpy(image).permute(2, 0, 1)[None].float() / 127.5 - 1


@pytest.fixture(scope="module")
def carrier():
    """A reconstructor that adds nothing of its own to what is carried."""
    torch.manual_seed(0)
    net = TransportReconstructor(COCO17, len(COCO17)).eval().requires_grad_(False)
    torch.nn.init.zeros_(net.leave[-1].weight)
    torch.nn.init.zeros_(net.leave[-1].bias)
    return net


def test_parts_join_the_named_keypoints():
    parts = BodyParts(COCO17, 20)
    points = torch.randn(2, 20, 2)
    segments = parts(points)
    assert segments.shape == (2, len(parts.widths), 2, 2)
    at = COCO17.index
    assert torch.allclose(segments[:, 0, 0], points[:, at("left_shoulder")])
    assert torch.allclose(segments[:, 0, 1], points[:, at("left_elbow")])
    trunk = segments[:, 10]
    assert torch.allclose(trunk[:, 0], (points[:, at("left_shoulder")] + points[:, at("right_shoulder")]) / 2)
    assert torch.allclose(trunk[:, 1], (points[:, at("left_hip")] + points[:, at("right_hip")]) / 2)
    # The three free points are blobs of their own, at the end.
    assert torch.allclose(segments[:, -3:, 0], points[:, 17:])
    assert torch.equal(segments[:, -3:, 0], segments[:, -3:, 1])


def test_masks_are_capsules():
    segments = torch.tensor([[[[-0.25, 0.0], [0.25, 0.0]], [[0.1, 0.2], [0.1, 0.2]]]])
    masks = part_masks(segments, torch.tensor([0.05, 0.05]), 101)[0]
    assert masks.shape == (2, 101, 101)

    def at(part, x, y):
        return float(masks[part, round((y + 0.5) * 101 - 0.5), round((x + 0.5) * 101 - 0.5)])

    for x in (-0.25, 0.0, 0.25):
        assert at(0, x, 0.0) > 0.98
    drop = math.exp(-0.5 * (round(0.05 * 101) / 101 / 0.05) ** 2)  # five pixels off, a standard deviation
    assert at(0, 0.0, 0.05) == pytest.approx(drop, abs=0.01)
    assert at(0, 0.3, 0.0) == pytest.approx(drop, abs=0.04)  # round ends
    assert at(0, 0.0, 0.3) < 1e-6
    assert at(1, 0.1, 0.2) > 0.98 and at(1, 0.2, 0.2) < 0.2


def test_part_maps_take_the_target_to_the_source():
    turn = math.radians(70)
    target = torch.tensor([[[[0.0, 0.0], [0.2, 0.0]], [[-0.2, -0.2], [-0.2, 0.1]]]])
    rotation = torch.tensor([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    source = target @ rotation.T + torch.tensor([0.05, -0.1])
    linear, shift = part_maps(source, target)
    found = (linear @ target.transpose(2, 3)).transpose(2, 3) + shift[:, :, None]
    # A limb's ends are met up to the share that a short limb's direction is not trusted with.
    assert (found - source).norm(dim=-1).max() < 0.035
    middle = (linear @ target.mean(2)[..., None])[..., 0] + shift
    assert torch.allclose(middle, source.mean(2), atol=1e-6)
    assert (torch.linalg.det(linear) > 0).all()  # nothing is mirrored


def test_a_foreshortened_limb_keeps_its_thickness():
    body = torch.tensor([[[-0.2, -0.3], [-0.2, 0.3]], [[0.2, -0.3], [0.2, 0.3]]])
    long, short = torch.tensor([[[0.0, -0.2], [0.0, 0.2]]]), torch.tensor([[[0.0, -0.1], [0.0, 0.1]]])
    linear, _ = part_maps(torch.cat([body, long])[None], torch.cat([body, short])[None])
    along, across = float(linear[0, 2, 1, 1]), float(linear[0, 2, 0, 0])
    assert along > 1.5
    assert across == pytest.approx(1.0, abs=0.05)


def _person_error(found, wanted, masks, sure=0.8):
    person = (masks.amax(1, keepdim=True) > sure).float()
    return float(((found - wanted).abs() * person).sum() / person.sum() / found.shape[1])


def test_a_still_person_is_carried_to_the_same_place(carrier):
    keypoints = stepping(SIZE, 1.0)
    look = F.avg_pool2d(_tensor(paint(keypoints, SIZE)), 2)
    segments = carrier.parts(_shares(keypoints))
    carried, masks = carrier.carry(look, segments, segments)
    assert _person_error(carried, look, masks) < 0.06
    # The measure would notice: a person carried from the mirror image's keypoints looks different.
    wrong = carrier.parts(_shares(keypoints) * torch.tensor([-1.0, 1.0]))
    assert _person_error(carrier.carry(look, wrong, segments)[0], look, masks) > 0.2


def test_colours_follow_the_limbs(carrier):
    first, second = standing(SIZE), bent(standing(SIZE), left_elbow=(6, -22), left_wrist=(12, -60))
    painted = carrier(_tensor(paint(first, SIZE)), _shares(first), _shares(second))[0]
    middle = (second[COCO17.index("left_elbow")] + second[COCO17.index("left_wrist")]) / 2
    x, y = (round(v) for v in middle[:2].tolist())
    found = (painted[:, y, x].numpy() + 1) * 127.5
    forearm = [limb for limb in COCO17.limbs if min(limb) >= 5].index(
        (COCO17.index("left_elbow"), COCO17.index("left_wrist"))
    )
    # The forearm rose by 50 pixels; its colour is now there, where wall was before.
    assert np.abs(found - limb_color(forearm)).mean() < 45
    before = paint(first, SIZE)[y, x]
    assert np.abs(before - np.array(limb_color(forearm))).mean() > 70


@pytest.mark.parametrize("name", ["left_wrist", "right_wrist", "left_ankle", "right_knee", "left_elbow"])
def test_the_loss_leads_a_displaced_keypoint_back(carrier, name):
    source, target = stepping(SIZE, 0.3), stepping(SIZE, 1.2)
    look, wanted = _tensor(paint(source, SIZE)), _tensor(paint(target, SIZE))
    along = []
    for angle in np.arange(0.4, 2 * np.pi, np.pi / 2):
        away = 0.05 * SIZE * np.array([np.cos(angle), np.sin(angle)])
        points = _shares(bent(target, **{name: tuple(away)})).requires_grad_()
        (carrier(look, _shares(source), points) - wanted).square().mean().backward()
        downhill = -points.grad[0, COCO17.index(name)].numpy()
        along.append(float(downhill @ -away / np.linalg.norm(downhill) / np.linalg.norm(away)))
    assert np.mean(along) > 0.5
    assert min(along) > 0.0


def test_paints_the_size_it_was_given():
    torch.manual_seed(0)
    net = TransportReconstructor(COCO17, 20).eval()
    points = torch.rand(3, 20, 2) - 0.5
    with torch.no_grad():
        assert net(torch.zeros(3, 3, 64, 64), points, points).shape == (3, 3, 64, 64)


def test_a_person_collapsed_to_a_point_gives_numbers_and_gradients(carrier):
    points = torch.zeros(1, 17, 2, requires_grad=True)
    painted = carrier(torch.rand(1, 3, 64, 64), torch.zeros(1, 17, 2), points)
    painted.square().mean().backward()
    assert torch.isfinite(painted).all() and torch.isfinite(points.grad).all()
