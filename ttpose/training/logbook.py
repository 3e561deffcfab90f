"""Losses and validation figures: CSV files that survive a kill, and TensorBoard for those who want it."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ttpose.core.errors import UsageError
from ttpose.core.files import write_text

LOSSES_NAME, VALIDATION_NAME = "losses.csv", "validation.csv"


class Logbook:
    """Appends rows to `losses.csv` and `validation.csv`; after a kill, rows beyond the resumed step are dropped.

    Args:
        folder: Where the files lie.
        start: Step that the training begins or goes on with.
        tensorboard: Also write TensorBoard's event files, to `folder/tensorboard`.

    Raises:
        UsageError: TensorBoard is wanted but not installed.
    """

    def __init__(self, folder: Path, start: int, *, tensorboard: bool = False) -> None:
        self.folder = folder
        for name in (LOSSES_NAME, VALIDATION_NAME):
            _cut(folder / name, start)
        self._board = _board(folder / "tensorboard", start) if tensorboard else None

    def losses(self, step: int, values: Mapping[str, float]) -> None:
        """Write a row of losses after `step` steps."""
        self._write(LOSSES_NAME, step, values, "train")

    def validation(self, step: int, values: Mapping[str, float]) -> None:
        """Write a row of validation figures after `step` steps."""
        self._write(VALIDATION_NAME, step, values, "validation")

    def close(self) -> None:
        """Finish TensorBoard's files."""
        if self._board is not None:
            self._board.close()

    def _write(self, name: str, step: int, values: Mapping[str, float], group: str) -> None:
        path = self.folder / name
        new = not path.exists()
        with open(path, "a", newline="", encoding="utf-8") as handle:
            writer = csv.writer(handle, lineterminator="\n")
            if new:
                writer.writerow(["step", *values])
            writer.writerow([step, *(f"{value:.6g}" for value in values.values())])
        if self._board is not None:
            for key, value in values.items():
                self._board.add_scalar(f"{group}/{key}", value, step)


def _cut(path: Path, start: int) -> None:
    """Keep the header and the whole rows up to a step."""
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    rows = [line for line in lines[1:] if line.endswith("\n") and int(line.split(",")[0]) <= start]
    if start == 0 or not rows:
        path.unlink()
    else:
        write_text(path, "".join([lines[0], *rows]))


def _board(folder: Path, start: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise UsageError("TensorBoard is not installed", 'pip install "ttpose[research]"') from None
    return SummaryWriter(str(folder), purge_step=start + 1)
