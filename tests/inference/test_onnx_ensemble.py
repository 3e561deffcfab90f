from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from tests.models.onnx_files import colour_file
from ttpose.adaptation.pseudo_labels import pseudo_labels
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.core.errors import WeightsError
from ttpose.core.geometry import Box, apply, invert
from ttpose.core.skeleton import BBC7, COCO17
from ttpose.inference.crops import cut_crop
from ttpose.inference.onnx_ensemble import merge_onnx, predict_onnx, with_ensemble_files
from ttpose.inference.pipeline import predict_crops
from ttpose.inference.refine.clip import refine
from ttpose.inference.settings import RefineSettings

SPOTS = np.array([[100.0, 60.0], [140.0, 180.0], [70.0, 120.0]])  # of the colours


@pytest.fixture
def crop():
    """A picture with a bright disc of each colour, cut for a network of 128 px."""
    image = np.zeros((240, 220, 3), np.uint8)
    rows, columns = np.mgrid[:240, :220]
    for colour, (x, y) in enumerate(SPOTS):
        image[(rows - y) ** 2 + (columns - x) ** 2 < 16, colour] = 255
    return cut_crop(image, Box(40, 30, 140, 180), 128)


@pytest.mark.parametrize("kind", ["simcc", "heatmaps"])
def test_two_views_agree_where_the_network_is_symmetric(tmp_path, crop, kind):
    file = colour_file(tmp_path / "pose.onnx", kind, height=256, width=192)
    found = predict_onnx([str(file)], [crop], COCO17)[0]
    # A mirrored look swaps names: of a colour that is not its mirror's, the two looks see two different discs.
    alike = [k for k in range(17) if k % 3 == COCO17.flip[k] % 3]
    assert alike
    for k in alike:
        assert np.linalg.norm(found[k, :2] - SPOTS[k % 3]) < 6
        assert found[k, 3] < 8
    for k in set(range(17)) - set(alike):
        assert found[k, 3] > 20


def test_joints_that_the_network_does_not_know_have_no_prediction(tmp_path, crop):
    file = colour_file(tmp_path / "pose.onnx", "simcc")
    found = predict_onnx([str(file)], [crop], BBC7)[0]
    known = [name in COCO17.keypoints for name in BBC7.keypoints]
    assert np.array_equal(~np.isnan(found[:, 0]), known)


def _standing():
    points = np.random.default_rng(0).uniform(100, 200, (1, 17, 3))
    points[..., 2] = 0.6
    points[0, [5, 6], :2], points[0, [11, 12], :2] = (150, 100), (150, 200)  # a torso of 100 px
    return points


@pytest.mark.parametrize(
    ("shift", "score", "moved", "new_score"),
    [(20, 0.6, 10.0, 0.6), (20, 0.2, 5.0, 0.6), (60, 0.8, 0.0, 0.6), (60, 0.95, 60.0, 0.95), (60, np.nan, 0.0, 0.6)],
)
def test_near_predictions_are_averaged_and_far_ones_win_only_when_surer(shift, score, moved, new_score):
    points = _standing()
    told = np.concatenate([points[..., :2] + [shift, 0], np.full((1, 17, 1), score), np.zeros((1, 17, 1))], -1)
    if np.isnan(score):
        told[:] = np.nan
    found = merge_onnx(points, told, COCO17)
    assert np.allclose(found[..., 0] - points[..., 0], moved)
    assert np.allclose(found[..., 2], new_score)


def test_the_ensemble_and_the_teacher_use_an_onnx_network(tmp_path, walk, dots):
    _, _, crops = walk
    file = colour_file(tmp_path / "pose.onnx", "simcc")
    settings = with_ensemble_files(RefineSettings(rescore=False), [file])
    seen = predict_crops(dots, crops[:4], settings)
    assert seen.ensemble_onnx.shape == (4, 17, 4)
    sure = seen.ensemble_onnx.copy()
    sure[..., :2], sure[..., 2] = seen.keypoints[..., :2] + 500, 1.0  # somewhere else, and certain of it
    seen = replace(
        seen, keypoints=np.concatenate([seen.keypoints[..., :2], np.full((4, 17, 1), 0.5)], -1), ensemble_onnx=sure
    )
    times = [crop.time_s for crop in crops[:4]]
    assert np.allclose(refine(seen, times, COCO17, settings).keypoints[..., :2], sure[..., :2])
    labels, _ = pseudo_labels(seen, crops[:4], COCO17, PersonalizeSettings(refine=settings))
    for crop, row, wanted in zip(crops, labels, sure, strict=False):
        assert np.allclose(apply(crop.to_source, row[:, :2]), wanted[:, :2])
    assert invert(crops[0].to_source).shape == (2, 3)


def test_a_file_that_is_none_is_refused_before_any_work(tmp_path):
    with pytest.raises(WeightsError, match="there is no file"):
        with_ensemble_files(RefineSettings(), [tmp_path / "nothing.onnx"])
