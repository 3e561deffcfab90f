"""Personalization on many rendered people: `python benchmarks/synthetic.py SHARDS -o FILE.jsonl [--preset balanced]`.

SHARDS is written by `ttpose synth SHARDS --shards --identities 200 --clips 2 --frames 24 --seed 900000`, people that
no training has seen. Each person is personalized on the first clip and measured on it and on the second one (same
person, other place, light and movement), with one plain view and with as many as `ttpose personalize` looks through,
before and after joints are rescored. A line of FILE a person; finished people are kept, so a run can be cut short. At
the end: means over people with bootstrap 95 % intervals, how many got worse, the same for people whose motion the
rescorer never saw, and how well each of the guard's label-free figures tells gains from losses.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ttpose.adaptation.personalize import personalize_model
from ttpose.adaptation.settings import PRESETS, PersonalizeSettings
from ttpose.core.skeleton import COCO17
from ttpose.data.shards import Shard, read_shard
from ttpose.inference.crops import PersonCrop
from ttpose.inference.pipeline import predict_crops
from ttpose.inference.prediction import TTAPrediction
from ttpose.inference.refine.clip import refine
from ttpose.inference.tta import predict_tta
from ttpose.metrics.pck import CLIP_RULE, bootstrap_mean, measure
from ttpose.models.pose_model import PoseModel
from ttpose.models.shipped import load
from ttpose.training.observed_clips import FRAME_S, shard_crops
from ttpose.training.rescorer import RescorerSettings, part_of

_LIMBS = np.arange(17) >= 5  # COCO order: shoulders to ankles; the face is a few pixels wide


def main() -> None:
    """Run what is not done yet, then print the summary."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("shards", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--preset", default="balanced")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--part", type=part_of, default="0/1", help="i/n: every n-th person from the i-th on")
    parser.add_argument("--every", type=int, default=1, help="take every n-th of a clip's 25 frames a second")
    parser.add_argument("--summary", action="store_true", help="only summarise what is there")
    options = parser.parse_args()
    settings = PRESETS[options.preset]
    settings = settings if options.steps is None else replace(settings, steps=options.steps)
    if not options.summary:
        _run(options.shards, options.output, settings, options.part, options.every)
    rows = [json.loads(line) for line in options.output.read_text().splitlines()]
    print(f"{len(rows)} people, preset {options.preset}, {settings.steps} steps")
    _summarise(rows)


def _run(shards: Path, output: Path, settings: PersonalizeSettings, part: slice, every: int) -> None:
    done = {json.loads(line)["person"] for line in output.read_text().splitlines()} if output.exists() else set()
    base = load(None).model
    for path in sorted(shards.glob("identity_*.npz"))[part]:
        if path.stem in done:
            continue
        row = measure_person(base, read_shard(path), settings, every)
        with output.open("a") as handle:
            handle.write(json.dumps({"person": path.stem, **row}) + "\n")


def measure_person(base: PoseModel, shard: Shard, settings: PersonalizeSettings, every: int) -> dict[str, Any]:
    """PCK@0.1 and @0.2 of one person before and after, the same with all of the change, and the guard's figures."""
    clips = [shard_crops(shard, clip, base.config.input_size, every) for clip in range(2)]
    truth = [shard.keypoints[clip][::every] for clip in range(2)]
    found = personalize_model(base, clips[0], settings)
    row: dict[str, Any] = {"decision": found.guard.decision, "motion": shard.motion[:2]}
    row["seconds"] = sum(found.timings.values())
    row["metrics"] = {kind: asdict(metrics) for kind, metrics in found.guard.checks.items()}
    row |= figures("base", look(base, clips, settings), truth, settings, every)
    row |= figures("person", look(found.model, clips, settings), truth, settings, every)
    if found.guard.decision == "personalized":
        row["clip0_whole_full"] = row["clip0_person_full"]
    else:
        whole = found.whole.apply(base).eval()
        everything = figures("whole", look(whole, clips, settings), truth, settings, every)
        row["clip0_whole_full"] = everything["clip0_whole_full"]
    return row


@dataclass(frozen=True)
class Looks:
    """What a model sees of a person: the first clip through one and through all views, the second through one."""

    first: TTAPrediction
    full: TTAPrediction
    second: TTAPrediction


def look(model: PoseModel, clips: Sequence[Sequence[PersonCrop]], settings: PersonalizeSettings) -> Looks:
    """Look at both clips."""
    return Looks(
        predict_tta(model, clips[0]), predict_crops(model, clips[0], settings.refine), predict_tta(model, clips[1])
    )


def figures(
    name: str,
    seen: Looks,
    truth: Sequence[np.ndarray],
    settings: PersonalizeSettings,
    every: int = 1,
) -> dict[str, list[float]]:
    """PCK by what was done to the predictions."""

    def cleaned(part: TTAPrediction, rescored: bool) -> np.ndarray:
        times = [i * every * FRAME_S for i in range(len(part.keypoints))]
        return refine(part, times, COCO17, replace(settings.refine, rescore=rescored)).keypoints

    return {
        f"clip0_{name}_alone": _pck(seen.first.keypoints, truth[0]),
        f"clip0_{name}_sides": _pck(cleaned(seen.first, False), truth[0]),
        f"clip0_{name}_settled": _pck(cleaned(seen.full, False), truth[0]),
        f"clip0_{name}_plain": _pck(cleaned(seen.first, settings.refine.rescore), truth[0]),
        f"clip0_{name}_unasked": _pck(cleaned(replace(seen.full, ensemble=None), settings.refine.rescore), truth[0]),
        f"clip0_{name}_full": _pck(cleaned(seen.full, settings.refine.rescore), truth[0]),
        f"clip1_{name}_plain": _pck(cleaned(seen.second, settings.refine.rescore), truth[1]),
    }


def _pck(found: np.ndarray, truth: np.ndarray) -> list[float]:
    """Shares of limb keypoints within 0.1 and 0.2 of the torso's length."""
    measured = measure(found, truth, COCO17.keypoints, CLIP_RULE, _LIMBS)
    return [measured.tally(limit).mean() for limit in (0.1, 0.2)]


def _summarise(rows: Sequence[dict[str, Any]]) -> None:
    """Means of gains in points with bootstrap 95 % intervals over people, and the guard's figures against gains."""

    def column(name: str) -> np.ndarray:
        return 100 * np.array([row[name] for row in rows], float)  # [people, 2 thresholds], null as NaN

    print("| what | PCK@0.1 | PCK@0.2 | gain@0.1 [95 %] | gain@0.2 [95 %] | lose > 0.5 at 0.2 |\n" + "|---" * 6 + "|")
    for title, before, after in (
        ("clip learned from: base alone → personalized, as written", "clip0_base_alone", "clip0_person_full"),
        ("the same: single view → left/right corrected", "clip0_base_alone", "clip0_base_sides"),
        ("the same: base alone → teacher (four views and sides)", "clip0_base_alone", "clip0_base_settled"),
        ("the same: base alone → four views, sides and rescoring", "clip0_base_alone", "clip0_base_full"),
        ("the same: four views, sides and rescoring → personalized", "clip0_base_full", "clip0_person_full"),
        ("the same: personalized, before rescoring → after", "clip0_person_settled", "clip0_person_full"),
        ("the same: personalized, without ensemble → with", "clip0_person_unasked", "clip0_person_full"),
        ("the same: base → personalized, one view each, all else alike", "clip0_base_plain", "clip0_person_plain"),
        ("second clip: base → personalized, one view each, all else alike", "clip1_base_plain", "clip1_person_plain"),
    ):
        # A clip in which the person is never seen has no PCK.
        seen = np.isfinite(column(before)).all(1)
        then, now = column(before)[seen], column(after)[seen]
        gain = now - then
        means = " | ".join(f"{a:.1f} → {b:.1f}" for a, b in zip(then.mean(0), now.mean(0), strict=True))
        spans = " | ".join(f"{m.mean:+.2f} [{m.low:+.2f}, {m.high:+.2f}]" for m in map(bootstrap_mean, gain.T))
        print(f"| {title} | {means} | {spans} | {100 * (gain[:, 1] < -0.5).mean():.1f} % |")
    decisions = [row["decision"] for row in rows]
    print({kind: decisions.count(kind) for kind in sorted(set(decisions))})
    _calibration(rows)
    new = [row for row in rows if row["motion"][0] in RescorerSettings().left_out]
    if 0 < len(new) < len(rows):
        print(f"\nthe {len(new)} whose first clip's motion the rescorer never saw:")
        _summarise(new)


def _calibration(rows: Sequence[dict[str, Any]]) -> None:
    """How each figure's change from the base goes with the true gain of the whole change: correlation and ROC area."""
    gain = 100 * np.array([row["clip0_whole_full"][1] - row["clip0_base_full"][1] for row in rows])
    harmed = gain < -0.5
    print(f"the whole change: mean gain {gain.mean():+.2f}, {harmed.mean():.1%} lose more than half a point")
    for name, value in rows[0]["metrics"].get("base", {}).items():
        if value is None:
            continue
        before, after = (
            np.array([row["metrics"][kind][name] for row in rows], float) for kind in ("base", "personalized")
        )
        change = after - before
        if np.isfinite(change).all() and harmed.any() and not harmed.all():
            area = (change[harmed][:, None] > change[~harmed][None]).mean()
            area += 0.5 * (change[harmed][:, None] == change[~harmed][None]).mean()
            together = np.corrcoef(change, gain)[0, 1]
            print(f"  {name}: correlation with the gain {together:+.2f}, tells harm with area {area:.2f}")


if __name__ == "__main__":
    main()
