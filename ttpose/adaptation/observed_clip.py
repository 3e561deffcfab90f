"""A clip or photo as a personalization observes it first: predicted with nothing learned, some crops kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.core.errors import NoPersonError
from ttpose.core.progress import Advance, Progress
from ttpose.corrections.model import Corrections, FrameCorrection
from ttpose.inference.crop_store import CropStore
from ttpose.inference.crops import PersonCrop
from ttpose.inference.pipeline import PredictedClip, predict_crops, predict_video, predict_video_again
from ttpose.inference.prediction import TTAPrediction, join
from ttpose.inference.results import report_damage
from ttpose.inference.settings import RefineSettings
from ttpose.media import Source
from ttpose.models.engine import PoseNetwork
from ttpose.tracking.detector import Detector
from ttpose.tracking.track import track_subject

# Crops kept in memory for learning and the final prediction: 0.44 MB each and 0.31 MB of heatmaps, 8 seconds at 30
# frames a second. A longer clip is decoded a second time instead.
MOST_KEPT = 240
MOST_ONLINE = 600  # an online run learns frame by frame and needs them all
FEWEST_KEPT = 8  # of each of many clips


@dataclass(frozen=True)
class ObservedClip:
    """A source after the first pass.

    Attributes:
        media: The file, closed.
        clip: Every frame with its box and what the start's weights predict, without pixels.
        store: Crops to learn from, each with its prediction and heatmaps.
        find_s, predict_s: How long finding the subject and predicting took.
        corrections: What a person said of some of the frames.
    """

    media: Source
    clip: PredictedClip
    store: CropStore
    find_s: float
    predict_s: float
    corrections: Corrections = field(default_factory=lambda: Corrections({}))

    @property
    def ensemble(self) -> np.ndarray | None:
        """What the ensemble's second network predicted for the frames in which the subject is known."""
        return None if self.clip.prediction is None else self.clip.prediction.ensemble

    @property
    def teacher(self) -> TTAPrediction | None:
        """The kept crops' predictions with heatmaps, where they were kept."""
        return join(self.store.predictions) if self.store.predictions else None

    def predict_again(self, model: PoseNetwork, settings: RefineSettings, progress: Progress) -> TTAPrediction | None:
        """Other weights' prediction of the frames in which the subject is known; from the kept crops where all are."""
        clip, store = self.clip, self.store
        if clip.prediction is None:
            return None
        with progress.stage("predict", store.offered if store.complete else len(clip.frames)) as advance:
            if not store.complete:
                return predict_video_again(self.media, clip, model, settings, advance)
            return predict_crops(model, store.crops, settings, advance)


def observe_clip(
    media: Source,
    base: PoseNetwork,
    start: PoseNetwork,
    detector: Detector,
    settings: PersonalizeSettings,
    *,
    subject: str,
    most: int,
    progress: Progress,
    counting: Callable[[Advance], Advance] = lambda advance: advance,
    corrections: Corrections | None = None,
) -> ObservedClip:
    """Follow the subject through a source, predict every frame with nothing learned, and keep at most `most` crops.

    Args:
        media: The source.
        base: Corrects the boxes.
        start: The weights that predict: the base's, or an earlier person's.
        detector: Finds people.
        settings: Refinement, and whether the predictions can serve as pseudo-labels.
        subject: Whom to follow.
        most: Crops to keep.
        progress: Receives progress.
        counting: Wraps the function that counts frames.
        corrections: What a person said of some frames; their crops are kept besides.

    Raises:
        NoPersonError: Nobody was found.
    """
    clock = time.perf_counter()
    track = track_subject(media, detector, subject=subject, progress=progress)
    found_at = time.perf_counter()
    said = corrections or Corrections({})
    store = CropStore(most, said.frames)

    def keep(crop: PersonCrop, prediction: TTAPrediction) -> None:
        store.offer(crop, prediction if settings.shares_tta else None)

    with progress.stage("predict with nothing learned", media.info.frames) as advance:
        clip = predict_video(
            media, track, base, detector, settings.refine, counting(advance), model=start, keep=keep,
            keep_maps=settings.shares_tta and settings.distillation > 0,
        )  # fmt: skip
    report_damage(media, progress)
    if clip.prediction is None:
        raise NoPersonError(f"{media.info.path}: no person was found", "try --subject X,Y on a person")
    return ObservedClip(media, clip, store, found_at - clock, time.perf_counter() - found_at, said)


def crops_of(clips: Sequence[ObservedClip]) -> list[PersonCrop]:
    """The kept crops of all clips, each with a number of its own and its clip's."""
    found: list[PersonCrop] = []
    first = 0
    for number, clip in enumerate(clips):
        found += [replace(crop, index=first + crop.index, clip=number) for crop in clip.store.crops]
        first += len(clip.clip.frames)
    return found


def corrections_of(clips: Sequence[ObservedClip]) -> dict[int, FrameCorrection]:
    """All clips' corrections by the numbers of `crops_of`."""
    found: dict[int, FrameCorrection] = {}
    first = 0
    for clip in clips:
        found |= {first + frame: correction for frame, correction in clip.corrections.frames.items()}
        first += len(clip.clip.frames)
    return found


def teacher_of(clips: Sequence[ObservedClip]) -> TTAPrediction | None:
    """The predictions of `crops_of`, where every clip has them."""
    known = [clip.teacher for clip in clips]
    return join([one for one in known if one is not None]) if all(one is not None for one in known) else None


def shares(kinds: Sequence[str]) -> int:
    """How many crops each of several clips may keep, beside a photo's one."""
    clips = sum(kind == "video" for kind in kinds)
    return max((MOST_KEPT - (len(kinds) - clips)) // max(clips, 1), FEWEST_KEPT)
