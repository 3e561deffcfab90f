from __future__ import annotations

import pytest
from dots import DotModel


@pytest.fixture
def dot_model() -> DotModel:
    return DotModel().eval()
