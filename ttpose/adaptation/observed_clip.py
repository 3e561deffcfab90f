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
from ttpose.inference.pipeline import PredictedClip, predict_crops
from ttpose.inference.prediction import TTAPrediction
from ttpose.inference.results import report_damage
from ttpose.inference.settings import RefineSettings
from ttpose.inference.video import Keep, predict_tracks, predict_tracks_again
from ttpose.media import Source
from ttpose.models.engine import PoseNetwork
from ttpose.results.seen import SeenPerson, seen_words
from ttpose.tracking.detector import Detector
from ttpose.tracking.track import track_people

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
        number: The person's id in the clip.
        seen: Everybody in it.
    """

    media: Source
    clip: PredictedClip
    store: CropStore
    find_s: float
    predict_s: float
    corrections: Corrections = field(default_factory=lambda: Corrections({}))
    number: int = 1
    seen: tuple[SeenPerson, ...] = ()

    @property
    def ensemble(self) -> np.ndarray | None:
        """What the ensemble's second network predicted for the frames in which the subject is known."""
        return None if self.clip.prediction is None else self.clip.prediction.ensemble

    def predict_again(self, model: PoseNetwork, settings: RefineSettings, progress: Progress) -> TTAPrediction | None:
        """Other weights' prediction of the frames in which the person is known; from the kept crops where all are."""
        return predict_again([self], [model], settings, progress)[0]


def predict_again(
    clips: Sequence[ObservedClip], models: Sequence[PoseNetwork], settings: RefineSettings, progress: Progress
) -> list[TTAPrediction | None]:
    """The same for people in one source, which is read once for all whose crops are not all kept.

    The ensemble's second network has not learned; what it predicted when the clip was observed stands.
    """
    found: list[TTAPrediction | None] = [None] * len(clips)
    seen = [i for i, clip in enumerate(clips) if clip.clip.prediction is not None]
    whole = [i for i in seen if clips[i].store.complete]
    rest = [i for i in seen if not clips[i].store.complete]
    if whole:
        with progress.stage("predict", sum(clips[i].store.offered for i in whole)) as advance:
            for i in whole:
                ensemble = clips[i].ensemble  # of the same frames, since all are kept
                found[i] = predict_crops(models[i], clips[i].store.crops, settings, advance, ensemble=ensemble)
    if rest:
        media, frames = clips[rest[0]].media, len(clips[rest[0]].clip.frames)
        with progress.stage("predict", frames) as advance:
            again = predict_tracks_again(
                media, [clips[i].clip for i in rest], [models[i] for i in rest], settings, advance
            )
        for i, prediction in zip(rest, again, strict=True):
            found[i] = prediction
    return found


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

    Arguments as of `observe_people`; raises what that raises.
    """
    (clip,) = observe_people(
        media, base, start, detector, settings, count=1, subject=subject, most=most, progress=progress,
        counting=counting, corrections=corrections,
    )  # fmt: skip
    return clip


def observe_people(
    media: Source,
    base: PoseNetwork,
    start: PoseNetwork,
    detector: Detector,
    settings: PersonalizeSettings,
    *,
    count: int | None,
    subject: str,
    most: int,
    progress: Progress,
    counting: Callable[[Advance], Advance] = lambda advance: advance,
    corrections: Corrections | None = None,
) -> list[ObservedClip]:
    """Follow people through a source that is read once, predict every frame with nothing learned, and keep crops.

    Args:
        media: The source.
        base: Corrects the boxes.
        start: The weights that predict: the base's, or an earlier person's.
        detector: Finds people.
        settings: Refinement, and whether the predictions can serve as pseudo-labels.
        count: How many people; None takes all.
        subject: Whom to follow first.
        most: Crops to keep, of all people together.
        progress: Receives progress.
        counting: Wraps the function that counts frames.
        corrections: What a person said of some frames; their crops are kept besides.

    Returns:
        What was observed of each person, in order of their numbers.

    Raises:
        NoPersonError: Nobody was found.
        TooFewPeopleError: There are fewer than `count`.
    """
    clock = time.perf_counter()
    found = track_people(media, detector, count=count, subject=subject, progress=progress)
    if (words := seen_words(found.seen)) is not None:
        progress.note(words)
    found_at = time.perf_counter()
    people, said = len(found.tracks), corrections or Corrections({})
    each = most if people == 1 else max(most // people, FEWEST_KEPT)
    stores = [CropStore(each, said.frames) for _ in range(people)]
    shares_tta = settings.shares_tta

    def keeper(store: CropStore) -> Keep:
        return lambda crop, prediction: store.offer(crop, prediction if shares_tta else None)

    with progress.stage("predict with nothing learned", media.info.frames) as advance:
        clips = predict_tracks(
            media, found.tracks, base, detector, settings.refine, counting(advance), model=start,
            keep=[keeper(store) for store in stores], keep_maps=shares_tta and settings.distillation > 0,
        )  # fmt: skip
    report_damage(media, progress)
    if all(clip.prediction is None for clip in clips):
        raise NoPersonError(f"{media.info.path}: no person was found", "try --subject X,Y on a person")
    # What was done for all people at once counts for each of them in equal parts.
    took = (found_at - clock) / people, (time.perf_counter() - found_at) / people
    return [
        ObservedClip(media, clip, store, *took, said, number, found.listed)
        for number, (clip, store) in enumerate(zip(clips, stores, strict=True), start=1)
    ]


def crops_of(clips: Sequence[ObservedClip]) -> list[PersonCrop]:
    """The kept crops of all clips, each with a number of its own and its clip's."""
    found: list[PersonCrop] = []
    first = 0
    for number, clip in enumerate(clips):
        found += [replace(crop, index=first + crop.index, clip=number) for crop in clip.store.crops]
        first += len(clip.clip.frames)
    return found


def corrections_of(clips: Sequence[ObservedClip], joints: int) -> dict[int, FrameCorrection]:
    """All clips' corrections of the first so many keypoints, those that a model knows, by the numbers of `crops_of`."""
    found: dict[int, FrameCorrection] = {}
    first = 0
    for clip in clips:
        found |= {first + frame: correction for frame, correction in clip.corrections.joints(joints).frames.items()}
        first += len(clip.clip.frames)
    return found


def teacher_of(clips: Sequence[ObservedClip]) -> list[TTAPrediction] | None:
    """The prediction of each of `crops_of`, with heatmaps, where every clip has them."""
    known = [prediction for clip in clips for prediction in clip.store.predictions]
    return known if all(clip.store.predictions for clip in clips) else None


def keep_maps(clips: Sequence[ObservedClip], rows: Sequence[int]) -> None:
    """Let the heatmaps of all of `crops_of` go but for some, by their place in that list."""
    first = 0
    for clip in clips:
        count = len(clip.store.crops)
        clip.store.keep_maps({row - first for row in rows if first <= row < first + count})
        first += count


def shares(kinds: Sequence[str]) -> int:
    """How many crops each of several clips may keep, beside a photo's one."""
    clips = sum(kind == "video" for kind in kinds)
    return max((MOST_KEPT - (len(kinds) - clips)) // max(clips, 1), FEWEST_KEPT)
