"""Learning from a clip's corrections as `ttpose personalize --corrections` does, for the page of `ttpose correct`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttpose.core.errors import InputError
from ttpose.core.progress import Progress
from ttpose.corrections.learning import Learned, Learner

if TYPE_CHECKING:
    from ttpose.cli.exports import Exports
    from ttpose.cli.personalizing import Personalizing

# What tells that the results were made of more than this clip and the shipped model: run.json does not say where the
# other weights and clips are.
_BEYOND = ("base_sha256", "person_sha256", "same_person")

# How the clip is read: its rate, its part, its track.
_READING = ("fps", "capture_fps", "slow_motion", "time_range", "stream")


@dataclass(frozen=True)
class _Record:
    """What run.json tells of the results: the settings of the keypoints, and the names of all files."""

    settings: dict[str, Any]
    files: frozenset[str]


def learner_for(
    clip: Path, folder: Path, device: str, skeleton: str | None = None
) -> tuple[Learner | None, str | None]:
    """What learns from corrections and writes the results in `folder` anew; or None, and why.

    `skeleton` names their keypoint set; None takes the preset's.
    """
    record = _read(folder)
    if any(name in record.settings for name in _BEYOND):
        return None, (
            f"The results were made with other weights or more clips: run that command again with --overwrite and "
            f"--corrections {folder.name}/corrections.json."
        )

    def learn(corrections: Path, progress: Progress) -> Learned:
        from ttpose.cli.machine import choose_device
        from ttpose.jobs.task import Task, execute
        from ttpose.results import read_json

        work = _work(record, corrections, choose_device(device), skeleton)
        outcome = execute(Task(work, clip, folder, overwrite=True), progress)
        if outcome.status == "failed":
            raise InputError(outcome.text, outcome.hint)
        return Learned(read_json(folder / "keypoints.json"), outcome.text)

    return learn, None


def _work(record: _Record, corrections: Path, device: str, skeleton: str | None) -> Personalizing:
    """A personalization with the settings and the files of the one before, which the corrections are about."""
    from ttpose.cli.personalizing import Personalizing
    from ttpose.jobs.task import OVERLAYS, REPORT

    told, names = record.settings, record.files
    how = {
        "mode": "offline",  # learning frame by frame takes no corrections
        "preset": told.get("preset") or "balanced",
        "steps": told.get("steps"),
        "subject": told.get("subject") or "auto",
        "seed": told.get("seed", 0),
        "corrections": str(corrections.absolute()),
    }
    how |= {name: told[name] for name in _READING if told.get(name) is not None}
    if skeleton is not None:
        how["skeleton"] = skeleton
    return Personalizing(
        how,
        device,
        overlay=not names or any(name in names for name in OVERLAYS[:2]),
        wanted=_exports(record),
        side_by_side=any(name in names for name in OVERLAYS[2:]),
        report=not names or REPORT in names or told.get("command") == "predict",
        draw_min_score=told.get("draw_min_score"),
    )


def _exports(record: _Record) -> Exports:
    """The result files that are there already, so that none is left as it was before."""
    from ttpose.cli.exports import FILES, TABLES, Exports

    whole = tuple(name for name, file in FILES.items() if file in record.files)
    tables = tuple(table for table, name in TABLES.items() if name in record.files and table not in whole)
    formats = ["json", *whole, *["csv"] * bool(tables)]
    names = ("height_m", "openpose", "smooth", "fill_gaps", "px_per_m", "markers")
    more = {name: record.settings[name] for name in names if record.settings.get(name) is not None}
    return Exports(tuple(formats), tables or ("tidy",), **more)


def _read(folder: Path) -> _Record:
    """The record in a folder; an empty one where there is none."""
    from ttpose.jobs.folders import RECORD_NAME

    try:
        record = json.loads((folder / RECORD_NAME).read_text(encoding="utf-8"))
        return _Record(dict(record["files"]["keypoints.json"]["settings"]), frozenset(record["files"]))
    except (OSError, ValueError, KeyError, TypeError):
        return _Record({}, frozenset())
