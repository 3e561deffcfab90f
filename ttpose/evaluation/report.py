"""What an evaluation on labelled clips found: clips, persons, joints, the mean, and files of it (docs/metrics.md)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ttpose.evaluation.files import write_report, write_rows
from ttpose.metrics.pck import Interval, bootstrap_mean
from ttpose.results.records import plain

SCHEMA = "ttpose.evaluation/2"

#: What is measured, in the order in which the work builds up: the base by one plain view; the base refined, with
#: nothing learned; the personalized weights refined; the same after learning from corrected frames.
STAGES = ("base", "refined", "personalized", "corrected")
#: Which two stages each gain compares, so that inference and learning are told apart.
GAINS = {
    "gain_by_refinement": ("base", "refined"),
    "gain_by_learning": ("refined", "personalized"),
    "gain_by_corrections": ("refined", "corrected"),
}

#: A share of right joints, 0..1 or NaN, for each measure, such as "pck@0.2".
Figures = Mapping[str, float]
#: Figures by stage; stages that were not measured are missing.
Scores = Mapping[str, Figures]

CSV_COLUMNS = ("part", "clip", "person", "joint", "labels", "measure", *STAGES, "guard")


@dataclass(frozen=True)
class JointScore:
    """One joint, in a clip or over all clips: how many labels were counted, and the share of right ones."""

    joint: str
    labels: int
    scores: Scores


@dataclass(frozen=True)
class ClipScore:
    """One clip.

    Attributes:
        clip: Name.
        person: Who is seen; None for stills of different people.
        folder: Where it lies, relative to the evaluated folder.
        frames: How many it has.
        frames_without_labels: Skipped because no scored joint is labelled.
        frames_without_torso: Skipped because a shoulder or hip is not labelled.
        joints: The scored joints.
        not_scored: The other labelled joints, each with the reason.
        scores: PCK by stage.
        jitter: By stage, see `ttpose.metrics.jitter`, per frame²; NaN for stills.
        guard: The guard's decision, or None.
        guard_figures: What the guard measured.
        timings: Seconds by stage of the personalization.
        corrected_frames: Numbers of the frames that were learned from as corrections, and are not scored.
        corrected_guard: What the guard decided and measured of that personalization.
        corrected_timings: Seconds by stage of it.
    """

    clip: str
    person: str | None
    folder: str
    frames: int
    frames_without_labels: int
    frames_without_torso: int
    joints: tuple[JointScore, ...]
    not_scored: Mapping[str, str]
    scores: Scores
    jitter: Mapping[str, float] = field(default_factory=dict)
    guard: str | None = None
    guard_figures: Mapping[str, Any] | None = None
    timings: Mapping[str, float] = field(default_factory=dict)
    corrected_frames: tuple[int, ...] = ()
    corrected_guard: Mapping[str, Any] | None = None
    corrected_timings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class PersonScore:
    """The mean over one person's clips."""

    person: str
    clips: int
    scores: Scores


@dataclass(frozen=True)
class MeanScore:
    """The mean over clips, each weighing the same."""

    clips: int
    scores: Scores


@dataclass(frozen=True)
class EvaluationReport:
    """Figures of labelled clips, before and after personalization.

    `persons`, `joints` and `mean` cover the clips that have every figure: in a run with personalization those that
    were personalized, so that before and after always speak of the same frames.

    Attributes:
        settings: What the figures depend on: model, rule, preset, mode, steps, seed, device.
        clips: In order of their folders.
        failed: Clips that could not be evaluated: name and reason.
    """

    settings: Mapping[str, Any]
    clips: tuple[ClipScore, ...]
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def compared(self) -> tuple[ClipScore, ...]:
        """The clips that persons, joints and the mean cover."""
        personalized = tuple(clip for clip in self.clips if len(clip.scores) > 1)
        return personalized if self.settings.get("personalize") else self.clips

    #: What `all_gains` measures.
    measure = "PCK@0.2"

    def all_gains(self) -> dict[str, dict[str, float]]:
        """For each stage after the base, each clip's gain over the base in PCK@0.2; empty without personalization."""
        found: dict[str, dict[str, float]] = {}
        for clip in self.compared:
            for stage in list(clip.scores)[1:]:
                gain = clip.scores[stage]["pck@0.2"] - clip.scores["base"]["pck@0.2"]
                found.setdefault(stage, {})[clip.clip] = gain
        return found

    @property
    def persons(self) -> tuple[PersonScore, ...]:
        """Each person's mean over clips, in order of first appearance; stills of different people are left out."""
        clips: dict[str, list[ClipScore]] = {}
        for clip in self.compared:
            if clip.person is not None:
                clips.setdefault(clip.person, []).append(clip)
        return tuple(PersonScore(person, len(rows), _means(rows)) for person, rows in clips.items())

    @property
    def joints(self) -> tuple[JointScore, ...]:
        """Each joint over all labels of all clips."""
        rows: dict[str, list[JointScore]] = {}
        for clip in self.compared:
            for row in clip.joints:
                rows.setdefault(row.joint, []).append(row)
        return tuple(_pooled(joint) for joint in rows.values())

    @property
    def mean(self) -> MeanScore:
        """The mean over clips."""
        return MeanScore(len(self.compared), _means(self.compared))

    @property
    def over_persons(self) -> dict[str, dict[str, Interval]]:
        """For each measure the mean over persons and its 95 % bootstrap interval: of each stage and of each gain."""
        seed, persons = int(self.settings.get("seed", 0)), self.persons
        found: dict[str, dict[str, Interval]] = {}
        for measure in persons[0].scores["base"] if persons else ():
            known = [stage for stage in STAGES if all(stage in person.scores for person in persons)]
            columns = {stage: [person.scores[stage][measure] for person in persons] for stage in known}
            for name, (first, then) in GAINS.items():
                if first in columns and then in columns:
                    columns[name] = list(np.subtract(columns[then], columns[first]))
            found[measure] = {name: bootstrap_mean(values, seed=seed) for name, values in columns.items()}
        return found

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON-ready values; figures that could not be measured are None."""
        as_dict = dataclasses.asdict
        over_persons = {
            measure: {name: as_dict(interval) for name, interval in columns.items()}
            for measure, columns in self.over_persons.items()
        }
        report: dict[str, Any] = plain(
            {
                "schema": SCHEMA,
                "settings": dict(self.settings),
                "clips": [{**_flat(clip), "joints": [_flat(joint) for joint in clip.joints]} for clip in self.clips],
                "persons": [_flat(person) for person in self.persons],
                "joints": [_flat(joint) for joint in self.joints],
                "mean": _flat(self.mean),
                "over_persons": over_persons,
                "failed": dict(self.failed),
            }
        )
        return report

    def write_json(self, path: Path | str) -> None:
        """Write `to_dict()`, whole or not at all; raises `OutputError`."""
        write_report(self.to_dict(), path)

    def write_csv(self, path: Path | str) -> None:
        """Write a tidy table, one row for each figure of a clip, a clip's joint, a person, a joint and the mean.

        Raises:
            OutputError: It cannot be written; nothing half-written is left.
        """
        rows = (
            {"part": part, **names, "measure": measure, **_cells(row.scores, measure)}
            for part, row, names in self._rows()
            for measure in row.scores["base"]
        )
        write_rows(CSV_COLUMNS, rows, path)

    def _rows(self) -> Iterable[tuple[str, ClipScore | JointScore | PersonScore | MeanScore, dict[str, Any]]]:
        for clip in self.clips:
            names = {"clip": clip.clip, "person": clip.person}
            yield "clip", clip, {**names, "labels": sum(row.labels for row in clip.joints), "guard": clip.guard}
            for row in clip.joints:
                yield "clip joint", row, {**names, "joint": row.joint, "labels": row.labels}
        for person in self.persons:
            yield "person", person, {"person": person.person}
        for row in self.joints:
            yield "joint", row, {"joint": row.joint, "labels": row.labels}
        yield "mean", self.mean, {}


def _flat(row: ClipScore | JointScore | PersonScore | MeanScore) -> dict[str, Any]:
    """A row for JSON, each stage's figures beside its other values."""
    values = dataclasses.asdict(row)
    scores = values.pop("scores")
    return {**values, **{stage: scores[stage] for stage in STAGES if stage in scores}}


def _means(rows: Sequence[ClipScore]) -> dict[str, dict[str, float]]:
    """The mean of each measure by stage, over the clips in which it could be measured."""
    stages = [stage for stage in STAGES if rows and all(stage in row.scores for row in rows)]
    return {stage: _mean([row.scores[stage] for row in rows]) for stage in stages or ("base",)}


def _mean(figures: Sequence[Figures]) -> dict[str, float]:
    known = {name: [row[name] for row in figures if np.isfinite(row[name])] for name in (figures[0] if figures else ())}
    return {name: float(np.mean(values)) if values else float("nan") for name, values in known.items()}


def _pooled(rows: Sequence[JointScore]) -> JointScore:
    """One joint over several clips, each label weighing the same."""
    labels = sum(row.labels for row in rows)

    def share(stage: str, measure: str) -> float:
        right = sum(row.scores[stage][measure] * row.labels for row in rows if row.labels)
        return right / labels if labels else float("nan")

    stages = [stage for stage in STAGES if all(stage in row.scores for row in rows)]
    measures = rows[0].scores["base"]
    return JointScore(
        rows[0].joint, labels, {stage: {measure: share(stage, measure) for measure in measures} for stage in stages}
    )


def _cells(scores: Scores, measure: str) -> dict[str, Any]:
    """The measure by stage; empty where there is no figure."""
    values = {stage: figures[measure] for stage, figures in scores.items()}
    return {stage: round(value, 6) for stage, value in values.items() if np.isfinite(value)}
