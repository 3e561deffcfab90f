"""A clip or photo on its way through a personalization: looked at before, predicted again after."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ttpose.adaptation.guard.metrics import GuardReport
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.core.errors import NoPersonError
from ttpose.core.progress import Progress
from ttpose.core.skeleton import Skeleton
from ttpose.inference.crops import PersonCrop
from ttpose.inference.follow import CropStore, SubjectFrame, follow_subject, gather
from ttpose.inference.pipeline import predict_crops, refine_prediction
from ttpose.inference.tta import TTAPrediction, join
from ttpose.media import Source
from ttpose.models.shipped import LoadedModel
from ttpose.results import FrameRecord, KeypointResult, PersonRecord
from ttpose.tracking.box_correction import refine_box
from ttpose.tracking.detector import PersonDetector
from ttpose.tracking.track import SubjectTrack, track_subject

# Crops kept in memory for the final prediction: 0.44 MB each, 8 seconds at 30 frames a second. A longer clip is
# decoded a second time instead.
MOST_KEPT = 240
MOST_ONLINE = 600  # an online run learns frame by frame and needs them all
FEWEST_KEPT = 8  # of each of many clips


@dataclass(frozen=True)
class ObservedClip:
    """A source after the first look.

    Attributes:
        media: The file, closed.
        frames: Every frame with its box and what was seen, without pixels.
        store: Crops to learn from.
        keypoints: What the weights saw that the run starts from.
        find_s, look_s: How long finding the subject and looking at it took.
    """

    media: Source
    frames: list[SubjectFrame]
    store: CropStore
    keypoints: KeypointResult
    find_s: float
    look_s: float


def look_at(
    media: Source, start: LoadedModel, detector: PersonDetector, *, subject: str, most: int, progress: Progress
) -> ObservedClip:
    """Follow the subject through a source and keep at most `most` crops; raises NoPersonError."""
    clock = time.perf_counter()
    track = track_subject(media, detector, subject=subject, progress=progress)
    found_at = time.perf_counter()
    frames, store = [], CropStore(most)
    with progress.stage("read and predict with the base", media.info.frames) as advance:
        for frame in follow_subject(media, track, start.model, detector, advance):
            if frame.crop is not None:
                store.offer(frame.crop)
            frames.append(replace(frame, crop=None))
    report_damage(media, progress)
    if not store.crops:
        raise NoPersonError(f"{media.info.path}: no person was found", "try --subject X,Y on a person")
    plain = PersonalizeSettings(correct_swaps=False)
    keypoints = clip_result(media, start, records_of(frames, gather(frames), start.model.skeleton, plain))
    return ObservedClip(media, frames, store, keypoints, found_at - clock, time.perf_counter() - found_at)


def predict_again(
    source: ObservedClip,
    personal: LoadedModel,
    detector: PersonDetector,
    settings: PersonalizeSettings,
    guard: GuardReport,
    progress: Progress,
    reference: Mapping[int, np.ndarray],
) -> KeypointResult:
    """All frames with the personalized weights, from the kept crops or a second reading; `named` as in `records_of`."""
    seen = _look_again(source, personal, detector, settings, progress)
    return result_from(source, seen, personal, settings, guard, reference)


def result_from(
    source: ObservedClip,
    seen: TTAPrediction,
    model: LoadedModel,
    settings: PersonalizeSettings,
    guard: GuardReport,
    reference: Mapping[int, np.ndarray],
) -> KeypointResult:
    """The keypoint file of a source from new observations of its frames that have any; `named` as in `records_of`."""
    records = records_of(source.frames, seen, model.model.skeleton, settings, reference)
    return clip_result(source.media, model, records, guard)


def _look_again(
    source: ObservedClip,
    personal: LoadedModel,
    detector: PersonDetector,
    settings: PersonalizeSettings,
    progress: Progress,
) -> TTAPrediction:
    frames, store = source.frames, source.store
    closer = settings.predict_views > 1 or settings.ensemble  # than following the person looks
    with progress.stage("predict", store.offered if store.complete else len(frames)) as advance:
        if store.complete:
            return predict_crops(personal.model, store.crops, settings, advance)
        boxes = tuple(frame.box for frame in frames)
        track = SubjectTrack(boxes, (False,) * len(boxes), 1, 0)
        parts = []
        for frame in follow_subject(source.media, track, personal.model, detector, advance):
            if frames[frame.index].seen is not None and frame.crop is not None:
                parts.append(predict_crops(personal.model, [frame.crop], settings) if closer else frame.seen)
        return join([part for part in parts if part is not None])


def crops_of(sources: Sequence[ObservedClip]) -> list[PersonCrop]:
    """The kept crops of all sources, each with a number of its own and its clip's."""
    found: list[PersonCrop] = []
    first = 0
    for number, source in enumerate(sources):
        found += [replace(crop, index=first + crop.index, clip=number) for crop in source.store.crops]
        first += len(source.frames)
    return found


def references_of(
    sources: Sequence[ObservedClip], reference: Mapping[int, np.ndarray]
) -> dict[Path, dict[int, np.ndarray]]:
    """What is known by the numbers of `crops_of`, by source and number of frame."""
    found, first = {}, 0
    for source in sources:
        frames = range(len(source.frames))
        found[source.media.info.path] = {i: reference[first + i] for i in frames if first + i in reference}
        first += len(frames)
    return found


def shares(kinds: Sequence[str]) -> int:
    """How many crops each of several clips may keep, beside a photo's one."""
    clips = sum(kind == "video" for kind in kinds)
    return max((MOST_KEPT - (len(kinds) - clips)) // max(clips, 1), FEWEST_KEPT)


def records_of(
    frames: Sequence[SubjectFrame],
    seen: TTAPrediction,
    skeleton: Skeleton,
    settings: PersonalizeSettings,
    reference: Mapping[int, np.ndarray] | None = None,
) -> list[FrameRecord]:
    """One record for every frame, in order, with sides settled where the settings say so.

    `named` has keypoints [K, 2] whose sides were settled before, in original pixels, by number of frame.
    """
    observed = [frame for frame in frames if frame.seen is not None]
    known = [(reference or {}).get(frame.index) for frame in observed]
    times = [frame.time_s for frame in observed]
    found = iter(zip(*refine_prediction(seen, times, skeleton, settings, known), strict=True))
    return [_record(frame, *next(found), skeleton) if _is_seen(frame) else _empty(frame) for frame in frames]


def _is_seen(frame: SubjectFrame) -> bool:
    return frame.seen is not None and frame.box is not None


def _empty(frame: SubjectFrame) -> FrameRecord:
    return FrameRecord(frame.index, frame.time_s, (), frame.note)


def _record(frame: SubjectFrame, keypoints: np.ndarray, swapped: np.ndarray, skeleton: Skeleton) -> FrameRecord:
    if frame.box is None:
        return _empty(frame)
    notes = [frame.note] if frame.note else []
    limbs = [name for name, was in zip(("legs", "arms"), swapped, strict=True) if was]
    if limbs:
        notes.append(f"left and right {' and '.join(limbs)} swapped to agree with the frames around")
    person = PersonRecord(1, refine_box(frame.box, keypoints, skeleton=skeleton), keypoints)
    return FrameRecord(frame.index, frame.time_s, (person,), "; ".join(notes) or None)


def clip_result(
    media: Source, loaded: LoadedModel, records: list[FrameRecord], guard: GuardReport | None = None
) -> KeypointResult:
    """The content of a keypoint file."""
    info = media.info
    source = {
        "path": str(info.path), "kind": info.kind, "width": info.width, "height": info.height,
        "frames": len(records), "duration_s": info.duration_s,
    }  # fmt: skip
    model = loaded.describe() | {"guard": None if guard is None else guard.to_dict()}
    return KeypointResult(source, model, loaded.model.skeleton, records)


def report_damage(media: Source, progress: Progress) -> None:
    """Say what was odd about the file."""
    for warning in media.warnings:
        progress.note(warning)
