"""What needs a GPU: skipped where there is none (`python -m pytest -n 0 -m gpu` runs these alone)."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from tests.adaptation.test_transformer import small_vitpose
from ttpose.adaptation.methods import fitted
from ttpose.adaptation.personalize import personalize_model
from ttpose.adaptation.settings import preset_named
from ttpose.inference.tta import TTA_VIEWS, predict_tta
from ttpose.models.device import half_type, mixed_precision, moved

pytestmark = pytest.mark.gpu
_THERE = [
    name for name, there in (("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available())) if there
]


@pytest.fixture(params=_THERE or [pytest.param("cuda", marks=pytest.mark.skip(reason="no GPU here"))])
def device(request):
    return torch.device(request.param)


@pytest.mark.parametrize("kind", ["mobile", "vitpose"])
def test_keypoints_are_the_cpus_within_half_a_cell(device, kind, tiny, painted_crops):
    model = tiny if kind == "mobile" else small_vitpose()
    there = predict_tta(copy.deepcopy(model).to(device), painted_crops, TTA_VIEWS[:4])
    here = predict_tta(model, painted_crops, TTA_VIEWS[:4])
    sure = here.keypoints[..., 2] > np.median(here.keypoints[..., 2])
    apart = np.linalg.norm(there.keypoints[..., :2] - here.keypoints[..., :2], axis=-1)[sure]
    assert np.median(apart) < 2.0  # px of crops of 64, where a cell has 4


@pytest.mark.parametrize("kind", ["mobile", "vitpose"])
def test_learning_runs_there(device, kind, tiny, painted_crops):
    model = copy.deepcopy(tiny if kind == "mobile" else small_vitpose()).to(device)
    made = personalize_model(model, painted_crops, fitted(preset_named("fast", steps=2), model.config))
    assert all(np.isfinite(step["total"]) for step in made.history)
    assert next(made.model.parameters()).device.type == device.type


def test_batches_arrive_whole(device):
    images = torch.rand(4, 3, 64, 48)
    assert torch.equal(moved(images, device).cpu(), images)
    if half_type(device) is torch.bfloat16:
        with mixed_precision(device):
            assert (
                torch.nn.functional.linear(moved(images, device), torch.rand(8, 48, device=device)).dtype
                is torch.bfloat16
            )
