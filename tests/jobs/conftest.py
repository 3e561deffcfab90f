from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working directory with an empty folder `clips`."""
    (tmp_path / "clips").mkdir()
    return tmp_path
