"""A clip whose boxes are known, as evaluation has them: personalized on its frames, and all of them predicted."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ttpose.adaptation.guard.metrics import GuardReport
from ttpose.adaptation.online import personalize_stream
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.core.geometry import Box
from ttpose.core.progress import Progress
from ttpose.inference.crops import PersonCrop, cut_crop
from ttpose.inference.pipeline import personalize_model, predict_clip, refine_prediction
from ttpose.models.pose_model import PoseModel


@dataclass(frozen=True)
class PersonalizedClip:
    """A labelled clip's personalization: what evaluation needs.

    Attributes:
        keypoints: [N, K, 3] image pixels, after.
        guard: The choice.
        timings: Seconds a stage.
        model: The personalized model.
    """

    keypoints: np.ndarray
    guard: GuardReport
    timings: dict[str, float]
    model: PoseModel


def personalize_crops(
    model: PoseModel,
    images: Sequence[np.ndarray] | Callable[[int], np.ndarray],
    boxes: Sequence[Box],
    *,
    settings: PersonalizeSettings,
    times: Sequence[float] | None = None,
    progress: Progress | None = None,
) -> PersonalizedClip:
    """Personalize on frames with known boxes, then predict all of them.

    Args:
        model: The base.
        images: RGB uint8 frames, or a function that reads one.
        boxes: The person's box in each frame.
        settings: How.
        times: Seconds; None takes 25 frames a second.
        progress: Receives progress.
    """
    read = images if callable(images) else images.__getitem__
    when = times if times is not None else [i / 25 for i in range(len(boxes))]
    size = model.config.input_size
    crops = [cut_crop(read(i), box, size, index=i, time_s=when[i]) for i, box in enumerate(boxes)]
    if settings.mode == "online":
        return _online(model, crops, settings, progress)
    done = personalize_model(model, crops, settings, progress=progress)
    clock = time.perf_counter()
    keypoints = predict_clip(done.model, crops, settings, progress, done.reference)
    timings = done.timings | {"predict_s": time.perf_counter() - clock}
    return PersonalizedClip(keypoints, done.guard, timings, done.model)


def _online(
    model: PoseModel, crops: Sequence[PersonCrop], settings: PersonalizeSettings, progress: Progress | None
) -> PersonalizedClip:
    done = personalize_stream(model, crops, settings, progress=progress)
    reference = [done.reference.get(crop.index) for crop in crops]
    keypoints, _ = refine_prediction(done.seen, [crop.time_s for crop in crops], model.skeleton, settings, reference)
    return PersonalizedClip(keypoints, done.guard, done.timings, done.model)
