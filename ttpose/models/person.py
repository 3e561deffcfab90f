"""A person file: only what personalization changed, as a small delta on a base that it names by its SHA-256."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from ttpose.core.errors import WeightsError
from ttpose.models.checkpoint import read_tensors, write_tensors
from ttpose.models.pose_model import PoseModel

PERSON_FORMAT = "ttpose.person/1"
_LEVELS = 127  # 8-bit steps either side of zero
_AGAIN = "copy it again, or personalize again"


@dataclass(frozen=True)
class PersonDelta:
    """Differences of the pose path's weights from a base's.

    Stored as 8-bit steps with one scale for each output channel: the rounding is a 127th of the channel's largest
    change, far below what a step of the optimiser moves.

    Attributes:
        base_sha256: Fingerprint of the base's weights file.
        changes: Differences by parameter name; a parameter that did not change is absent.
        notes: Text for the file's metadata (settings, guard, source).
    """

    base_sha256: str
    changes: dict[str, Tensor]
    notes: dict[str, str] = field(default_factory=dict)

    @classmethod
    def between(
        cls,
        base: PoseModel,
        personal: PoseModel,
        base_sha256: str,
        notes: dict[str, str] | None = None,
        *,
        weight: float = 1.0,
    ) -> PersonDelta:
        """What turns `base` into `personal`, times `weight`, rounded as the file will hold it.

        The reconstruction nets stay out.
        """
        before, changes = base.state_dict(), {}
        for name, value in personal.state_dict().items():
            change = weight * (value - before[name]).float().cpu()
            if not name.startswith("reconstructor.") and bool(change.any()):
                changes[name] = _from_steps(*_to_steps(change))
        return cls(base_sha256, changes, notes or {})

    def apply(self, base: PoseModel, weight: float = 1.0) -> PoseModel:
        """A copy of `base` with the changes times `weight` added (0 the base, 1 the person)."""
        model = copy.deepcopy(base)
        state = model.state_dict()
        for name, change in self.changes.items():
            if name not in state or state[name].shape != change.shape:
                raise WeightsError(f"the person file changes {name}, which this base does not have in that shape")
            state[name].add_(change.to(state[name]), alpha=weight)
        return model

    def scaled(self, weight: float) -> PersonDelta:
        """The delta times a factor."""
        return PersonDelta(self.base_sha256, {n: c * weight for n, c in self.changes.items()}, dict(self.notes))

    def save(self, path: Path | str) -> None:
        """Write a safetensors file; raises OutputError."""
        tensors: dict[str, Tensor] = {}
        for name, change in self.changes.items():
            tensors[f"{name}|steps"], tensors[f"{name}|scale"] = _to_steps(change)
        if not tensors:
            # The format needs a tensor; a person whose guard chose the base changes nothing.
            tensors["nothing"] = torch.zeros(1)
        metadata = {"format": PERSON_FORMAT, "base_sha256": self.base_sha256, **self.notes}
        write_tensors(path, tensors, metadata)

    @classmethod
    def load(cls, path: Path | str, base_sha256: str) -> PersonDelta:
        """Read a person file for a base.

        Raises:
            WeightsError: Missing, damaged, no person file, or made on another base.
        """
        tensors, metadata = read_tensors(path)
        if metadata.get("format") != PERSON_FORMAT:
            raise WeightsError(f"{path} is not a ttpose person file", "see `ttpose info FILE`")
        made_on = metadata.get("base_sha256", "")
        if made_on != base_sha256:
            raise WeightsError(
                f"{path} was made on another base (sha256 {made_on[:12]}, this one is {base_sha256[:12]})",
                "personalize again with this base, or give the base it was made on",
            )
        names = [key.removesuffix("|steps") for key in tensors if key.endswith("|steps")]
        try:
            changes = {name: _from_steps(tensors[f"{name}|steps"], tensors[f"{name}|scale"]) for name in names}
        except KeyError as error:
            raise WeightsError(f"{path} is not complete: {error} is missing", _AGAIN) from error
        except RuntimeError as error:
            raise WeightsError(f"{path} is damaged: its steps and scales do not go together", _AGAIN) from error
        notes = {k: v for k, v in metadata.items() if k not in ("format", "base_sha256")}
        return cls(made_on, changes, notes)


def _to_steps(change: Tensor) -> tuple[Tensor, Tensor]:
    """8-bit steps of a change's shape and the scale of each row of its first axis, float32."""
    rows = change.reshape(len(change), -1) if change.dim() > 1 else change.reshape(1, -1)
    scale = rows.abs().amax(1, keepdim=True) / _LEVELS
    steps = (rows / scale.clamp_min(1e-30)).round().clamp(-_LEVELS, _LEVELS).to(torch.int8)
    return steps.reshape(change.shape), scale[:, 0].clone()


def _from_steps(steps: Tensor, scale: Tensor) -> Tensor:
    shape = (-1,) + (1,) * (steps.dim() - 1) if steps.dim() > 1 else (1,)
    return steps.float() * scale.view(shape)
