"""The weights that a user names: the shipped base, a base, a person on the shipped base, or on a base of its own."""

from __future__ import annotations

from pathlib import Path

from ttpose.core.errors import UsageError, WeightsError
from ttpose.models.base import fingerprint
from ttpose.models.checkpoint import read_metadata
from ttpose.models.person import PERSON_FORMAT
from ttpose.models.pose_model import PoseModel
from ttpose.models.shipped import LoadedModel, load, with_person
from ttpose.people.library import find_base, find_weights


def load_weights(
    weights: Path | str | None = None, device: str = "cpu", *, base: Path | str | PoseModel | None = None
) -> LoadedModel:
    """Load a person or a base.

    Args:
        weights: A person, by file or by name in the library, or a base; None takes `base`.
        device: A torch device.
        base: The base that the person was made on, by file or name, or a model; None takes the shipped one.

    Raises:
        WeightsError: Missing, damaged, of another kind, or the person was made on another base.
        UsageError: Two bases, or a person in the place of the base.
    """
    path = None if weights is None else find_weights(weights)
    if path is None:
        return load_base(base, device)
    if not _is_person(path):
        if base is not None:
            raise UsageError(f"{path} is a base, and so is {base}", "give a person with the base, or one base")
        return load(path, device)
    return on_base(load_base(base, device), path)


def load_base(path: Path | str | PoseModel | None = None, device: str = "cpu") -> LoadedModel:
    """Load a base by file or name, None for the shipped one; a model is taken as it is.

    Raises:
        WeightsError: Missing, damaged or of another kind.
        UsageError: It is a person file.
    """
    if path is None:
        return load(None, device)
    if isinstance(path, PoseModel):
        return LoadedModel(path.to(device).eval(), path.config.preset, fingerprint(path))
    found = find_base(path)
    if _is_person(found):
        raise UsageError(f"{path} is a person, not a base", "give it as the person, and beside it the base it is for")
    return load(found, device)


def on_base(base: LoadedModel, person: Path | str) -> LoadedModel:
    """A base with a person's changes, by file or by name; raises WeightsError, most of all for one of another base."""
    path = find_weights(person)
    notes = read_metadata(path)
    made_on = notes.get("base_sha256", base.base_sha256)
    if made_on != base.base_sha256:
        name = f"{notes['base']}, " if "base" in notes else ""
        raise WeightsError(
            f"{path} was made on another base ({name}sha256 {made_on[:12]}), not on {base.base} (sha256"
            f" {base.base_sha256[:12]})",
            "give the base that it was made on, with --base FILE, or personalize again",
        )
    return with_person(base, path)


def _is_person(path: Path) -> bool:
    return read_metadata(path).get("format") == PERSON_FORMAT
