"""Reading MATLAB label files with SciPy, which is an optional dependency."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from ttpose.core.errors import InputError, UsageError


def read_mat(path: Path) -> dict[str, Any]:
    """The variables of a .mat file (version 5; nothing in it is ever run).

    Raises:
        UsageError: SciPy is not installed.
        InputError: The file is missing or damaged.
    """
    try:
        from scipy.io import loadmat
    except ImportError:
        raise UsageError("MATLAB label files need SciPy", 'pip install "ttpose[research]"') from None
    try:
        return dict(loadmat(str(path), appendmat=False))
    except FileNotFoundError:
        raise InputError(f"no label file {path}") from None
    except Exception as error:  # SciPy raises almost anything for damaged files
        what = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise InputError(f"cannot read {path}: {what}", "it is damaged or no MATLAB file; unpack it again") from error


def numbers(path: Path, variables: dict[str, Any], name: str, columns: int) -> np.ndarray:
    """A variable as float64 [T, columns] (stored as bytes or words in some files, where differences would wrap).

    Raises:
        InputError: It is missing, not numeric or of another shape.
    """
    value = variables.get(name)
    if value is None:
        malformed(path, f'"{name}" is missing')
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        malformed(path, f'"{name}" is not numeric')
    if array.ndim != 2 or array.shape[1] != columns:
        malformed(path, f'"{name}" has shape {list(array.shape)}, expected [frames, {columns}]')
    return array


def malformed(path: Path, what: str) -> NoReturn:
    """Raise InputError for a label file whose content is not what it should be."""
    raise InputError(f"{path}: {what}", "it is damaged or of another dataset")
