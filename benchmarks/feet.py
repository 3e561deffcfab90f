"""Feet on rendered people, in two steps: `observe SHARDS -o OBSERVED`, then `measure OBSERVED [--fit N]`.

SHARDS is written by `ttpose synth SHARDS --shards --clips 1 --frames 24 --identities 160 --seed 910000`, people that no
training has seen. Observing predicts each person's clip as `--preset balanced` does and keeps the body's keypoints and
what the second network says of ankles and feet; finished people are kept. Measuring prints, step by step, PCK of toes
and heels, of points that can be seen and of all, and how far the foot's direction is off; then how often points of each
score are right. `--fit N` first fits the score's weights to the first N people, and measures on the others.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ttpose.core.files import atomic_path
from ttpose.core.skeleton import COCO17, torso_lengths
from ttpose.data.archives import read_arrays
from ttpose.data.shards import read_shard
from ttpose.inference.pipeline import predict_crops
from ttpose.inference.refine.clip import refine
from ttpose.inference.refine.feet import WEIGHTS, Legs
from ttpose.inference.settings import REFINE_PRESETS
from ttpose.metrics.pck import CLIP_RULE, reference_lengths
from ttpose.models.shipped import load
from ttpose.training.observed_clips import shard_crops

_RIGHT = 0.15  # torsos within which a point is right for its score
_LONG = 0.3  # torsos from heel to toe, in the picture, from where on a foot has a direction
_ARRAYS = ("truth", "feet_truth", "times", "refined", "ensemble", "feet")


@dataclass(frozen=True)
class Person:
    """One rendered person's clip.

    Attributes:
        legs: As the second network names them.
        truth: [N, 2 parts, 2 sides, 3] toes and heels: x, y, visibility.
        torso: [N] torso lengths by which distances are measured; NaN in frames without one.
    """

    legs: Legs
    truth: np.ndarray
    torso: np.ndarray

    def errors(self, points: np.ndarray) -> np.ndarray:
        """[N, 2, 2] distances of points from the labels in torsos."""
        return np.asarray(np.linalg.norm(points - self.truth[..., :2], axis=-1) / self.torso[:, None, None])


def main() -> None:
    """Observe, or measure what was observed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    observing = commands.add_parser("observe")
    observing.add_argument("shards", type=Path)
    observing.add_argument("-o", "--output", type=Path, required=True)
    measuring = commands.add_parser("measure")
    measuring.add_argument("observed", type=Path)
    measuring.add_argument("--fit", type=int, default=0, metavar="N")
    options = parser.parse_args()
    if options.command == "observe":
        observe(options.shards, options.output)
        return
    people = [read_person(path) for path in sorted(options.observed.glob("identity_*.npz"))]
    weights = WEIGHTS
    if options.fit:
        weights = fit(people[: options.fit])
        print(f"weights fitted to {options.fit} people: {np.round(weights, 2).tolist()}")
    print_table(people[options.fit :], weights)


def observe(shards: Path, output: Path) -> None:
    """Predict every person that is not there yet."""
    output.mkdir(parents=True, exist_ok=True)
    loaded, settings = load(None), REFINE_PRESETS["balanced"]
    for path in sorted(shards.glob("identity_*.npz")):
        if (output / path.name).exists():
            continue
        shard = read_shard(path)
        if shard.foot_points is None:
            raise SystemExit(f"{path} was rendered before feet were labelled")
        crops = shard_crops(shard, 0, loaded.model.config.crop)
        found = predict_crops(loaded.network, crops, settings)
        times = np.array([crop.time_s for crop in crops])
        refined = refine(found, times, COCO17, settings).keypoints
        values = (shard.keypoints[0], shard.foot_points[0], times, refined, found.ensemble, found.feet)
        with atomic_path(output / path.name) as partial, open(partial, "wb") as handle:
            np.savez(handle, allow_pickle=False, **dict(zip(_ARRAYS, values, strict=True)))


def read_person(path: Path) -> Person:
    """A file of `observe`."""
    arrays = read_arrays(path, "an observed person")
    refined, count = arrays["refined"], len(arrays["times"])
    sides = [COCO17.index(f"{side}_ankle") for side in ("left", "right")]
    torso = max(float(np.median(torso_lengths(refined, COCO17))), 1e-3)
    feet = arrays["feet"].reshape(count, 2, 2, 4)
    legs = Legs(refined[:, sides], arrays["ensemble"][:, sides], feet, arrays["times"], torso)
    lengths = reference_lengths(arrays["truth"], COCO17.keypoints, CLIP_RULE)
    return Person(legs, arrays["feet_truth"].reshape(count, 2, 2, 3).astype(float), lengths)


def _as_seen(legs: Legs) -> np.ndarray:
    return legs.feet[..., :2]


def _assigned(legs: Legs) -> np.ndarray:
    return legs.assigned().feet[..., :2]


def _placed(legs: Legs) -> np.ndarray:
    return legs.assigned().points()


def _steadied(legs: Legs) -> np.ndarray:
    legs = legs.assigned()
    return legs.steadied(legs.points())


STEPS: dict[str, Callable[[Legs], np.ndarray]] = {
    "second network alone": _as_seen,
    "assigned to the final ankles": _assigned,
    "moved with them": _placed,
    "steadied: as written": _steadied,
}


def print_table(people: Sequence[Person], weights: np.ndarray) -> None:
    """PCK of each step, then how right scores are."""
    print(
        f"{len(people)} people\n| step | big toe | heel | both | both, also hidden | direction |\n" + "|---" * 6 + "|"
    )
    for name, place in STEPS.items():
        errors = np.concatenate([person.errors(place(person.legs)) for person in people])
        seen = np.concatenate([person.truth[..., 2] for person in people])
        toe, heel = (_pck(errors[:, part], seen[:, part] == 2) for part in (0, 1))
        off = np.median(np.concatenate([_off_direction(person, place(person.legs)) for person in people]))
        print(f"| {name} | {toe} | {heel} | {_pck(errors, seen == 2)} | {_pck(errors, seen > 0)} | {off:.1f}° |")
    signs, right = _rows(people)
    score = _chance(signs, weights)
    print("\n| score | points | mean score | right |\n" + "|---" * 4 + "|")
    for low in np.arange(0, 1, 0.1):
        there = (score >= low) & (score < low + 0.1)
        if there.any():
            mean, share = score[there].mean(), right[there].mean()
            print(f"| {low:.1f} to {low + 0.1:.1f} | {there.sum()} | {mean:.2f} | {share:.2f} |")


def fit(people: Sequence[Person], ridge: float = 1.0) -> np.ndarray:
    """Weights of the signs by ridge-penalised logistic regression (Newton's method); the first one is free."""
    signs, right = _rows(people)
    weights, penalty = np.zeros(signs.shape[1]), ridge * np.eye(signs.shape[1])
    penalty[0, 0] = 0.0
    for _ in range(30):
        chance = _chance(signs, weights)
        slope = signs.T @ (right - chance) - penalty @ weights
        weights += np.linalg.solve((signs.T * (chance * (1 - chance))) @ signs + penalty, slope)
    return weights


def _rows(people: Sequence[Person]) -> tuple[np.ndarray, np.ndarray]:
    """Signs [R, S] of all points with a label, and whether each is right [R]."""
    signs, right = [], []
    for person in people:
        legs = person.legs.assigned()
        points = legs.steadied(legs.points())
        errors = person.errors(points)
        known = np.isfinite(errors)
        signs.append(legs.signs(points)[known])
        right.append(errors[known] < _RIGHT)
    return np.concatenate(signs), np.concatenate(right)


def _chance(signs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-(signs @ weights))))


def _pck(errors: np.ndarray, counted: np.ndarray) -> str:
    """Shares within 0.1 and 0.2 torsos, in percent."""
    known = errors[counted & np.isfinite(errors)]
    return " / ".join(f"{100 * (known <= limit).mean():.1f}" for limit in (0.1, 0.2))


def _off_direction(person: Person, points: np.ndarray) -> np.ndarray:
    """Degrees between the found and the labelled direction from heel to toe, of feet that can be seen lengthwise."""
    found, true = points[:, 0] - points[:, 1], (person.truth[:, 0] - person.truth[:, 1])[..., :2]
    across = found[..., 0] * true[..., 1] - found[..., 1] * true[..., 0]
    degrees = np.degrees(np.abs(np.arctan2(across, (found * true).sum(-1))))
    long = np.linalg.norm(true, axis=-1) > _LONG * person.torso[:, None]
    return np.asarray(degrees[long & (person.truth[..., 2] == 2).all(1)])


if __name__ == "__main__":
    main()
