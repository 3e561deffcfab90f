"""NumPy archives (`.npz`) read with one clear error for whatever may be wrong with them."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from ttpose.core.errors import InputError

# What NumPy raises for a damaged archive, and what a single array in place of one does.
_UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
    TypeError,
    AttributeError,
)


def read_arrays(path: Path | str, what: str) -> dict[str, np.ndarray]:
    """All arrays of an archive, by name.

    Args:
        path: The `.npz` file.
        what: What it should be, for the error: "an asset file".

    Raises:
        FileNotFoundError: There is no such file.
        InputError: It is damaged or something else.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except FileNotFoundError:
        raise
    except _UNREADABLE as error:
        raise InputError(f"{path} is not {what}: {error}") from error
