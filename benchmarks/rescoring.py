"""What rescoring gains on rendered people: `python benchmarks/rescoring.py OBSERVED [--margins 0,0.05]`.

OBSERVED is written by `python -m ttpose.training.rescorer observe SHARDS -o OBSERVED` from people that no training has
seen (docs/accuracy.md). Nothing is learned about a person here: the base looks, sides are settled, joints are rescored.
Prints a table for all people, and one for those whose motion the rescorer never saw.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ttpose.evaluation.metrics import CLIP_RULE, bootstrap_mean, measure
from ttpose.model.forest import Forest
from ttpose.personalize.rescore import load_rescorer, rescore
from ttpose.personalize.sides import exchange, settle_sides
from ttpose.skeleton import COCO17
from ttpose.training.observed_clips import LOOKS, ObservedClip, read_clip
from ttpose.training.rescorer import RescorerSettings

_LIMBS = np.arange(17) >= 5


def main() -> None:
    """Measure every clip, then print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("observed", type=Path)
    parser.add_argument("--forest", type=Path, help="default: the shipped one")
    parser.add_argument("--margins", default="0,0.05,0.1,0.15")
    options = parser.parse_args()
    forest = load_rescorer() if options.forest is None else Forest.load(options.forest)
    margins = [float(text) for text in options.margins.split(",")]
    clips = [read_clip(path) for path in sorted(options.observed.glob("identity_*.npz"))]
    rows = np.array([measure_clip(clip, forest, margins) for clip in clips])
    known = np.isfinite(rows).all((1, 2))  # nothing can be said of somebody whose torso is never in the picture
    new = np.array([clip.motion in RescorerSettings().left_out for clip in clips])
    for title, chosen in (("all", known), ("with a motion that the rescorer never saw", known & new)):
        print(f"\n{chosen.sum()} people, {title}\n")
        _table(100 * rows[chosen], margins)


def measure_clip(clip: ObservedClip, forest: Forest, margins: Sequence[float]) -> np.ndarray:
    """PCK@0.1 and @0.2 [1 + looks * (1 + margins), 2]: alone, then for each look settled and rescored."""
    found = [clip.seen[0].keypoints]
    for seen in clip.seen:
        _, exchanged = settle_sides(seen.keypoints, seen.sides, clip.times, COCO17)
        settled = exchange(seen, exchanged, COCO17)
        found.append(settled.keypoints)
        found += [rescore(settled, clip.times, COCO17, forest, margin)[0] for margin in margins]
    measured = [measure(points, clip.truth, COCO17.keypoints, CLIP_RULE, _LIMBS) for points in found]
    return np.array([[one.tally(limit).mean() for limit in (0.1, 0.2)] for one in measured])


def _table(rows: np.ndarray, margins: Sequence[float]) -> None:
    """Means of [people, results, 2], and gains over sides settled and over the base alone."""
    print("| views | margin | PCK@0.1 / @0.2 | over sides settled | over the base alone, at 0.2 | lose > 0.5 |")
    print("|---" * 6 + "|")
    for number, looks in enumerate(LOOKS):
        start = 1 + number * (1 + len(margins))
        for offset, margin in enumerate(["not rescored", *margins]):
            here, settled, alone = rows[:, start + offset], rows[:, start], rows[:, 0]
            over = (here - settled).mean(0)
            gain = bootstrap_mean((here - alone)[:, 1])
            lost = [(gained[:, 1] < -0.5).mean() for gained in (here - settled, here - alone)]
            print(
                f"| {looks} | {margin} | {here[:, 0].mean():.1f} / {here[:, 1].mean():.1f} | {over[0]:+.2f} /"
                f" {over[1]:+.2f} ({lost[0]:.0%} lose) | {gain.mean:+.2f} [{gain.low:+.2f}, {gain.high:+.2f}] |"
                f" {lost[1]:.1%} |"
            )


if __name__ == "__main__":
    main()
