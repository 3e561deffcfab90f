"""Where the shipped weights lie: inside the installed package, or beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

from ttpose.core.errors import WeightsError

_PACKAGE = Path(__file__).resolve().parents[1]


def model_folders() -> tuple[Path, ...]:
    """The folders that may hold shipped weights: the wheel's own, then the top level of an editable checkout."""
    return _PACKAGE / "_models", _PACKAGE.parent / "models"


def model_path(name: str) -> Path:
    """Find a shipped weights file by its file name, such as `nanodet_416.safetensors`.

    Raises:
        WeightsError: No folder holds it.
    """
    for folder in model_folders():
        path = folder / name
        if path.is_file():
            return path
    raise WeightsError(f"the shipped model file {name} is missing", "reinstall ttpose")
