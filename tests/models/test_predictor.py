from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.painted import box_of, paint_dots, standing
from tests.small_models import DotModel, small_model
from ttpose.core.geometry import Box
from ttpose.models.predictor import Predictor, to_image


@pytest.fixture(scope="module")
def predictor():
    return Predictor(DotModel(128))


def _scene(keypoints, width=320, height=260):
    """The dots on a wide picture."""
    return paint_dots(keypoints, (height, width))


def _moved(keypoints, dx, dy):
    return keypoints + np.array([dx, dy, 0.0])


def test_keypoints_are_found_in_image_pixels(predictor):
    keypoints = _moved(standing(200), 70, 30)
    found = predictor.predict(_scene(keypoints), [box_of(keypoints)])
    assert found.shape == (1, 17, 3)
    assert np.abs(found[0, :, :2] - keypoints[:, :2]).max() < 2.5  # a cell of the heatmap is 9 pixels here
    assert ((found[..., 2] > 0.3) & (found[..., 2] <= 1)).all()


@pytest.mark.parametrize(("dx", "dy"), [(17, 0), (0, -11), (-23, 9), (8, 16)])
def test_a_person_who_moves_takes_the_keypoints_along(predictor, dx, dy):
    keypoints = _moved(standing(200), 50, 30)
    before = predictor.predict(_scene(keypoints), [box_of(keypoints)])[0]
    moved = _moved(keypoints, dx, dy)
    after = predictor.predict(_scene(moved), [box_of(moved)])[0]
    # Box and pixels moved alike, so the crop and what is seen in it are the same.
    assert np.abs(after - _moved(before, dx, dy)).max() < 1e-3


def test_a_box_larger_than_the_picture_and_one_beyond_its_edge(predictor):
    keypoints = _moved(standing(200), 50, 30)
    image = _scene(keypoints)
    wide = predictor.predict(image, [Box(-60, -40, 420, 340)])[0]
    assert np.abs(wide[:, :2] - keypoints[:, :2]).max() < 8
    outside = predictor.predict(image, [Box(1000, 1000, 50, 50)])[0]
    assert outside[:, 2].max() < 0.05


def test_each_box_has_its_own_answer(predictor):
    first, second = _moved(standing(120), 10, 20), _moved(standing(150), 150, 60)
    image = np.maximum(_scene(first), _scene(second))
    boxes = [box_of(first), box_of(second)]
    both = predictor.predict(image, boxes)
    assert np.abs(both[0, :, :2] - first[:, :2]).max() < 2
    assert np.abs(both[1, :, :2] - second[:, :2]).max() < 2
    assert np.allclose(predictor.predict(image, boxes[::-1]), both[::-1])


def test_no_boxes_no_people(predictor):
    assert predictor.predict(np.zeros((50, 50, 3), np.uint8), []).shape == (0, 17, 3)
    assert predictor.predict_crops(np.zeros((0, 128, 128, 3), np.uint8)).shape == (0, 17, 3)


def test_crops_more_than_a_batch_are_answered_in_order():
    predictor = Predictor(small_model())
    crops = np.random.default_rng(0).integers(0, 256, (19, 64, 64, 3), dtype=np.uint8)
    together = predictor.predict_crops(crops)
    alone = np.concatenate([predictor.predict_crops(crop[None]) for crop in crops])
    assert together.shape == (19, 7, 3)
    assert np.abs(together - alone).max() < 1e-3
    assert predictor.model.config.input_size == 64 and len(predictor.skeleton) == 7


def test_prediction_is_in_evaluation_mode_and_without_gradients():
    model = small_model().train()
    predictor = Predictor(model)
    means = model.encoder.bn1.running_mean.clone()
    predictor.predict_crops(np.full((2, 64, 64, 3), 200, np.uint8))
    assert torch.equal(model.encoder.bn1.running_mean, means)
    assert not model.training


def test_scores_are_clipped_to_0_1():
    model = small_model()
    with torch.no_grad():
        model.self_head.bias += 50.0
    found = Predictor(model).predict_crops(np.zeros((1, 64, 64, 3), np.uint8))
    assert (found[..., 2] == 1).all()


def test_to_image_undoes_each_crops_map():
    matrices = [np.array([[2.0, 0, 5], [0, 2, -3]]), np.array([[0, 1.0, 0], [-1, 0, 7]])]
    crop = np.array([[[9.0, 7.0, 0.5]], [[4.0, 6.0, 0.25]]])
    found = to_image(crop, matrices)
    assert found[0, 0].tolist() == pytest.approx([2.0, 5.0, 0.5])
    assert found[1, 0].tolist() == pytest.approx([1.0, 4.0, 0.25])
    assert crop[0, 0, 0] == 9.0
