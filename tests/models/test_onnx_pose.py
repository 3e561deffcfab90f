from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from tests.models.onnx_files import colour_file
from tests.small_models import shipped_at
from ttpose.core.errors import WeightsError
from ttpose.models.export import export_model
from ttpose.models.onnx_pose import OnnxPose
from ttpose.models.predictor import Predictor


def crop_with_spots(places, height=64, width=48):
    """A black crop with one bright pixel of each colour at (x, y)."""
    crop = np.zeros((height, width, 3), np.uint8)
    for colour, (x, y) in enumerate(places):
        crop[y, x, colour] = 255
    return crop


@pytest.mark.parametrize("kind", ["simcc", "simcc_swapped"])
@pytest.mark.parametrize("batch", ["N", 1])
def test_simcc_finds_each_spot_to_the_pixel(tmp_path, kind, batch):
    network = OnnxPose(colour_file(tmp_path / "pose.onnx", kind, batch=batch))
    assert network.grid.size == (64, 48)
    first, second = [(5, 60), (40, 3), (22, 31)], [(0, 0), (47, 63), (1, 62)]
    found = network.predict(np.stack([crop_with_spots(first), crop_with_spots(second)]))
    assert found.shape == (2, 17, 3)
    for row, places in zip(found, (first, second), strict=True):
        assert np.array_equal(row[:, :2], np.array(places)[np.arange(17) % 3])
        assert (row[:, 2] == 1).all()  # a normalised 255 is more than 1


def test_heatmaps_are_read_from_edge_to_edge(tmp_path):
    network = OnnxPose(colour_file(tmp_path / "pose.onnx", "heatmaps"))
    cells = np.array([[2, 3], [9, 12], [6, 8]])
    found = network.predict(crop_with_spots((4 * cells + 1).tolist())[None])[0]
    # The outer cells' centres lie on the outer pixels': 11 steps of cells are 47 of pixels, 15 are 63.
    assert np.abs(found[:3, :2] - cells * [47 / 11, 63 / 15]).max() < 0.01


def test_only_the_first_seventeen_keypoints_of_larger_sets_are_read(tmp_path):
    network = OnnxPose(colour_file(tmp_path / "pose.onnx", "simcc", joints=133))
    assert network.predict(np.zeros((1, 64, 48, 3), np.uint8)).shape == (1, 17, 3)


def test_no_crops_give_no_keypoints(tmp_path):
    assert (
        OnnxPose(colour_file(tmp_path / "pose.onnx", "simcc")).predict(np.zeros((0, 64, 48, 3), np.uint8)).shape[0] == 0
    )


def test_an_own_export_gives_its_models_keypoints(tmp_path):
    pytest.importorskip("onnxscript")
    model = shipped_at(64)
    export_model(model, tmp_path / "own.onnx", "onnx")
    network = OnnxPose(tmp_path / "own.onnx")
    crops = np.random.default_rng(0).integers(0, 256, (2, *network.grid.size, 3), dtype=np.uint8)
    assert np.abs(network.predict(crops) - Predictor(model).predict_crops(crops)).max() < 0.01


def _text(path):
    path.write_text("no network")
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path, "there is no file"),
        (_text, "is no ONNX file, or a damaged one"),
        (lambda path: colour_file(path, "simcc", joints=21), "gives 21 keypoints"),
        (lambda path: _plain_network(path), "gives out"),
    ],
)
def test_what_cannot_be_read_ends_in_one_line(tmp_path, make, message):
    with pytest.raises(WeightsError, match=message) as caught:
        OnnxPose(make(tmp_path / "pose.onnx"))
    assert "\n" not in str(caught.value)


def _plain_network(path):
    onnx = pytest.importorskip("onnx")
    helper, number = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("GlobalMaxPool", ["in"], ["pooled"]), helper.make_node("Flatten", ["pooled"], ["out"])], "c",
        [helper.make_tensor_value_info("in", number, [1, 3, 64, 48])],
        [helper.make_tensor_value_info("out", number, [1, 3])],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(path))
    return path
