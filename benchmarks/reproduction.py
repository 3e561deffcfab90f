"""The paper's table on rendered people: what personalization adds to a joint model of `ttpose train --preset small`.

    python benchmarks/reproduction.py run people.jsonl --shards heldout --model joint=joint.safetensors \
        --model supervised=supervised.safetensors --row supervised:before --row joint:before \
        --row joint:paper,mode=online --row joint:paper --row supervised:tent
    python benchmarks/reproduction.py table people.jsonl
    python benchmarks/reproduction.py draw people.jsonl -o reproduction.png

`run` personalizes a model on each person of SHARDS (`ttpose synth SHARDS --shards --clips 1 --frames 24 --seed 600000`,
people that no training has seen) as a row says, and appends a line to the file for each person and row. What is in it
is kept, so a run may be cut short and repeated. A row is MODEL:before or MODEL:METHOD[,NAME=VALUE...]: a method of
`ttpose.adaptation.methods`, fields of `PersonalizeSettings` (`mode=online`, `steps=50`, `pose_rate=2e-5`), `frames=5`
for how many of the clip's frames are learned from (all are predicted), and `measured=1` for another clip of the person
to predict instead.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from ttpose.adaptation.boxed_clip import personalize_crops
from ttpose.adaptation.methods import fitted, method_named
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.core.errors import UsageError
from ttpose.core.memory import keep_freed_memory
from ttpose.data.rendered import read_rendered
from ttpose.data.video import Video
from ttpose.inference.crops import evenly_spaced
from ttpose.metrics.pck import RENDERED_RULE, bootstrap_mean, by_name, measure
from ttpose.models.checkpoint import load_model
from ttpose.models.pose_model import PoseModel
from ttpose.models.predictor import Predictor

THRESHOLDS = (0.1, 0.2)
_WORSE = 1.0  # points by which a person is called worse


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        name: As on the command line.
        model: Which of the given models.
        settings: How it is personalized; None: not at all.
        frames: How many of the clip's frames are learned from, evenly spread; None: all.
        measured: Which of the person's clips is predicted.
    """

    name: str
    model: str
    settings: PersonalizeSettings | None
    frames: int | None = None
    measured: int = 0

    @classmethod
    def parse(cls, text: str) -> Row:
        """A row of its text; raises UsageError for a method or field that there is none of."""
        model, colon, rest = text.partition(":")
        method, *changes = rest.split(",")
        if not colon or not method:
            raise UsageError(f"{text} is no row", "use MODEL:before or MODEL:METHOD[,NAME=VALUE...]")
        values = dict(change.split("=", 1) for change in changes)
        measured = int(values.pop("measured", 0))
        if method == "before":
            return cls(text, model, None, None, measured)
        frames = int(values.pop("frames")) if "frames" in values else None
        return cls(text, model, _changed(method_named(method), values), frames, measured)


def _changed(settings: PersonalizeSettings, values: dict[str, str]) -> PersonalizeSettings:
    """Settings with fields given as text: numbers, true, false, none, names, or prefixes joined by +."""
    known = {field.name for field in fields(settings)}
    if unknown := sorted(values.keys() - known):
        raise UsageError(f"there is no setting {unknown[0]}", "use the fields of PersonalizeSettings")
    return replace(settings, chosen=tuple(values), **{name: _value(name, text) for name, text in values.items()})


def _value(name: str, text: str) -> Any:
    if name in ("trainable", "frozen"):
        return tuple(text.split("+"))
    if name in ("perceptual", "mode"):
        return text
    try:
        return json.loads({"none": "null"}.get(text, text))
    except json.JSONDecodeError:
        return text


def run(
    output: Path, shards: Path, models: dict[str, Path], rows: Sequence[Row], *, people: int | None, skip: int = 0
) -> None:
    """Do what the file does not hold yet, person after person."""
    done = {(line["person"], line["row"]) for line in _lines(output)} if output.exists() else set()
    loaded = {name: load_model(path) for name, path in models.items()}
    for person, videos in list(_people(shards))[skip:][:people]:
        for row in rows:
            if (person, row.name) in done or row.measured >= len(videos):
                continue
            line = {"person": person, "row": row.name, **measured(loaded[row.model], videos, row)}
            with output.open("a") as handle:
                handle.write(json.dumps(line) + "\n")


def measured(model: PoseModel, videos: Sequence[Video], row: Row) -> dict[str, Any]:
    """One person's figures: right and counted joints by threshold, the loss's terms before and after, seconds."""
    clock, first, shown = time.perf_counter(), videos[0], videos[row.measured]
    history: list[dict[str, float]] = []
    if row.settings is None:
        found = _predicted(model, shown)
    else:
        settings = fitted(row.settings, model.config)
        learned = [first.frames[i] for i in evenly_spaced(len(first), row.frames or len(first))]
        after = personalize_crops(
            model, lambda i: learned[i].read(), [frame.box for frame in learned], settings=settings
        )
        history = getattr(after, "history", [])
        whole = len(learned) == len(shown) and row.measured == 0
        found = after.keypoints if whole else _predicted(after.model, shown)
    told = measure(
        by_name(found, model.skeleton.keypoints, shown.skeleton.keypoints),
        shown.keypoints,
        shown.skeleton.keypoints,
        RENDERED_RULE,
        np.array([name in model.skeleton.keypoints for name in shown.skeleton.keypoints]),
    )
    tallies = [told.tally(limit) for limit in THRESHOLDS]
    return {
        "right": [int(tally.right.sum()) for tally in tallies],
        "counted": int(tallies[0].counted.sum()),
        "seconds": round(time.perf_counter() - clock, 2),
        "loss": [history[0]["total"], history[-1]["total"]] if history else None,
    }


def _predicted(model: PoseModel, video: Video) -> np.ndarray:
    predictor = Predictor(model)
    return np.stack([predictor.predict(frame.read(), [frame.box])[0] for frame in video.frames])


def _people(shards: Path) -> Iterator[tuple[str, list[Video]]]:
    clips: dict[str, list[Video]] = {}
    for video in read_rendered(shards, "test"):
        clips.setdefault(video.person, []).append(video)
    yield from clips.items()


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@dataclass(frozen=True)
class Results:
    """What a file holds: PCK in percent [2 thresholds] by row and person."""

    pck: dict[str, dict[str, np.ndarray]]
    seconds: dict[str, float]

    @classmethod
    def read(cls, path: Path) -> Results:
        """The figures of a file of `run`; people none of whose joints counted are left out."""
        pck: dict[str, dict[str, np.ndarray]] = {}
        seconds: dict[str, list[float]] = {}
        for line in _lines(path):
            if line["counted"]:
                pck.setdefault(line["row"], {})[line["person"]] = 100 * np.array(line["right"]) / line["counted"]
                seconds.setdefault(line["row"], []).append(line["seconds"])
        return cls(pck, {row: float(np.mean(values)) for row, values in seconds.items()})

    def before(self, row: str) -> str:
        """The row that a row is compared with: the same model, the same clip, not personalized."""
        clip = next((part for part in row.split(",") if part.startswith("measured=")), None)
        return f"{row.partition(':')[0]}:before" + (f",{clip}" if clip else "")

    def gains(self, row: str, before: str) -> np.ndarray:
        """[people, 2 thresholds] of the people that both rows have."""
        both = [person for person in self.pck[row] if person in self.pck.get(before, {})]
        return np.array([self.pck[row][person] - self.pck[before][person] for person in both]).reshape(-1, 2)


def table(results: Results, against: str | None = None) -> str:
    """Means over people and their gains over the same model before, with bootstrap 95 % intervals over people."""
    head = ("row", "people", "PCK@0.1", "PCK@0.2", "gain@0.1", "gain@0.2", "worse at 0.2", "s a person")
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for row, people in results.pck.items():
        means = [_interval(values) for values in np.array(list(people.values())).T]
        before = against or results.before(row)
        gains = results.gains(row, before) if row != before else np.zeros((0, 2))
        told = [_interval(values, "+") for values in gains.T] if len(gains) else ["", ""]
        worse = f"{100 * (gains[:, 1] < -_WORSE).mean():.0f} %" if len(gains) else ""
        lines.append(f"| {row} | {len(people)} | {' | '.join([*means, *told, worse])} | {results.seconds[row]:.1f} |")
    return "\n".join(lines)


def _interval(values: np.ndarray, sign: str = "") -> str:
    found = bootstrap_mean(values)
    return f"{found.mean:{sign}.2f} [{found.low:{sign}.2f}, {found.high:{sign}.2f}]"


def draw(results: Results, output: Path) -> None:
    """Gains over the same model before, a panel a threshold, with intervals."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = [row for row in results.pck if len(results.gains(row, results.before(row))) and row != results.before(row)]
    figure, axes = plt.subplots(1, 2, figsize=(9, 0.8 + 0.3 * len(rows)), sharey=True, layout="constrained")
    for number, (axis, limit) in enumerate(zip(axes, THRESHOLDS, strict=True)):
        found = [bootstrap_mean(results.gains(row, results.before(row))[:, number]) for row in rows]
        middle = np.array([one.mean for one in found])
        ends = np.array([[one.mean - one.low, one.high - one.mean] for one in found]).T
        axis.errorbar(middle, range(len(rows)), xerr=ends, fmt="o", color="#0072B2", capsize=3)
        axis.axvline(0, color="black", linewidth=0.8)
        axis.set_title(f"gain in PCK@{limit}, points", fontsize=9)
    axes[0].set_yticks(range(len(rows)), rows, fontsize=8)
    axes[0].invert_yaxis()
    figure.savefig(output, dpi=110)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, tell or draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("run", "table", "draw"):
        command = commands.add_parser(name)
        command.add_argument("people", type=Path)
        if name == "run":
            command.add_argument("--shards", type=Path, required=True)
            command.add_argument("--model", action="append", required=True, metavar="NAME=FILE")
            command.add_argument("--row", action="append", required=True)
            command.add_argument("--most", type=int, help="only so many people")
            command.add_argument("--skip", type=int, default=0, help="not the first so many")
        if name == "table":
            command.add_argument("--against", help="compare every row with this one")
        if name == "draw":
            command.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args(arguments)
    if options.command == "run":
        keep_freed_memory()
        models = {name: Path(file) for name, _, file in (text.partition("=") for text in options.model)}
        rows = [Row.parse(text) for text in options.row]
        run(options.people, options.shards, models, rows, people=options.most, skip=options.skip)
    elif options.command == "table":
        print(table(Results.read(options.people), options.against))
    else:
        draw(Results.read(options.people), options.output)


if __name__ == "__main__":
    main()
