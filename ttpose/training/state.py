"""The state of a training on disk: whole or not at all, so that a kill at any moment loses minutes, never the run.

There is no state of random generators in it: samples are seeded by epoch and index, and PyTorch's generators anew at
each step, so the step alone says how the run goes on.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ttpose.core.errors import UsageError, WeightsError
from ttpose.core.files import atomic_path

STATE_NAME = "state.pt"
_FORMAT = "ttpose.training/1"


@dataclass(frozen=True)
class TrainingState:
    """Everything that a training needs to go on.

    Attributes:
        step: Steps done.
        model: The model's state dict.
        optimizer: Adam's.
        scaler: The gradient scaler's (16-bit floats only, else empty).
        means: Running means of the perceptual loss, or None.
        best: Best validation PCK so far, or None.
        run: What the run is (settings, structure, data), to refuse going on with another.
        average: State dict of the averaged model; None where there is no average.
    """

    step: int
    model: dict[str, Tensor]
    optimizer: dict[str, Any]
    scaler: dict[str, Any]
    means: Tensor | None
    best: float | None
    run: dict[str, Any]
    average: dict[str, Tensor] | None = None

    def save(self, folder: Path) -> None:
        """Write `state.pt` in a folder; raises `OutputError`."""
        content = {"format": _FORMAT, **vars(self), "run": json.dumps(self.run)}
        with atomic_path(folder / STATE_NAME) as partial:
            torch.save(content, partial)


def load_state(folder: Path) -> TrainingState | None:
    """Read a folder's state; None if it holds none. What a kill left half-written is removed.

    Raises:
        WeightsError: It is damaged, or of another version.
    """
    for partial in folder.glob(f".{Path(STATE_NAME).stem}.*.partial*"):
        with suppress(OSError):
            partial.unlink()
    path = folder / STATE_NAME
    if not path.exists():
        return None
    hint = "delete it to begin anew"
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can raise almost anything while it is parsed
        raise WeightsError(f"cannot read {path}: {next(iter(str(error).splitlines()), '')}", hint) from error
    if not isinstance(content, dict) or content.pop("format", None) != _FORMAT:
        raise WeightsError(f"{path} is no training state of this version", hint)
    return TrainingState(**{**content, "run": json.loads(content["run"])})


def require_same_run(stored: dict[str, Any], wanted: dict[str, Any], folder: Path) -> None:
    """Refuse to go on with another run; raises UsageError naming what differs."""
    wanted = json.loads(json.dumps(wanted))
    for part in {**wanted, **stored}:
        before, now = stored.get(part), wanted.get(part)
        if isinstance(before, dict) and isinstance(now, dict):
            for name in sorted(before.keys() | now.keys()):
                _require_same(name, before.get(name), now.get(name), folder)
        else:
            _require_same(part, before, now, folder)


def _require_same(name: str, before: Any, now: Any, folder: Path) -> None:
    if before != now:
        raise UsageError(
            f"{folder} holds a training with another {name}: {before}, now {now}",
            "repeat its options to go on with it, or choose another folder with -o",
        )
