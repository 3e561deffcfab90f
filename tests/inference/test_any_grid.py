"""Crops that are not square, and heatmaps whose cells lie on the crop's corners: the same places come out."""

from __future__ import annotations

import numpy as np
import pytest

from tests.dot_network import DotNetwork
from tests.painted import box_of, paint_dots, stepping
from ttpose.core.geometry import Box, CropGrid, apply
from ttpose.inference.crops import cut_crop
from ttpose.inference.tta import TTA_VIEWS, predict_tta
from ttpose.models.base import as_base
from ttpose.models.predictor import Predictor

KINDS = [((128, 96), True, "dark"), ((128, 96), False, "dark"), ((96, 128), True, "dark"), ((128, 128), True, "peak")]


@pytest.fixture(scope="module")
def people():
    """Eight frames of a walking dot figure: keypoints [8, 17, 3] and pictures."""
    keypoints = np.stack([stepping(300, i / 2) + np.array([30 + i, 20, 0.0]) for i in range(8)])
    return keypoints, [paint_dots(k, (340, 380)) for k in keypoints]


@pytest.mark.parametrize(("size", "corners", "decoding"), KINDS)
@pytest.mark.parametrize("views", [1, 4, 6])
def test_keypoints_are_found_through_any_grid_and_any_views(people, size, corners, decoding, views):
    keypoints, images = people
    model = as_base(DotNetwork(size, corners, decoding))
    frames = enumerate(zip(images, keypoints, strict=True))
    crops = [cut_crop(image, box_of(k), model.config.crop, index=i) for i, (image, k) in frames]
    found = predict_tta(model, crops, TTA_VIEWS[:views])
    # Limbs alone: the face's dots are nearer to each other than the blur is wide.
    apart = np.linalg.norm(found.keypoints[:, 5:, :2] - keypoints[:, 5:, :2], axis=-1)
    cell = 1.15 * 1.25 * np.ptp(keypoints[0, :, 1]) / (size[0] / 4)
    assert np.median(apart) < (0.3 if decoding == "dark" else 0.5) * cell
    assert np.percentile(apart, 90) < cell
    assert np.allclose(found.single_view_keypoints[..., 2].max(), 1, atol=0.1)
    # The highest peak is the keypoint, within what smoothing by several views moves it.
    assert np.median(np.linalg.norm(found.peaks[:, 5:, 0, :2] - keypoints[:, 5:, :2], axis=-1)) < cell


def test_the_predictor_finds_the_same_as_the_plain_view(people):
    keypoints, images = people
    model = as_base(DotNetwork())
    box = box_of(keypoints[0])
    crop = cut_crop(images[0], box, model.config.crop, plain=True)
    direct = Predictor(model).predict(images[0], [box])[0]
    assert np.abs(predict_tta(model, [crop]).keypoints[0] - direct).max() < 1e-4


def test_a_grid_shows_the_box_grown_to_its_proportions():
    grid = CropGrid(256, 192, pad=1.25, corners=True)
    for box in (Box(10, 20, 30, 100), Box(10, 20, 300, 100)):
        tall = max(box.height, box.width * 256 / 192) * 1.25
        wide, (cx, cy) = tall * 192 / 256, box.center
        edges = np.array([[cx - wide / 2, cy - tall / 2], [cx + wide / 2, cy + tall / 2]])
        assert np.allclose(apply(grid.matrix(box), edges), [[0, 0], [191, 255]])
        cells = grid.resized(64, 48)
        assert np.allclose(cells.points_from(grid, apply(grid.matrix(box), edges)), [[0, 0], [47, 63]])
        assert np.allclose(apply(cells.matrix(box), edges), [[0, 0], [47, 63]])


@pytest.mark.parametrize("corners", [False, True])
def test_points_go_from_grid_to_grid_and_back(corners):
    grid, points = CropGrid(256, 192, corners=corners), np.random.default_rng(0).uniform(0, 190, (20, 2))
    for other in (grid.resized(64, 48), grid.resized(96, 72), grid.wider(1.5).resized(300, 200)):
        assert np.allclose(grid.points_from(other, other.points_from(grid, points)), points)
    box = Box(3, 4, 50, 80)
    there = grid.resized(64, 48)
    assert np.allclose(there.points_from(grid, apply(grid.matrix(box), points)), apply(there.matrix(box), points))
