"""The affinity W as a heatmap: cells of a grid that the page draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Weights below this are left white: 544 cells of which a few dozen say something.
_VISIBLE = 0.01
# A change is drawn on a scale of at least this, so that rounding noise is not drawn like learning.
_LEAST_SCALE = 0.02


@dataclass(frozen=True)
class Cell:
    """A filled cell: its place, opacity 0..1, sign, and what it says."""

    row: int
    column: int
    opacity: float
    falls: bool
    text: str


@dataclass(frozen=True)
class Heatmap:
    """A grid with its cells, and one sentence that says the same.

    Attributes:
        rows, columns: Names.
        cells: The filled ones.
        summary: For screen readers.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[Cell, ...]
    summary: str


def weights_map(affinity: np.ndarray, rows: Sequence[str], columns: Sequence[str]) -> Heatmap:
    """W [K, J] itself."""
    names = _spoken(rows)
    cells = [
        Cell(int(k), int(j), float(affinity[k, j]), False, f"{names[k]} ← {columns[j]}: {affinity[k, j]:.2f}")
        for k, j in np.argwhere(affinity >= _VISIBLE)
    ]
    own = float(np.mean([affinity[k].max() for k in range(len(affinity))]))
    summary = f"Each keypoint takes {own:.0%} of its map from its strongest self-supervised map on average."
    return Heatmap(tuple(names), tuple(_spoken(columns)), tuple(cells), summary)


def change_map(
    before: np.ndarray, after: np.ndarray, rows: Sequence[str], columns: Sequence[str]
) -> tuple[Heatmap | None, str]:
    """W after minus before, or None where it hardly changed, and a sentence about it."""
    change = after - before
    k, j = np.unravel_index(np.abs(change).argmax(), change.shape)
    largest = float(change[k, j])
    if abs(largest) < _VISIBLE:
        return None, f"Personalizing left W as it was (largest change {abs(largest):.1e})."
    names, scale = _spoken(rows), max(abs(largest), _LEAST_SCALE)
    cells = [
        Cell(int(r), int(c), float(abs(change[r, c]) / scale), bool(change[r, c] < 0),
             f"{names[r]} ← {columns[c]}: {change[r, c]:+.3f}")
        for r, c in np.argwhere(np.abs(change) >= 0.05 * scale)
    ]  # fmt: skip
    text = f"The largest change is {largest:+.3f}: {names[k]} ← {columns[j].replace('_', ' ')}."
    return Heatmap(tuple(names), tuple(_spoken(columns)), tuple(cells), text), text


def _spoken(names: Sequence[str]) -> list[str]:
    return [name.replace("_", " ") for name in names]
