from __future__ import annotations

import pytest

from tests.evaluation.dots import DotModel


@pytest.fixture
def dot_model() -> DotModel:
    return DotModel().eval()
