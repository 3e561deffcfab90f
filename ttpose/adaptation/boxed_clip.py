"""A clip whose boxes are known, as evaluation has them: personalized on its frames, and all of them predicted."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ttpose.adaptation.from_corrections import personalize_from_corrections
from ttpose.adaptation.guard.metrics import GuardReport
from ttpose.adaptation.labels import corrected_frames
from ttpose.adaptation.online import personalize_stream
from ttpose.adaptation.personalize import Personalized
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.core.geometry import Box
from ttpose.core.progress import Progress
from ttpose.corrections.model import Corrections
from ttpose.inference.crops import PersonCrop, cut_crop
from ttpose.inference.pipeline import predict_crops
from ttpose.inference.prediction import TTAPrediction
from ttpose.inference.refine.clip import refine
from ttpose.inference.refine.left_right import corrected_sides
from ttpose.models.engine import compiled
from ttpose.models.pose_model import PoseModel


@dataclass(frozen=True)
class PersonalizedClip:
    """A labelled clip's personalization: what evaluation needs.

    Attributes:
        keypoints: [N, K, 3] image pixels, by the personalized weights, refined.
        refined: The same by the base, refined with nothing learned.
        guard: The decision.
        timings: Seconds a stage.
        model: The personalized model.
        before: What the base predicts, with heatmaps where they can be learned from.
    """

    keypoints: np.ndarray
    refined: np.ndarray
    guard: GuardReport
    timings: dict[str, float]
    model: PoseModel
    before: TTAPrediction


def personalize_crops(
    model: PoseModel,
    images: Sequence[np.ndarray] | Callable[[int], np.ndarray],
    boxes: Sequence[Box],
    *,
    settings: PersonalizeSettings,
    times: Sequence[float] | None = None,
    corrections: Corrections | None = None,
    before: TTAPrediction | None = None,
    progress: Progress | None = None,
) -> PersonalizedClip:
    """Personalize on frames with known boxes, then predict all of them.

    Args:
        model: The base.
        images: RGB uint8 frames, or a function that reads one.
        boxes: The person's box in each frame.
        settings: How.
        times: Seconds; None takes 25 frames a second.
        corrections: What a person said of some of the frames.
        before: What the base predicts for the same frames, where that is known already.
        progress: Receives progress.
    """
    read = images if callable(images) else images.__getitem__
    when = times if times is not None else [i / 25 for i in range(len(boxes))]
    grid, progress = model.config.crop, progress or Progress()
    crops = [cut_crop(read(i), box, grid, index=i, time_s=when[i]) for i, box in enumerate(boxes)]
    clock = time.perf_counter()
    if before is None:
        with progress.stage("predict with nothing learned", len(crops)) as advance:
            keep_maps = settings.shares_tta and settings.distillation > 0
            before = predict_crops(compiled(model), crops, settings.refine, advance, keep_maps=keep_maps)
    timings = {"refine_s": time.perf_counter() - clock}
    done, after = _personalized(model, crops, settings, before, progress, corrections)
    said = corrected_frames((corrections or Corrections({})).frames, range(len(crops)), len(model.skeleton))
    sides = None
    if after is not before and settings.refine.correct_swaps:  # as `PredictedClip.records` does
        sides = corrected_sides(before, np.asarray(when, float), model.skeleton)
    keypoints = refine(after, when, model.skeleton, settings.refine, said, sides).keypoints
    refined = refine(before, when, model.skeleton, settings.refine).keypoints
    return PersonalizedClip(keypoints, refined, done.guard, timings | done.timings, done.model, before)


def _personalized(
    model: PoseModel,
    crops: Sequence[PersonCrop],
    settings: PersonalizeSettings,
    before: TTAPrediction,
    progress: Progress,
    corrections: Corrections | None,
) -> tuple[Personalized, TTAPrediction]:
    """What was learned, and its prediction of the crops."""
    if settings.mode == "online":
        streamed = personalize_stream(model, crops, settings, ensemble=before.ensemble, progress=progress)
        return streamed, streamed.prediction
    said = (corrections or Corrections({})).frames
    teacher = before.frames() if settings.shares_tta else None
    done = personalize_from_corrections(model, crops, said, settings, teacher=teacher, progress=progress)
    if done.guard.decision == "base":
        return done, before
    clock = time.perf_counter()
    with progress.stage("predict", len(crops)) as advance:
        after = predict_crops(compiled(done.model), crops, settings.refine, advance, ensemble=before.ensemble)
    timings = done.timings | {"predict_s": time.perf_counter() - clock}
    return replace(done, timings=timings), after
