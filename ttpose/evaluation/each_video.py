"""The videos of an evaluation one after the other: predicted, personalized, scored, and noted as finished."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from ttpose.core.errors import InputError
from ttpose.core.geometry import CROP_PAD, Box
from ttpose.core.progress import Advance, Progress
from ttpose.data.datasets import Video
from ttpose.evaluation.journal import Journal
from ttpose.evaluation.personalizer import own_personalizer
from ttpose.evaluation.prediction import picture_reader, predict_frames
from ttpose.evaluation.protocol_report import BEFORE, JointCount, VideoScore
from ttpose.evaluation.protocols import Method, Protocol
from ttpose.metrics.jitter import jitter
from ttpose.metrics.pck import PckRule, by_name, measure

if TYPE_CHECKING:
    from ttpose.models.pose_model import PoseModel


class VideoEvaluation:
    """Videos one after the other: those that the journal knows are taken from it, the others are worked on.

    Args:
        model: The base.
        protocol: The rule and the crop.
        methods: Ways to personalize.
        journal: Finished videos, or None.
        keep_predictions: Whether `found` is wanted.
        progress: Receives progress.
    """

    def __init__(
        self,
        model: PoseModel,
        protocol: Protocol,
        methods: Sequence[Method],
        journal: Journal | None,
        keep_predictions: bool,
        progress: Progress,
    ) -> None:
        self.model, self.protocol, self.methods = model, protocol, methods
        self.journal, self.keep_predictions, self.progress = journal, keep_predictions, progress
        self.scores: list[VideoScore] = []
        self.failed: dict[str, str] = {}
        #: For each method the videos and their predictions [T, K_model, 3].
        self.found: dict[str, list[tuple[Video, np.ndarray]]] = {m: [] for m in (BEFORE, *(m.name for m in methods))}

    def run(self, videos: Sequence[Video]) -> None:
        """Evaluate all."""
        if self.journal is not None and len(self.journal):
            self.progress.note(f"going on after {len(self.journal)} of {len(videos)} videos")
        with self.progress.stage("evaluate frames", total=sum(map(len, videos)) * len(self.found)) as advance:
            for video in videos:
                try:
                    entry = self.journal.get(video.name) if self.journal is not None else None
                    if entry is None:
                        entry = self._evaluate(video, advance)
                    else:
                        advance(len(video) * len(self.found))
                except InputError as error:
                    self.failed[video.name] = error.message
                    self.progress.note(f"{video.name} is left out: {error.message}")
                    continue
                self.scores.append(VideoScore.from_dict(entry["score"]))
                for name, predicted in (entry["found"] or {}).items():
                    self.found[name].append((video, np.array(predicted, dtype=np.float64)))

    def _evaluate(self, video: Video, advance: Advance) -> dict[str, Any]:
        """The entry of one video: its score, and the predictions of each method."""
        boxes, quiet = _boxes(video, self.protocol.pad), _NotesOnly(self.progress)
        found = {BEFORE: predict_frames(self.model, video.frames, video.name, quiet, boxes)}
        advance(len(video))
        guards, seconds = {}, {}
        for method in self.methods:
            personalize = method.personalizer or own_personalizer()
            after = personalize(
                self.model, picture_reader(video.frames), boxes, settings=method.settings, progress=quiet
            )
            found[method.name] = after.keypoints
            guards[method.name], seconds[method.name] = after.guard.decision, float(sum(after.timings.values()))
            advance(len(video))
        score = _score(video, self.protocol.rule, self.model.skeleton.keypoints, found, guards, seconds)
        entry = {"score": asdict(score), "found": found if self.keep_predictions else None}
        return entry if self.journal is None else self.journal.add(video.name, entry)


def _score(
    video: Video,
    rule: PckRule,
    keypoints: Sequence[str],
    found: Mapping[str, np.ndarray],
    guards: Mapping[str, str],
    seconds: Mapping[str, float],
) -> VideoScore:
    joints, labels = video.skeleton.keypoints, video.keypoints
    scored = np.array([is_scored(video, joint, keypoints) for joint in joints])
    measured = {m: measure(by_name(p, keypoints, joints), labels, joints, rule, scored) for m, p in found.items()}
    tallies = {method: one.tally(rule.threshold) for method, one in measured.items()}
    rows = [
        JointCount(
            joints[column],
            int(tallies[BEFORE].counted[column]),
            {method: int(tally.right[column]) for method, tally in tallies.items()},
        )
        for column in np.flatnonzero(scored).tolist()
    ]
    boxes = [frame.box for frame in video.frames]
    return VideoScore(
        video=video.name,
        person=video.person,
        frames=len(video),
        frames_without_labels=measured[BEFORE].without_labels,
        frames_without_length=measured[BEFORE].without_length,
        joints=tuple(rows),
        jitter={method: jitter(predicted, boxes) for method, predicted in found.items()},
        guards=guards,
        seconds=seconds,
    )


def _boxes(video: Video, pad: float) -> list[Box]:
    """The labels' boxes, scaled so that the predictor's own margin makes them the protocol's crops."""
    return [frame.box.scaled(pad / CROP_PAD) for frame in video.frames]


def is_scored(video: Video, joint: str, keypoints: Sequence[str]) -> bool:
    """Whether a labelled joint is meant to be scored, and the model has it."""
    return joint in keypoints and (video.scored_joints is None or joint in video.scored_joints)


class _NotesOnly(Progress):
    """Passes notes on: the stages of a thousand videos are no news."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def note(self, text: str) -> None:
        self._progress.note(text)
