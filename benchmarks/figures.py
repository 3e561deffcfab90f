"""A bar chart of what `benchmarks/accuracy.py` measured: `python benchmarks/figures.py accuracy.json -o gains.png`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

# Okabe & Ito: colours that colour-blind people can tell apart.
_COLORS = ("#999999", "#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#0072B2")
_MEASURES = ("pck@0.1", "pck@0.2")


def main() -> None:
    """Draw one panel a measure, one group of bars a clip, one bar a method, the base first."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("accuracy", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    reports: dict[str, Any] = json.loads(options.accuracy.read_text())
    figure, axes = plt.subplots(len(_MEASURES), 1, figsize=(9, 6), sharex=True, layout="constrained")
    for axis, measure in zip(axes, _MEASURES, strict=True):
        _panel(axis, reports, measure)
    axes[0].legend(ncols=4, loc="lower left", fontsize=8)
    figure.savefig(options.output, dpi=110)


def _panel(axis: Any, reports: dict[str, Any], measure: str) -> None:
    first = next(iter(reports.values()))
    names = [clip["clip"] for clip in first["clips"]] + ["mean"]
    rows = {"base": _values(first, "before", measure)}
    rows |= {method: _values(report, "after", measure) for method, report in reports.items()}
    width = 0.8 / len(rows)
    for number, (method, values) in enumerate(rows.items()):
        places = np.arange(len(names)) + (number - (len(rows) - 1) / 2) * width
        axis.bar(places, values, width, label=method, color=_COLORS[number % len(_COLORS)])
    axis.set_xticks(np.arange(len(names)), names, fontsize=8)
    axis.set_ylabel(measure.upper().replace("PCK@", "PCK at ") + " torso")
    axis.set_ylim(0, 1)
    axis.grid(axis="y", alpha=0.3)


def _values(report: dict[str, Any], when: str, measure: str) -> list[float]:
    return [clip[when][measure] for clip in report["clips"]] + [report["mean"][when][measure]]


if __name__ == "__main__":
    main()
