from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
import torch

from tests.observed import walking
from ttpose.core.geometry import Box
from ttpose.core.skeleton import COCO17, COCO17_FEET, FEET, PENN13
from ttpose.inference.crops import cut_crop
from ttpose.inference.ensemble import EnsembleMember, ensemble_member, forget_ensemble
from ttpose.models.blazepose import BLAZEPOSE_SIZE, LANDMARKS

LEFT, RIGHT = COCO17.index("left_wrist"), COCO17.index("right_wrist")
SIDE = 500


class _Dots:
    """Stands in for the network: finds the white dots of a picture, and names as a person's who faces the camera."""

    device = torch.device("cpu")

    def __init__(self) -> None:
        self.views: list[torch.Tensor] = []

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        assert images.shape[1:] == (3, BLAZEPOSE_SIZE, BLAZEPOSE_SIZE) and images.max() <= 1
        self.views += list(images)
        return torch.stack([self._named(image.mean(0)) for image in images])

    def _named(self, image: torch.Tensor) -> torch.Tensor:
        across = torch.arange(BLAZEPOSE_SIZE, dtype=torch.float32)
        half = int((image.sum(0) * across).sum() / image.sum()) + 1
        said = torch.zeros(39, 5)
        for name, number in LANDMARKS.items():
            part = image.clone()
            part[:, half:] *= name.startswith("left")
            part[:, :half] *= not name.startswith("left")
            weight = part / part.sum()
            said[number, :2] = torch.stack([(weight.sum(0) * across).sum(), (weight.sum(1) * across).sum()])
        said[:, 3] = 2.0  # visibility 0.88
        return said


def _picture(*dots: tuple[float, float]) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    light = sum(np.exp(-((x - dx) ** 2 + (y - dy) ** 2) / 50) for dx, dy in dots)
    return (255 * np.minimum(np.asarray(light), 1)[..., None]).repeat(3, 2).astype(np.uint8)


def _turned(pose: np.ndarray, degrees: float) -> np.ndarray:
    """A pose turned about the middle of the picture."""
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([(pose[:, :2] - SIDE / 2) @ turn.T + SIDE / 2, pose[:, 2]])


@pytest.fixture
def pose():
    """One person who faces the camera, in the middle of the picture, the left hand on the right."""
    clip = walking(1)[0]
    clip[:, :2] += SIDE / 2 - clip[:, :2].mean(0)
    if clip[LEFT, 0] < clip[RIGHT, 0]:
        clip = clip[list(COCO17.flip)]
    return clip


def _asked(pose: np.ndarray, degrees: float = 0.0) -> tuple[np.ndarray, _Dots, np.ndarray]:
    turned, network = _turned(pose, degrees), _Dots()
    dots = [tuple(turned[joint, :2]) for joint in (LEFT, RIGHT)]
    crop = cut_crop(_picture(*dots), Box.around(turned[:, :2]), 256)
    return EnsembleMember(network, COCO17).predict([crop], turned[None])[0], network, turned


@pytest.mark.parametrize("degrees", [0, 35, -120, 180])
def test_joints_come_back_where_they_are_under_their_names(pose, degrees):
    said, _, turned = _asked(pose, degrees)
    assert said.shape == (17, 4)
    assert np.abs(said[[LEFT, RIGHT], :2] - turned[[LEFT, RIGHT], :2]).max() < 1.0
    assert np.allclose(said[:, 2], 1 / (1 + np.exp(-2.0)))
    assert said[[LEFT, RIGHT], 3].max() < 1.5, "the picture and its mirror image say the same"


def test_the_person_is_upright_about_the_hips(pose):
    _, network, _ = _asked(pose)
    _, lying, _ = _asked(pose, 90)
    assert len(network.views) == 2
    assert (network.views[0] - lying.views[0]).abs().mean() < 0.02
    assert (network.views[0] - network.views[1].flip(-1)).abs().mean() < 0.01, "the second look is the mirror image"
    hips = pose[[COCO17.index("left_hip"), COCO17.index("right_hip")], :2].mean(0)
    reach = np.linalg.norm(pose[:, :2] - hips, axis=1).max()
    y, x = np.unravel_index(int(network.views[0].mean(0).argmax()), (256, 256))
    seen = (np.array([x, y]) - 127.5) / 256 * 2.5 * reach + hips
    assert min(np.linalg.norm(seen - pose[joint, :2]) for joint in (LEFT, RIGHT)) < 4


def test_feet_are_among_the_joints_of_a_keypoint_set_that_has_them(pose):
    """The pose that it is shown has none."""
    network, dots = _Dots(), [tuple(pose[joint, :2]) for joint in (LEFT, RIGHT)]
    crop = cut_crop(_picture(*dots), Box.around(pose[:, :2]), 256)
    said = EnsembleMember(network, COCO17_FEET).predict([crop], pose[None])[0]
    assert said.shape == (21, 4)
    assert np.array_equal(said[:17], EnsembleMember(_Dots(), COCO17).predict([crop], pose[None])[0])
    for k, name in enumerate(FEET):
        near = LEFT if name.startswith("left") else RIGHT
        assert np.abs(said[17 + k, :2] - pose[near, :2]).max() < 1.0


def test_disagreement_is_the_distance_of_the_two_views(pose, monkeypatch):
    def shifted(network, image):
        return torch.cat([torch.tensor([[100.0, 50.0]]).repeat(39, 1), torch.zeros(39, 3)], 1)

    monkeypatch.setattr(_Dots, "_named", shifted)
    said, _, turned = _asked(pose)
    hips = turned[[COCO17.index("left_hip"), COCO17.index("right_hip")], :2].mean(0)
    reach = np.linalg.norm(turned[:, :2] - hips, axis=1).max()
    pixel = 2.5 * reach / 256
    assert np.allclose(said[:, 3], 55 * pixel), "100 in the plain look, 155 in the mirror's"
    assert np.allclose(said[:, 0], hips[0], atol=1e-6) and np.allclose(said[:, 1], hips[1] - 77.5 * pixel, atol=1e-6)


def test_joints_of_low_scores_do_not_make_the_crop_larger(pose):
    stray = pose.copy()
    stray[LEFT] = 5, 5, 0.1
    crop = cut_crop(_picture(tuple(pose[LEFT, :2]), tuple(pose[RIGHT, :2])), Box.around(pose[:, :2]), 256)
    again = _Dots()
    kept = pose.copy()
    kept[LEFT, 2] = 0.1
    EnsembleMember(again, COCO17).predict([crop, crop], np.stack([stray, kept]))
    assert torch.equal(again.views[0], again.views[2])


def test_a_pose_in_one_point_still_has_a_crop(pose):
    heap = np.concatenate([np.full((17, 2), SIDE / 2), np.zeros((17, 1))], 1)
    crop = cut_crop(_picture((250, 250)), Box(100, 100, 200, 300), 256)
    assert np.isfinite(EnsembleMember(_Dots(), COCO17).predict([crop], heap[None])).all()


def test_another_keypoint_set_has_no_opinion_of_what_the_network_does_not_know():
    assert "head" in PENN13.keypoints
    clip = np.concatenate([np.random.default_rng(0).uniform(150, 350, (13, 2)), np.ones((13, 1))], 1)
    crop = cut_crop(_picture((200, 200), (300, 200)), Box(100, 100, 300, 300), 256)
    said = EnsembleMember(_Dots(), PENN13).predict([crop], clip[None])[0]
    assert np.isnan(said).any(1).tolist() == [name not in LANDMARKS for name in PENN13.keypoints]


def test_the_shipped_network_is_loaded_once():
    first, second = ensemble_member(COCO17), ensemble_member(PENN13)
    assert first._network is second._network


def test_a_forgotten_network_is_freed_and_loaded_again():
    kept = weakref.ref(ensemble_member(COCO17, compile=False)._network)
    forget_ensemble()
    gc.collect()
    assert kept() is None
    assert ensemble_member(COCO17, compile=False)._network.device.type == "cpu"
