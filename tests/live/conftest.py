from __future__ import annotations

import pytest

from tests.live.dot_stream import DotDetector
from tests.small_models import DotModel
from ttpose.models.shipped import LoadedModel


@pytest.fixture
def detector():
    return DotDetector()


@pytest.fixture
def loaded():
    return LoadedModel(DotModel().eval(), "dots", "0" * 64)
