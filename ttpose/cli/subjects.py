"""`--subject WHO`, once for all inputs or once for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ttpose.core.errors import UsageError

#: Whom to follow: one rule for all inputs, or by input; None where nothing was said.
Subjects = str | Mapping[str, str] | None


def subjects_of(given: Sequence[str] | None, sources: Sequence[Path]) -> Subjects:
    """Whom to follow in each input.

    Raises:
        UsageError: There are several values, but not one for each input.
    """
    if not given:
        return None
    if len(given) == 1:
        return given[0]
    if len(given) != len(sources):
        raise UsageError(
            f"--subject is given {len(given)} times for {len(sources)} {'input' if len(sources) == 1 else 'inputs'}",
            "give it once, or once for each input, in their order",
        )
    return {str(source): subject for source, subject in zip(sources, given, strict=True)}


def subject_of(subjects: Subjects, source: Path) -> str | None:
    """Whom to follow in one input."""
    return subjects if subjects is None or isinstance(subjects, str) else subjects.get(str(source))
