"""Learning from a clip's corrections as `ttpose personalize --corrections` does, for the page of `ttpose correct`."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

from ttpose.core.errors import InputError
from ttpose.core.progress import Progress
from ttpose.corrections.learning import Learned, Learner

# What the settings in run.json must not have: other weights, whose files it does not name, and methods of research.
_BEYOND = ("base_sha256", "person_sha256", "method")


def learner_for(clip: Path, folder: Path, device: str) -> tuple[Learner | None, str | None]:
    """What learns from corrections and writes the results in `folder` anew; or None, and why."""
    made_with = _settings(folder)
    command = f"ttpose personalize {clip.name} --corrections {folder.name}/corrections.json"
    if not _can_learn():
        return None, "This version of ttpose does not learn from corrections yet; they are saved all the same."
    if any(name in made_with for name in _BEYOND):
        return None, f"The results were made with other weights or methods: learn with {command} and those options."

    def learn(corrections: Path, progress: Progress) -> Learned:
        from ttpose.cli.machine import choose_device
        from ttpose.jobs.task import Task, execute
        from ttpose.results import read_json

        work = _work(made_with, corrections, choose_device(device))
        outcome = execute(Task(work, clip, folder, overwrite=True), progress)
        if outcome.status == "failed":
            raise InputError(outcome.text, outcome.hint)
        return Learned(read_json(folder / "keypoints.json"), outcome.text)

    return learn, None


def _can_learn() -> bool:
    """Whether `ttpose.personalize` takes corrections."""
    from ttpose import api

    return "corrections" in inspect.signature(api.personalize).parameters


def _work(made_with: dict[str, Any], corrections: Path, device: str) -> Any:
    """A personalization with the settings of the one before, which the corrections are about."""
    from ttpose.cli.personalizing import Personalizing

    how = {
        "mode": "offline",
        "preset": made_with.get("preset") or "balanced",
        "steps": made_with.get("steps"),
        "subject": made_with.get("subject") or "auto",
        "seed": made_with.get("seed", 0),
        "corrections": str(corrections.absolute()),
    }
    return Personalizing(how, device, overlay=True, report=True)


def _settings(folder: Path) -> dict[str, Any]:
    """The settings that run.json has of the keypoints, none where there are none."""
    from ttpose.jobs.folders import RECORD_NAME

    try:
        record = json.loads((folder / RECORD_NAME).read_text(encoding="utf-8"))
        return dict(record["files"]["keypoints.json"]["settings"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
