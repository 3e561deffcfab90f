"""Set-up of the whole suite, and the people and models that many rooms' tests share."""

from __future__ import annotations

import os

# Before torch is imported, here or in a subprocess: the suite runs as many processes as there are cores, and threads of
# each that wait for one another's cores make everything several times slower.
os.environ["OMP_NUM_THREADS"] = "1"

# The suite's own processes compute with torch, since compiling takes longer than most tests compute; the commands that
# it starts, and the engine's own tests, compute with OpenVINO.
os.environ["TTPOSE_ENGINE"] = "torch"

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.painted import box_of, paint, paint_dots, stepping
from tests.report.browser import Chromium
from tests.small_models import DotModel, shipped_at
from ttpose.inference.crops import cut_crop


@pytest.fixture(scope="session")
def dots():
    """A model that finds dots; tests that change it take a copy."""
    return DotModel()


@pytest.fixture(scope="session")
def tiny():
    """The shipped weights at 64 px: everything that a personalization touches, but no good at painted people."""
    return shipped_at(64)


@pytest.fixture(scope="session")
def walk():
    """30 frames of a walking dot figure: true keypoints [30, 17, 3], images, and crops for `dots`."""
    keypoints = np.stack([stepping(200, i / 3) + np.array([40 + i, 20, 0.0]) for i in range(30)])
    images = [paint_dots(k, (240, 300)) for k in keypoints]
    frames = enumerate(zip(images, keypoints, strict=True))
    crops = [cut_crop(image, box_of(k), 128, index=i, time_s=i / 25) for i, (image, k) in frames]
    return keypoints, images, crops


@pytest.fixture(scope="session")
def painted_crops():
    """12 crops of a painted figure for `tiny`."""
    crops = []
    for i in range(12):
        keypoints = stepping(160, i / 2)
        crops.append(cut_crop(paint(keypoints, 160), box_of(keypoints), 64, index=i, time_s=i / 25))
    return crops


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A browser that a module's tests share."""
    shared = Chromium(tmp_path_factory.mktemp("profiles"))
    yield shared
    shared.quit()


@pytest.fixture
def browser(chromium: Chromium) -> Any:
    """A driver whose browser answers."""
    return chromium.page()
