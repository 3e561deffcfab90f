"""A weights file that an option names, with the fingerprint by which a later run knows whether it is the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class WeightsFile:
    """A base or a person.

    Attributes:
        path: Where it is.
        sha256: Of the file.
    """

    path: Path
    sha256: str

    @classmethod
    def named(cls, given: Path | None, *, absolute: bool = True, base: bool = False) -> WeightsFile | None:
        """What a path, or a name in the person library, means; None for None.

        Args:
            given: By the user.
            base: Whether a base's name is meant, rather than a person's.
            absolute: Whether a full path is wanted, which holds in other folders too.

        Raises:
            WeightsError: There is no such person, or the file cannot be read.
            UsageError: There is no such base.
        """
        if given is None:
            return None
        from ttpose.core.errors import UsageError, WeightsError
        from ttpose.core.files import sha256_of
        from ttpose.people.library import find_base, find_weights

        try:
            path = find_base(given) if base else find_weights(given)
        except WeightsError as error:
            if not base:
                raise
            raise UsageError(error.message, error.hint) from error  # no input of this run can work without it
        try:
            return cls(path.absolute() if absolute else path, sha256_of(path))
        except OSError as error:
            raise WeightsError(f"cannot read {path}: {error.strerror}", "check the path") from error


def path_of(file: WeightsFile | None) -> Path | None:
    """Its path, or None where there is none."""
    return None if file is None else file.path


def fingerprint(name: str, file: WeightsFile | None) -> dict[str, str]:
    """A setting of that name, or none."""
    return {} if file is None else {f"{name}_sha256": file.sha256}
