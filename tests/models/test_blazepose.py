from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from ttpose.core.errors import WeightsError
from ttpose.core.skeleton import COCO17_FEET
from ttpose.models.blazepose import BLAZEPOSE_SIZE, LANDMARKS, Halve, load_blazepose
from ttpose.models.mobile_blocks import ConvAct
from ttpose.models.store import model_path

WEIGHTS = "blazepose_heavy.safetensors"


@pytest.fixture(scope="module")
def network():
    return load_blazepose(model_path(WEIGHTS))


def test_landmarks_are_those_of_the_published_weights(network):
    """The numbers come from an independent implementation that agrees with the original runtime."""
    with np.load(Path(__file__).parent / "blazepose_numbers.npz") as stored:
        wanted = stored["landmarks"]
    blocks = np.random.default_rng(0).integers(0, 256, (32, 32, 3))
    picture = np.kron(blocks, np.ones((8, 8, 1), int)).astype(np.uint8)
    images = torch.from_numpy(picture[None]).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        found = network(images)
    assert found.shape == (1, 39, 5) and images.shape[-1] == BLAZEPOSE_SIZE
    assert np.ptp(wanted[:, :2]) > 20, "numbers without any spread would prove nothing"
    assert np.abs(found[0].numpy() - wanted).max() < 1e-2


def test_every_keypoint_of_coco_and_of_the_feet_has_a_landmark_of_its_own():
    assert set(LANDMARKS) == set(COCO17_FEET.keypoints)
    assert len(set(LANDMARKS.values())) == len(LANDMARKS) and max(LANDMARKS.values()) < 33


def test_an_even_side_is_padded_on_its_far_edges():
    conv = ConvAct(1, 1, 3, 2, depthwise=True)
    with torch.no_grad():
        conv.conv.weight.fill_(1.0)
        conv.conv.bias.zero_()
        found = conv(torch.arange(16.0).view(1, 1, 4, 4))
    # The window of the last cell holds the pixels 10, 11, 14 and 15, and nothing beyond them.
    assert found[0, 0].tolist() == [[45, 39], [66, 50]]


def test_the_short_way_of_a_halving_unit_is_pooled_and_filled_up():
    unit = Halve(1, 3)
    with torch.no_grad():
        unit.pw.conv.weight.zero_()
        unit.pw.conv.bias.zero_()
        found = unit(torch.tensor([[[[1.0, 2], [3, 9]]]]))
    assert found.flatten().tolist() == [6, 0, 0], "ReLU6 of the largest, then empty channels"


def test_files_that_are_not_it(tmp_path):
    with pytest.raises(WeightsError, match="no weights file"):
        load_blazepose(tmp_path / "none.safetensors")
    save_file({"stem.conv.weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="does not hold BlazePose's weights"):
        load_blazepose(tmp_path / "other.safetensors")


def test_the_file_stores_half_floats_only():
    assert {value.dtype for value in load_file(model_path(WEIGHTS)).values()} == {torch.float16}
