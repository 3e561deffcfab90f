"""Predictions without personalization that hear a second opinion: of a video's frames, and of everybody in a photo."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.core.errors import UsageError
from ttpose.core.geometry import Box
from ttpose.inference.crops import cut_crop
from ttpose.inference.ensemble import EnsembleMember, ensemble
from ttpose.inference.follow import SubjectFrame
from ttpose.inference.pipeline import refine_prediction
from ttpose.inference.refine.rescoring import can_rescore
from ttpose.inference.tta import BATCH, predict_tta
from ttpose.models.pose_model import PoseModel

_HOW = PersonalizeSettings(rescore=True)


def ensemble_for(model: PoseModel) -> EnsembleMember:
    """The second opinion for a model; raises UsageError where nothing weighs the two."""
    if not can_rescore(model.config):
        raise UsageError("a second opinion goes with the shipped base and its persons only", "leave out this option")
    return ensemble(model.skeleton, str(model.device))


def asked(frames: Iterable[SubjectFrame], second: EnsembleMember) -> Iterator[SubjectFrame]:
    """Frames with what the second network says beside what was seen; their crops are let go."""
    waiting: list[SubjectFrame] = []
    for frame in frames:
        waiting.append(frame)
        if len(waiting) == BATCH:
            yield from _ask(waiting, second)
            waiting = []
    yield from _ask(waiting, second)


def _ask(frames: Sequence[SubjectFrame], second: EnsembleMember) -> Iterator[SubjectFrame]:
    crops, found = [], []
    for frame in frames:
        if frame.crop is not None and frame.seen is not None:
            crops.append(frame.crop)
            found.append(frame.seen.keypoints)
    said = iter(second.look(crops, np.concatenate(found)) if crops else ())
    for frame in frames:
        if frame.crop is None or frame.seen is None:
            yield frame
        else:
            yield replace(frame, crop=None, seen=replace(frame.seen, second=next(said)[None]))


def photo_keypoints(model: PoseModel, image: np.ndarray, boxes: Sequence[Box], second: EnsembleMember) -> np.ndarray:
    """Keypoints [N, K, 3] of the people in N boxes of one RGB uint8 image, in its pixels."""
    crops = [cut_crop(image, box, model.config.input_size, index=i) for i, box in enumerate(boxes)]
    seen = predict_tta(model, crops, second=second)
    people = [seen.part(slice(i, i + 1)) for i in range(len(crops))]
    return np.concatenate([refine_prediction(person, [0.0], model.skeleton, _HOW)[0] for person in people])
