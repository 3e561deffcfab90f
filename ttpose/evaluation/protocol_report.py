"""What a dataset's protocol found: a column for each method (before, online, offline), rows for videos and joints."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ttpose.evaluation.files import write_report, write_rows
from ttpose.metrics.pck import Average, Interval, bootstrap_mean, group_means
from ttpose.results.records import plain

SCHEMA = "ttpose.protocol/1"
BEFORE = "before"

CSV_COLUMNS = ("part", "video", "person", "joint", "method", "labels", "right", "pck", "gain", "jitter", "guard")


@dataclass(frozen=True)
class JointCount:
    """How often a joint was counted, and for each method how often it was right."""

    joint: str
    labels: int
    right: Mapping[str, int]

    def pck(self, method: str) -> float:
        """Share of right ones; NaN if none was counted."""
        return self.right[method] / self.labels if self.labels else float("nan")


@dataclass(frozen=True)
class VideoScore:
    """One video.

    Attributes:
        video: Name.
        person: Who is seen.
        frames: How many.
        frames_without_labels: Skipped because no joint counts.
        frames_without_length: Skipped because the labels do not give the reference length.
        joints: Counts for each joint that labels and model share.
        jitter: For each method, per frame².
        guards: For each method but "before" the guard's decision.
        seconds: For each method but "before" the time of the personalization.
    """

    video: str
    person: str
    frames: int
    frames_without_labels: int
    frames_without_length: int
    joints: tuple[JointCount, ...]
    jitter: Mapping[str, float]
    guards: Mapping[str, str] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)

    def pck(self, method: str, average: Average = "counts") -> float:
        """Share of right joints in this video; NaN if none was counted."""
        return mean_pck(self.joints, method, average)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> VideoScore:
        """The inverse of `dataclasses.asdict` and JSON, which has no NaN."""
        joints = tuple(JointCount(**row) for row in values["joints"])
        jitter = {method: float("nan") if value is None else value for method, value in values["jitter"].items()}
        return cls(**{**values, "joints": joints, "jitter": jitter})


@dataclass(frozen=True)
class ProtocolReport:
    """Figures of a dataset's videos.

    Attributes:
        settings: What they depend on: dataset, model, rule, crop, methods with their settings, seed, device.
        methods: The columns; the first is "before".
        videos: In the dataset's order.
        failed: Videos that could not be evaluated: name and reason.
        left_out: What of the dataset was not evaluated and why, one line for each reason with its count.
        not_scored: Labelled joints that the model lacks, or that are not meant to be scored.
        oks_ap: For each method the figures of COCO's keypoint evaluation; None for other datasets.
    """

    settings: Mapping[str, Any]
    methods: tuple[str, ...]
    videos: tuple[VideoScore, ...]
    failed: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    not_scored: tuple[str, ...] = ()
    oks_ap: Mapping[str, Mapping[str, float]] | None = None

    @property
    def average(self) -> Average:
        """How the rule weighs joints."""
        average: Average = self.settings["rule"]["average"]
        return average

    @property
    def joints(self) -> tuple[JointCount, ...]:
        """Each joint over all videos."""
        labels: dict[str, int] = {}
        right: dict[str, dict[str, int]] = {}
        for row in (row for video in self.videos for row in video.joints):
            labels[row.joint] = labels.get(row.joint, 0) + row.labels
            sums = right.setdefault(row.joint, dict.fromkeys(self.methods, 0))
            for method in self.methods:
                sums[method] += row.right[method]
        return tuple(JointCount(joint, labels[joint], right[joint]) for joint in labels)

    def mean(self, method: str) -> float:
        """The dataset's figure: PCK over all labels of all videos."""
        return mean_pck(self.joints, method, self.average)

    def jitter(self, method: str) -> float:
        """The mean over the videos that have one; NaN if none has."""
        known = [video.jitter[method] for video in self.videos if np.isfinite(video.jitter[method])]
        return float(np.mean(known)) if known else float("nan")

    def seconds(self, method: str) -> float:
        """Time of all personalizations; 0 before."""
        return sum(video.seconds.get(method, 0.0) for video in self.videos)

    def gains(self, method: str) -> dict[str, float]:
        """For each video how much higher its PCK is than before; NaN if nothing was counted."""
        return {v.video: v.pck(method, self.average) - v.pck(BEFORE, self.average) for v in self.videos}

    def all_gains(self) -> dict[str, dict[str, float]]:
        """`gains` of every method but "before"."""
        return {method: self.gains(method) for method in self.methods[1:]}

    @property
    def measure(self) -> str:
        """What the rule measures, such as PCK@0.2."""
        rule = self.settings["rule"]
        return f"PCK@{rule['threshold']:g}{' px' if rule['reference'] == 'pixels' else ''}"

    def gain_over_persons(self, method: str) -> Interval:
        """The mean gain over persons (each the mean of its videos) and its 95 % bootstrap interval."""
        gains = group_means(list(self.gains(method).values()), [video.person for video in self.videos])
        return bootstrap_mean(list(gains.values()), seed=int(self.settings.get("seed", 0)))

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON-ready values; figures that could not be measured are None."""
        after = self.methods[1:]
        report: dict[str, Any] = plain(
            {
                "schema": SCHEMA,
                "settings": dict(self.settings),
                "methods": list(self.methods),
                "mean": {method: self.mean(method) for method in self.methods},
                "jitter": {method: self.jitter(method) for method in self.methods},
                "seconds": {method: self.seconds(method) for method in after},
                "gain_over_persons": {m: dataclasses.asdict(self.gain_over_persons(m)) for m in after},
                "joints": [self._with_pck(dataclasses.asdict(row), row) for row in self.joints],
                "videos": [self._video(video) for video in self.videos],
                "failed": dict(self.failed),
                "left_out": list(self.left_out),
                "not_scored": list(self.not_scored),
                "oks_ap": None if self.oks_ap is None else dict(self.oks_ap),
            }
        )
        return report

    def _video(self, video: VideoScore) -> dict[str, Any]:
        joints = [self._with_pck(dataclasses.asdict(row), row) for row in video.joints]
        pck = {method: video.pck(method, self.average) for method in self.methods}
        return {**dataclasses.asdict(video), "joints": joints, "pck": pck}

    def _with_pck(self, entry: dict[str, Any], row: JointCount) -> dict[str, Any]:
        return {**entry, "pck": {method: row.pck(method) for method in self.methods}}

    def write_json(self, path: Path | str) -> None:
        """Write `to_dict()`, whole or not at all; raises `OutputError`."""
        write_report(self.to_dict(), path)

    def write_csv(self, path: Path | str) -> None:
        """Write a tidy table, one row for each method of a video, a video's joint, a joint and the mean.

        Raises:
            OutputError: It cannot be written; nothing half-written is left.
        """
        write_rows(CSV_COLUMNS, ({"method": m, **row} for m in self.methods for row in self._rows(m)), path)

    def _rows(self, method: str) -> Iterator[dict[str, Any]]:
        for video in self.videos:
            names = {"video": video.video, "person": video.person}
            extra = {"jitter": _cell(video.jitter[method]), "guard": video.guards.get(method)}
            yield {"part": "video", **names, **self._cells(video.joints, method), **extra}
            for row in video.joints:
                yield {"part": "video joint", **names, "joint": row.joint, **self._cells([row], method)}
        for row in self.joints:
            yield {"part": "joint", "joint": row.joint, **self._cells([row], method)}
        yield {"part": "mean", **self._cells(self.joints, method)}

    def _cells(self, rows: tuple[JointCount, ...] | list[JointCount], method: str) -> dict[str, Any]:
        pck = mean_pck(rows, method, self.average)
        gain = None if method == BEFORE else _cell(pck - mean_pck(rows, BEFORE, self.average))
        counts = {"labels": sum(row.labels for row in rows), "right": sum(row.right[method] for row in rows)}
        return {**counts, "pck": _cell(pck), "gain": gain}


def mean_pck(rows: tuple[JointCount, ...] | list[JointCount], method: str, average: Average = "counts") -> float:
    """PCK over joints, weighted by their counts or equally; NaN if none was counted."""
    counted = [row for row in rows if row.labels]
    if not counted:
        return float("nan")
    if average == "joints":
        return sum(row.pck(method) for row in counted) / len(counted)
    return sum(row.right[method] for row in counted) / sum(row.labels for row in counted)


def _cell(value: float) -> float | None:
    return round(value, 6) if value == value else None
