"""Charts of what was measured: `python benchmarks/figures.py accuracy.json -o gains.png`, or with people.jsonl.

The first is what `benchmarks/accuracy.py` wrote, a bar for each method and clip; the second is what
`benchmarks/synthetic.py` wrote, a bar for each person, sorted by gain.
"""

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
_COLORS = ("#999999", "#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#0072B2", "#D55E00", "#000000")
_MEASURES = ("pck@0.1", "pck@0.2")


def main() -> None:
    """Draw the chart that belongs to the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("measured", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    if options.measured.suffix == ".jsonl":
        _draw_people([json.loads(line) for line in options.measured.read_text().splitlines()], options.output)
    else:
        _draw_methods(json.loads(options.measured.read_text()), options.output)


def _draw_people(rows: list[dict[str, Any]], output: Path) -> None:
    """Each person's gain in points, the base alone to what is written in the end, sorted."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3), sharey=True, layout="constrained")
    for number, (axis, measure) in enumerate(zip(axes, _MEASURES, strict=True)):
        before, after = (
            100 * np.array([row[f"clip0_{kind}"][number] for row in rows]) for kind in ("base_alone", "person_full")
        )
        gain = np.sort(after - before)
        axis.bar(np.arange(len(gain)), gain, 1.0, color=np.where(gain < 0, _COLORS[2], _COLORS[3]))
        axis.axhline(gain.mean(), color="black", linewidth=0.8, linestyle="--")
        axis.set_title(f"{measure.upper()}: mean {gain.mean():+.1f}", fontsize=9)
        axis.set_xlabel(f"{len(gain)} rendered people, sorted", fontsize=8)
    axes[0].set_ylabel("gain, points", fontsize=8)
    figure.savefig(output, dpi=110)


def _draw_methods(reports: dict[str, Any], output: Path) -> None:
    """One panel a measure, one group of bars a clip, one bar a method, the base first."""
    figure, axes = plt.subplots(len(_MEASURES), 1, figsize=(9, 6), sharex=True, layout="constrained")
    for axis, measure in zip(axes, _MEASURES, strict=True):
        _panel(axis, reports, measure)
    axes[0].legend(ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False, fontsize=8)
    figure.savefig(output, dpi=110)


def _panel(axis: Any, reports: dict[str, Any], measure: str) -> None:
    first = next(iter(reports.values()))
    names = [clip["clip"] for clip in first["clips"]] + ["mean"]
    rows = {"base": _values(first, "base", measure)}
    rows |= {method: _values(report, "personalized", measure) for method, report in reports.items()}
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
