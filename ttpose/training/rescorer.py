"""Training of the shipped rescorer from rendered people, in two steps; run as `python -m ttpose.training.rescorer`.

    python -m ttpose.training.rescorer observe SHARDS -o OBSERVED     (hours; go on by running it again)
    python -m ttpose.training.rescorer fit OBSERVED -o rescorer.safetensors        (minutes)
    python -m ttpose.training.rescorer fit OBSERVED -o rescorer_second.safetensors --second

SHARDS is written by `ttpose synth SHARDS --shards --clips 1 --frames 24`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from ttpose.core.errors import InputError
from ttpose.core.skeleton import COCO17
from ttpose.inference.refine.candidates import candidates
from ttpose.inference.refine.left_right import apply_swaps, correct_swaps
from ttpose.models.boosted_trees import Forest
from ttpose.models.shipped import load
from ttpose.training.conventions import fit_convention, in_convention, scored_lengths
from ttpose.training.observed_clips import ObservedClip, observe_shard, read_clip, write_clip


@dataclass(frozen=True)
class RescorerSettings:
    """Numbers of the training.

    Attributes:
        within: A place is right within so many torsos of the label: midway between the two thresholds of PCK.
        steps: Every frame, and every second one, so that slower videos are known too.
        trees, leaves, rate: Of the boosting; half as many leaves and twice as many trees were worse.
        smallest: Rows a leaf.
        ridge: Penalty of a leaf's value.
        box_out: Each edge of a clip's boxes goes out by a share of their longer side between these, since boxes of
            finders and of labels are looser than rendered ones.
        box_shake: Deviation of the same from frame to frame.
        left_out: Motions that are not learned from, every fourth, so that people of new motions can be measured.
        seed: Of the boosting.
    """

    within: float = 0.15
    steps: tuple[int, ...] = (1, 2)
    trees: int = 250
    leaves: int = 31
    rate: float = 0.1
    smallest: int = 200
    ridge: float = 1.0
    box_out: tuple[float, float] = (-0.05, 0.12)
    box_shake: float = 0.015
    left_out: tuple[str, ...] = (
        "cmu/indian/06", "cmu/indian/14", "cmu/martial/05", "cmu/martial/09", "cmu/salsa/03", "cmu/salsa/07",
        "cmu/salsa/12", "cmu/salsa/16", "cmu/salsa/20", "cmu/salsa/25", "cmu/salsa/29", "isaac/dance", "keypose/00",
        "keypose/04",
    )  # fmt: skip
    seed: int = 0


def rows_of(
    clip: ObservedClip, convention: np.ndarray, settings: RescorerSettings, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Features [R, F] of a clip's candidates and whether each is right [R], for each number of views and step."""
    boxes = loosened(clip.seen[0].boxes, rng, settings)
    truth = in_convention(clip.truth, convention, COCO17)
    lengths = scored_lengths(clip.truth, COCO17)
    for seen in clip.seen:
        for step in settings.steps:
            rows = slice(None, None, step)
            part, times = replace(seen, boxes=boxes).part(rows), clip.times[rows]
            _, swapped = correct_swaps(part.keypoints, part.side_odds, times, COCO17)
            given = candidates(apply_swaps(part, swapped, COCO17), times, COCO17)
            error = np.linalg.norm(given.positions - truth[rows][:, given.joints, None, :2], axis=-1)
            usable = given.worth & (truth[rows][:, given.joints, 2] > 0)[..., None]
            yield given.features[usable], (error < settings.within * lengths[rows][:, None, None])[usable]


def loosened(boxes: np.ndarray, rng: np.random.Generator, settings: RescorerSettings) -> np.ndarray:
    """Boxes [N, 4] of a clip as another detector might have drawn them."""
    out = rng.uniform(*settings.box_out, 4) + rng.normal(0, settings.box_shake, boxes.shape)
    left, top, right, bottom = (out * boxes[:, 2:].max(1, keepdims=True)).T
    return boxes + np.stack([-left, -top, left + right, top + bottom], 1)


def fit_rescorer(clips: Sequence[ObservedClip], settings: RescorerSettings) -> Forest:
    """Train on clips, which all have the ensemble's prediction or none of them; needs scikit-learn."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    convention = fit_convention([c.truth for c in clips], [c.seen[-1].keypoints for c in clips], COCO17)
    rngs = np.random.default_rng(settings.seed).spawn(len(clips))
    parts = [part for clip, rng in zip(clips, rngs, strict=True) for part in rows_of(clip, convention, settings, rng)]
    features, right = np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
    model = HistGradientBoostingClassifier(
        max_iter=settings.trees,
        max_leaf_nodes=settings.leaves,
        learning_rate=settings.rate,
        min_samples_leaf=settings.smallest,
        l2_regularization=settings.ridge,
        early_stopping=False,
        random_state=settings.seed,
    )
    print(f"{len(clips)} clips, {len(features)} candidates, {right.mean():.1%} right", flush=True)
    return Forest.of(model.fit(features, right))


def main() -> None:
    """Command line of the training."""
    parser = argparse.ArgumentParser(description="Train the rescorer on rendered people.")
    commands = parser.add_subparsers(dest="command", required=True)
    seeing = commands.add_parser("observe", help="predict rendered people with the shipped model")
    seeing.add_argument("shards", type=Path)
    seeing.add_argument("--part", type=part_of, default="0/1", help="i/n: every n-th person from the i-th on")
    fitting = commands.add_parser("fit", help="train on those predictions")
    fitting.add_argument("observed", type=Path)
    fitting.add_argument("--seed", type=int, default=0)
    fitting.add_argument("--second", action="store_true", help="let the trees know the ensemble's prediction")
    for command in (seeing, fitting):
        command.add_argument("-o", "--out", type=Path, required=True)
    options = parser.parse_args()
    if options.command == "observe":
        _observe(options.shards, options.out, options.part)
    else:
        _fit(options.observed, options.out, RescorerSettings(seed=options.seed), options.second)


def part_of(text: str) -> slice:
    """`i/n` as the slice of every n-th thing from the i-th on; for argparse."""
    first, slash, every = text.partition("/")
    if not (slash and first.isdecimal() and every.isdecimal() and int(first) < int(every)):
        raise argparse.ArgumentTypeError(f"a part is i/n with i below n, such as 0/2, not {text!r}")
    return slice(int(first), None, int(every))


def _observe(shards: Path, out: Path, part: slice) -> None:
    out.mkdir(parents=True, exist_ok=True)
    model = load(None).model
    for path in sorted(shards.glob("identity_*.npz"))[part]:
        if not (out / path.name).exists():
            write_clip(observe_shard(model, path), out / path.name)


def _fit(observed: Path, out: Path, settings: RescorerSettings, second: bool) -> None:
    clips = [read_clip(path) for path in sorted(observed.glob("identity_*.npz"))]
    clips = [clip if second else clip.without_ensemble() for clip in clips]
    learned = [clip for clip in clips if clip.motion not in settings.left_out]
    if not learned:
        problem = f"{observed} holds no observed people to learn from"
        raise InputError(problem, "run `python -m ttpose.training.rescorer observe`")
    if second and any(clip.seen[0].ensemble is None for clip in learned):
        raise InputError(f"{observed} holds people without the ensemble's prediction", "observe them again")
    notes = {"settings": json.dumps(asdict(settings)), "clips": str(len(learned))}
    fit_rescorer(learned, settings).save(out, notes)


if __name__ == "__main__":
    main()
