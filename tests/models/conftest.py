from __future__ import annotations

import ast
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch


@pytest.fixture(scope="session")
def paper_numbers():
    """What the paper's public implementation computes (ResNet-18, 7 joints), with `paper_weights`, for one image pair.

    Of the 30 self-supervised maps those listed in `maps` are stored, of the reconstruction every fourth pixel.
    """
    with np.load(Path(__file__).parent / "paper_resnet18_bbc7.npz") as stored:
        return dict(stored)


@pytest.fixture(scope="session")
def paper_weights(paper_numbers):
    """The state dict, in the public implementation's names, that `paper_numbers` was computed with."""
    names, shapes = paper_numbers["names"].tolist(), paper_numbers["shapes"].tolist()
    return {name: _value(name, ast.literal_eval(shape)) for name, shape in zip(names, shapes, strict=True)}


@pytest.fixture(scope="session")
def paper_checkpoint(paper_weights, tmp_path_factory):
    """A .pth file with `paper_weights`."""
    path = tmp_path_factory.mktemp("paper") / "checkpoint.pth"
    torch.save(paper_weights, path)
    return path


@pytest.fixture(scope="session")
def paper_value():
    """The rule that gives a tensor of `paper_weights` from its name and shape."""
    return _value


def _value(name, shape):
    random = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith("num_batches_tracked"):
        return torch.tensor(0)
    x = random.standard_normal(shape).astype(np.float32)
    if name.endswith("running_var"):
        x = 1 + 0.3 * np.abs(x)
    elif name.endswith("running_mean"):
        x = 0.1 * x
    elif x.ndim == 1:
        x = 1 + 0.1 * x if name.endswith("weight") else 0.05 * x
    else:
        fan = shape[0] * 4 if "deconv" in name else int(np.prod(shape[1:]))
        x = x * np.float32(np.sqrt(2 / fan))
    return torch.from_numpy(x.astype(np.float32))
