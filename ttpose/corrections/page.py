"""What the page shows and changes: one clip, its result, its corrections, and learning from them."""

from __future__ import annotations

import math
import threading
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from ttpose.core.errors import InputError, UsageError
from ttpose.corrections.learning import Learned, Learner, LearningJob
from ttpose.corrections.model import PARTS, part_members
from ttpose.corrections.pictures import Pictures
from ttpose.corrections.store import CorrectionsFile
from ttpose.corrections.suggest import SUGGESTED, suggest_frames
from ttpose.media import Source
from ttpose.results import KeypointResult
from ttpose.results.series import frame_times, subject_keypoints, torso_length

_SCRIPTS = ("server.js", "pose.js", "edits.js", "view.js", "learning.js", "page.js")


class CorrectPage:
    """The state behind one page.

    Args:
        source: The clip.
        result: Its keypoints.
        file: Its corrections.
        learner: Learns from the corrections; None where that is not possible.
        why_not: Why there is no learner, for the page.
    """

    def __init__(
        self,
        source: Source,
        result: KeypointResult,
        file: CorrectionsFile,
        learner: Learner | None,
        why_not: str | None = None,
    ) -> None:
        self.source, self.file, self.pictures = source, file, Pictures(source)
        self._learner, self._why_not = learner, why_not
        self._result, self._before = result, result
        self._suggestions = suggest_frames(result, SUGGESTED)
        self._job: LearningJob | None = None
        self._lock = threading.Lock()

    def clip(self) -> dict[str, Any]:
        """All that the page needs to know at the start, JSON-ready."""
        result, info = self._result, self.source.info
        learned = self._result is not self._before
        keypoints = subject_keypoints(result)
        return {
            "name": info.path.name,
            "kind": info.kind,
            "width": info.width,
            "height": info.height,
            "times": _listed(frame_times(result), 3),
            "notes": {frame.index: frame.note for frame in result.frames if frame.note},
            "skeleton": _skeleton_values(result),
            "torso": round(torso_length(result, keypoints), 1),
            "poses": _poses(keypoints),
            "before": _poses(subject_keypoints(self._before)) if learned else None,
            "suggestions": [
                {"index": s.index, "reasons": list(s.reasons), "joints": list(s.joints)} for s in self._suggestions
            ],
            "records": self.file.records(),
            "file": str(self.file.path),
            "learning": {"possible": self._learner is not None, "why_not": self._why_not},
        }

    def put(self, index: int, record: Any) -> None:
        """Save a frame's record; raises InputError and OutputError."""
        if not isinstance(record, dict) or record.get("index") != index:
            raise InputError(f"the record is not of frame {index}")
        self.file.put(record)

    def learn(self) -> None:
        """Begin to learn; raises UsageError where that cannot be."""
        with self._lock:
            if self._learner is None:
                raise UsageError(self._why_not or "learning is not possible here")
            if self.busy:
                raise UsageError("it is learning already")
            if not len(self.file.corrections):
                raise UsageError("nothing is corrected yet", "correct a frame first")
            self._job = LearningJob(self._learner, self.file.path, self._take)

    def learning(self) -> dict[str, Any]:
        """How far learning is."""
        return {"state": "none"} if self._job is None else self._job.state()

    @property
    def busy(self) -> bool:
        """Whether something is being learned."""
        return self._job is not None and self._job.running

    def cancel(self, wait_s: float = 0.0) -> None:
        """Stop learning."""
        if self._job is not None and self._job.running:
            self._job.cancel(wait_s)

    def _take(self, learned: Learned) -> None:
        self._before, self._result = self._result, learned.result
        self._suggestions = suggest_frames(learned.result, SUGGESTED)


@cache
def page_html() -> str:
    """The page: one HTML text that asks its own server for everything else, and nobody else for anything."""
    html, style = _asset("correct.html"), _asset("correct.css")
    scripts = "\n".join(_asset(name) for name in _SCRIPTS)
    return html.replace("{{ style }}", style).replace("{{ scripts }}", scripts)


def _asset(name: str) -> str:
    return (resources.files("ttpose.corrections") / "static" / name).read_text(encoding="utf-8")


def _skeleton_values(result: KeypointResult) -> dict[str, Any]:
    skeleton = result.skeleton
    return {
        "keypoints": list(skeleton.keypoints),
        "limbs": [list(limb) for limb in skeleton.limbs],
        "flip": list(skeleton.flip),
        "parts": {part: part_members(part, skeleton) for part in PARTS},
    }


def _poses(keypoints: np.ndarray) -> list[list[float | None] | None]:
    """For each frame a flat list x, y, score; None where nobody was found."""
    rows = zip(keypoints, np.isfinite(keypoints[..., 0]).any(axis=1), strict=True)
    return [_listed(np.where(np.isfinite(row), row, np.nan).ravel(), 2) if there else None for row, there in rows]


def _listed(values: np.ndarray, digits: int) -> list[float | None]:
    return [round(value, digits) if math.isfinite(value) else None for value in values.tolist()]
