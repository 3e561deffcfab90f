"""What rescoring gains on rendered people: `python benchmarks/rescoring.py OBSERVED [--second] [--turns 0,2]`.

OBSERVED is written by `python -m ttpose.training.rescorer observe SHARDS -o OBSERVED` from people that no training has
seen (docs/experiments.md). Nothing is learned about a person here: TTA, left/right correction and rescoring alone.
Prints a table for all people, and one for those whose motion the rescorer never saw.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np

from ttpose.core.skeleton import COCO17
from ttpose.inference.refine.left_right import apply_swaps, correct_swaps
from ttpose.inference.refine.rescoring import load_rescorer, rescore
from ttpose.inference.refine.viterbi import ViterbiCosts
from ttpose.metrics.pck import CLIP_RULE, bootstrap_mean, measure
from ttpose.models.boosted_trees import Forest
from ttpose.training.observed_clips import VIEW_COUNTS, ObservedClip, read_clip
from ttpose.training.rescorer import RescorerSettings

_LIMBS = np.arange(17) >= 5


def main() -> None:
    """Measure every clip, then print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("observed", type=Path)
    parser.add_argument("--second", action="store_true", help="with the ensemble's prediction")
    parser.add_argument("--forest", type=Path, help="default: the shipped one")
    parser.add_argument("--margins", default="0,0.05,0.1", help="how much likelier another place must be")
    parser.add_argument("--turns", default="0,2", help="prices of a turn of one torso; 0: each frame by itself")
    parser.add_argument("--every", type=int, default=1, help="of every so manieth frame alone")
    options = parser.parse_args()
    forest = load_rescorer(options.second) if options.forest is None else Forest.load(options.forest)
    margins, turns = ([float(text) for text in texts.split(",")] for texts in (options.margins, options.turns))
    ways = list(product(margins, turns))
    clips = [thinned(read_clip(path), options.every) for path in sorted(options.observed.glob("identity_*.npz"))]
    clips = [clip if options.second else clip.without_ensemble() for clip in clips]
    rows = np.array([measure_clip(clip, forest, ways) for clip in clips])
    known = np.isfinite(rows).all((1, 2))  # nothing can be said of somebody whose torso is never in the picture
    new = np.array([clip.motion in RescorerSettings().left_out for clip in clips])
    for title, chosen in (("all", known), ("with a motion that the rescorer never saw", known & new)):
        print(f"\n{chosen.sum()} people, {title}\n")
        _table(100 * rows[chosen], ways)


def thinned(clip: ObservedClip, every: int) -> ObservedClip:
    """Of a clip every so manieth frame."""
    rows = slice(None, None, every)
    return replace(clip, truth=clip.truth[rows], times=clip.times[rows], seen=tuple(s.part(rows) for s in clip.seen))


def measure_clip(clip: ObservedClip, forest: Forest, ways: Sequence[tuple[float, float]]) -> np.ndarray:
    """PCK@0.1 and @0.2 [1 + views * (1 + ways), 2]: single view, then each number of views corrected and rescored."""
    found = [clip.seen[0].keypoints]
    for seen in clip.seen:
        _, swapped = correct_swaps(seen.keypoints, seen.side_odds, clip.times, COCO17)
        corrected = apply_swaps(seen, swapped, COCO17)
        found.append(corrected.keypoints)
        for margin, turning in ways:
            found.append(rescore(corrected, clip.times, COCO17, forest, margin, ViterbiCosts(turning=turning))[0])
    measured = [measure(points, clip.truth, COCO17.keypoints, CLIP_RULE, _LIMBS) for points in found]
    return np.array([[one.tally(limit).mean() for limit in (0.1, 0.2)] for one in measured])


def _table(rows: np.ndarray, ways: Sequence[tuple[float, float]]) -> None:
    """Means of [people, results, 2], and gains over left/right correction and over the single view."""
    print("| views | margin | turns | PCK@0.1 / @0.2 | over left/right correction", end="")
    print(" | over the single view, at 0.2 | lose > 0.5 |\n" + "|---" * 7 + "|")
    for number, views in enumerate(VIEW_COUNTS):
        start = 1 + number * (1 + len(ways))
        for offset, (margin, turning) in enumerate([("not rescored", ""), *ways]):
            here, corrected, alone = rows[:, start + offset], rows[:, start], rows[:, 0]
            over = (here - corrected).mean(0)
            gain = bootstrap_mean((here - alone)[:, 1])
            lost = [(gained[:, 1] < -0.5).mean() for gained in (here - corrected, here - alone)]
            print(
                f"| {views} | {margin} | {turning} | {here[:, 0].mean():.1f} / {here[:, 1].mean():.1f} |"
                f" {over[0]:+.2f} / {over[1]:+.2f} ({lost[0]:.0%} lose) |"
                f" {gain.mean:+.2f} [{gain.low:+.2f}, {gain.high:+.2f}] | {lost[1]:.1%} |"
            )


if __name__ == "__main__":
    main()
