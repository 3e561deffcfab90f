"""From a path, or nothing, to a model that is ready to use: the shipped base, another base, or a person on it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ttpose.core.files import sha256_of
from ttpose.models.checkpoint import load_model, read_metadata
from ttpose.models.engine import PoseNetwork, compiled
from ttpose.models.person import PERSON_FORMAT, PersonDelta
from ttpose.models.pose_model import PoseModel
from ttpose.models.store import model_path

#: File name of the shipped base.
BASE_FILE = "mobile.safetensors"


@dataclass(frozen=True)
class LoadedModel:
    """A model and what it was made from.

    Attributes:
        model: In evaluation mode, on its device.
        base: Name of the base's file without suffix.
        base_sha256: Fingerprint of the base's file.
        person: The person file, or None.
        person_sha256: Its fingerprint, or None.
        base_model: The base's own weights, by which boxes follow a person; None where `model` is the base.
    """

    model: PoseModel
    base: str
    base_sha256: str
    person: Path | None = None
    person_sha256: str | None = None
    base_model: PoseModel | None = None

    @property
    def follows(self) -> PoseModel:
        """The weights that correct boxes: the base's, so that they do not depend on what was learned."""
        return self.model if self.base_model is None else self.base_model

    @cached_property
    def network(self) -> PoseNetwork:
        """`model` for inference: compiled where that is possible."""
        return compiled(self.model)

    @cached_property
    def follow_network(self) -> PoseNetwork:
        """`follows` for inference; `network` itself where the weights are the same."""
        return self.network if self.base_model is None else compiled(self.base_model)

    def describe(self) -> dict[str, object]:
        """The `model` part of a keypoint file, before any guard."""
        return {
            "base": self.base,
            "base_sha256": self.base_sha256,
            "person": None if self.person is None else str(self.person),
            "person_sha256": self.person_sha256,
            "guard": None,
        }


def load(path: Path | str | None = None, device: str = "cpu") -> LoadedModel:
    """Load the shipped base (None), another base, or a person file on the shipped base.

    Raises:
        WeightsError: Missing, damaged, of another kind, or a person of another base.
    """
    base_path = model_path(BASE_FILE) if path is None else Path(path)
    if path is not None and read_metadata(base_path).get("format") == PERSON_FORMAT:
        return with_person(load(None, device), base_path)
    return LoadedModel(load_model(base_path, device), base_path.stem, sha256_of(base_path))


def with_person(base: LoadedModel, path: Path) -> LoadedModel:
    """A base with a person file's changes; raises WeightsError as `load` does."""
    model = PersonDelta.load(path, base.base_sha256).apply(base.model).eval()
    return LoadedModel(model, base.base, base.base_sha256, path, sha256_of(path), base.model)
