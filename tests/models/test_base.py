from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.dot_network import DotNetwork
from tests.painted import box_of, paint, stepping
from ttpose.adaptation.boxed_clip import personalize_crops
from ttpose.adaptation.settings import preset_named
from ttpose.core.errors import UsageError, WeightsError
from ttpose.models import base as base_module
from ttpose.models.base import as_base, fingerprint
from ttpose.models.checkpoint import load_model, save_model
from ttpose.models.person import PersonDelta
from ttpose.people.weights import load_base

EXAMPLE = Path(__file__).parents[2] / "benchmarks" / "examples" / "own_network.py"


@pytest.fixture(scope="module")
def example():
    torch.manual_seed(0)
    return as_base(runpy.run_path(str(EXAMPLE))["SmallNetwork"](), "small")


def test_the_example_is_thirty_lines():
    lines = EXAMPLE.read_text().split("\n\n\n")
    body = next(part for part in lines if part.startswith("class"))
    assert len([line for line in body.splitlines() if line.strip()]) <= 30


def test_the_example_is_personalized_like_any_base(example, tmp_path):
    images = [paint(stepping(160, i / 2), 160) for i in range(20)]
    boxes = [box_of(stepping(160, i / 2)) for i in range(20)]
    made = personalize_crops(example, images, boxes, settings=preset_named("fast", steps=3))
    assert made.keypoints.shape == (20, 17, 3)
    assert np.isfinite(made.keypoints).all()
    assert set(made.guard.checks) == {"base", "interpolated", "personalized"}


def test_a_person_on_it_is_named_by_its_fingerprint(example, tmp_path):
    loaded = load_base(example)
    assert (loaded.base, loaded.base_sha256) == ("small", fingerprint(example))
    changed = PersonDelta(loaded.base_sha256, {"encoder.maps.bias": torch.ones(17)})
    changed.save(tmp_path / "person.safetensors")
    again = PersonDelta.load(tmp_path / "person.safetensors", loaded.base_sha256).apply(example)
    assert torch.allclose(again.encoder.maps.bias, example.encoder.maps.bias + 1)
    with pytest.raises(WeightsError, match="another base"):
        PersonDelta.load(tmp_path / "person.safetensors", fingerprint(again))


def test_a_saved_one_is_loaded_where_a_package_offers_the_network(example, tmp_path, monkeypatch):
    save_model(example, tmp_path / "small.safetensors", half=False)
    with pytest.raises(WeightsError, match="no installed package offers the network 'small'"):
        load_model(tmp_path / "small.safetensors")

    class Entry:
        @staticmethod
        def load():
            return runpy.run_path(str(EXAMPLE))["SmallNetwork"]

    monkeypatch.setattr(base_module, "entry_points", lambda group, name: [Entry] if name == "small" else [])
    loaded = load_model(tmp_path / "small.safetensors")
    images = torch.randn(1, 3, 128, 96)
    with torch.no_grad():
        assert torch.allclose(loaded(images).supervised, example(images).supervised, atol=1e-6)


class _Wrong(nn.Module):
    skeleton, input_size, mean, std = "coco17", (64, 64), (0, 0, 0), (1, 1, 1)

    def __init__(self, shape):
        super().__init__()
        self.shape = shape

    def forward(self, images):
        return torch.zeros(len(images), *self.shape)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (nn.Conv2d(3, 17, 1), r"Conv2d lacks skeleton, input_size, mean, std"),
        (_Wrong((16, 16, 16)), r"_Wrong gives \[1, 16, 16, 16\]"),
        (_Wrong((17, 2)), r"_Wrong gives \[1, 17, 2\]"),
        (_Wrong((17, 15, 15)), r"heatmaps of \[15, 15\] do not divide crops of \[64, 64\]"),
    ],
)
def test_a_network_that_does_not_fit_is_refused_in_one_line(network, message):
    with pytest.raises(UsageError, match=message):
        as_base(network)


def test_a_network_with_an_unknown_keypoint_set_is_refused():
    network = DotNetwork()
    network.skeleton = "insects"
    with pytest.raises(UsageError, match="no keypoint set 'insects'"):
        as_base(network)
