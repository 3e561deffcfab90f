"""The histogram of gains per video, as a picture (optional: `ttpose[research]`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ttpose.core.errors import UsageError
from ttpose.core.files import atomic_path

_BIN = 2.5  # percentage points


def write_histogram(gains: Mapping[str, Mapping[str, float]], path: Path | str, *, measure: str = "PCK") -> None:
    """Draw how many videos gained how much; one panel a method.

    Args:
        gains: For each method the gains of the videos, in shares (0.01 is one point); NaN ones are left out.
        path: PNG (or another suffix that matplotlib knows).
        measure: Name on the axis.

    Raises:
        UsageError: matplotlib is not installed, or there is nothing to draw.
        OutputError: The file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError("the histogram needs matplotlib", "pip install 'ttpose[research]'") from error

    points = {method: 100 * np.array([g for g in rows.values() if np.isfinite(g)]) for method, rows in gains.items()}
    points = {method: values for method, values in points.items() if values.size}
    if not points:
        raise UsageError("there are no gains to draw", "evaluate with at least one personalization")
    edges = bins(np.concatenate(list(points.values())))
    figure = Figure(figsize=(7.0, 2.4 * len(points) + 0.6), layout="constrained")
    panels = figure.subplots(len(points), 1, sharex=True, squeeze=False)[:, 0]
    for panel, (method, values) in zip(panels, points.items(), strict=True):
        panel.hist(values, bins=edges, color="#0072b2", edgecolor="white")
        panel.axvline(0, color="#444444", linewidth=1)
        panel.axvline(values.mean(), color="#d55e00", linewidth=1.5, linestyle="--")
        panel.set_title(
            f"{method}: mean {values.mean():+.2f} points, {(values > 0).sum()} of {values.size} videos better, "
            f"{(values < 0).sum()} worse",
            fontsize=10,
        )
        panel.set_ylabel("videos")
    panels[-1].set_xlabel(f"gain in {measure}, percentage points")
    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=150)


def bins(values: np.ndarray) -> np.ndarray:
    """Edges of bins that hold all values; one bin's middle is 0, so that unchanged videos stand by themselves."""
    reach = max(int(np.ceil(np.abs(values).max() / _BIN + 0.5)), 1)
    return (np.arange(-reach, reach + 2) - 0.5) * _BIN
