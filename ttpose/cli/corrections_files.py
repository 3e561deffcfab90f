"""`--corrections FILE`, once or several times: which input each file is about."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def corrections_by_source(files: Sequence[Path], sources: Sequence[Path]) -> dict[str, str]:
    """The corrections file of each input that has one, both as text.

    Raises:
        UsageError: A file is about none of the inputs, or two are about the same one.
        InputError: A file cannot be read.
    """
    from ttpose.corrections.matching import match_corrections

    return {str(source): str(file) for source, file in match_corrections(files, sources).items()}
