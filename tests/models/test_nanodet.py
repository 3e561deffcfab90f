"""The detector against numbers that the original graph gave through a generic importer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.tracking.patterns import drawing, noise
from ttpose.core.errors import WeightsError
from ttpose.models.nanodet import BINS, STRIDES, _decode, load_nanodet
from ttpose.models.store import model_path

WEIGHTS = "nanodet_416.safetensors"


@pytest.fixture(scope="module")
def model():
    return load_nanodet(model_path(WEIGHTS))


@pytest.mark.parametrize("name, image", [("noise", noise()), ("drawing", drawing())])
def test_logits_equal_the_original_graph(model, name, image):
    expected = np.load(Path(__file__).with_name("nanodet_reference.npz"))
    with torch.inference_mode():
        levels = model.raw(torch.from_numpy(image)[None])
    for raw, stride in zip(levels, STRIDES, strict=True):
        cells = raw[0].flatten(1).T[torch.from_numpy(expected[f"{name}_{stride}_cells"]).long()]
        np.testing.assert_allclose(cells[:, 0].sigmoid(), expected[f"{name}_{stride}_scores"], atol=2e-5)
        np.testing.assert_allclose(cells[:, 1:], expected[f"{name}_{stride}_edges"], atol=2e-4)


def test_box_is_measured_from_the_cell_centre_in_pixels_with_centres_at_integers():
    raw = torch.full((1, 1 + 4 * BINS, 2, 3), -50.0)
    for edge, cells in enumerate((1, 2, 3, 4)):  # left, top, right, bottom
        raw[0, 1 + edge * BINS + cells] = 50.0
    raw[0, 0, 1, 2] = 50.0
    scores, boxes = _decode(raw, 8)
    best = int(scores[0].argmax())
    assert best == 5
    center_x, center_y = 2 * 8 + 3.5, 1 * 8 + 3.5
    expected = [center_x - 8, center_y - 16, center_x + 24, center_y + 32]
    np.testing.assert_allclose(boxes[0, best], expected, atol=1e-4)


def test_edge_distance_is_the_expected_value_of_its_distribution():
    raw = torch.full((1, 1 + 4 * BINS, 1, 1), -50.0)
    raw[0, 1::BINS] = 1.0
    raw[0, 2::BINS] = 1.0
    _, boxes = _decode(raw, 32)
    np.testing.assert_allclose(boxes[0, 0], [15.5 - 16, 15.5 - 16, 15.5 + 16, 15.5 + 16], atol=1e-4)


def test_missing_file(tmp_path):
    with pytest.raises(WeightsError, match="cannot read") as caught:
        load_nanodet(tmp_path / "none.safetensors")
    assert caught.value.hint


def test_damaged_file(tmp_path):
    path = tmp_path / "cut.safetensors"
    path.write_bytes(model_path(WEIGHTS).read_bytes()[:100_000])
    with pytest.raises(WeightsError, match="cannot read"):
        load_nanodet(path)


def test_other_architecture(tmp_path):
    weights = load_file(model_path(WEIGHTS))
    weights["stranger"] = weights.pop("stem.0.0.weight")
    save_file(weights, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="does not hold"):
        load_nanodet(tmp_path / "other.safetensors")
