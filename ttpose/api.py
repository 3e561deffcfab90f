"""What a notebook user calls; the command line is built on exactly this."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ttpose.errors import InputError, NoPersonError
from ttpose.evaluation.clips import evaluate_clips
from ttpose.evaluation.report import EvaluationReport
from ttpose.geometry import Box
from ttpose.media import Source, open_source
from ttpose.model.person import PersonDelta
from ttpose.model.predictor import Predictor
from ttpose.model.runtime import choose_device, keep_freed_memory
from ttpose.model.shipped import LoadedModel, load
from ttpose.overlay import write_overlay, write_side_by_side
from ttpose.personalize.guard import GuardReport, online_report
from ttpose.personalize.methods import fitted
from ttpose.personalize.online import OnlineAdapter
from ttpose.personalize.run import personalize_model, settled
from ttpose.personalize.settings import Mode, PersonalizeSettings, preset_named
from ttpose.personalize.subject_crops import CropStore, SubjectFrame, follow_subject, gather
from ttpose.personalize.views import VIEWS, Observation, join, observe
from ttpose.progress import Progress
from ttpose.report.page import write_report
from ttpose.report.samples import Samples
from ttpose.results import FrameRecord, KeypointResult, PersonRecord
from ttpose.skeleton import Skeleton
from ttpose.subject.finder import PersonFinder
from ttpose.subject.refine import refine_box
from ttpose.subject.track import SubjectTrack, track_subject

__all__ = [
    "EvaluationReport", "Personalization", "Pose", "evaluate_clips", "load_model", "personalize", "predict",
    "write_overlay", "write_report", "write_side_by_side",
]  # fmt: skip

# Crops kept in memory for the final prediction: 0.44 MB each, 8 seconds at 30 frames a second. A longer clip is
# decoded a second time instead.
_MOST_KEPT = 240
_MOST_ONLINE = 600  # an online run learns frame by frame and needs them all
_MOST_PEOPLE = 20  # in one photo; a crowd is nobody's personalization


@dataclass(frozen=True)
class Personalization:
    """What personalizing a clip gave.

    Attributes:
        keypoints: Every frame's keypoints with the chosen weights.
        base_keypoints: The same by the base, for comparison.
        person: The delta to save.
        guard: Which weights were chosen and why.
        timings: Seconds a stage.
        history: Loss terms of every step.
        samples: Both models and a few crops, for looking inside; None where the maker gave none.
    """

    keypoints: KeypointResult
    base_keypoints: KeypointResult
    person: PersonDelta
    guard: GuardReport
    timings: dict[str, float]
    history: list[dict[str, float]]
    samples: Samples | None = None


class Pose:
    """A model for single images: `load_model().predict(image_rgb)`.

    Args:
        loaded: The weights.
    """

    def __init__(self, loaded: LoadedModel) -> None:
        self.loaded = loaded
        self._predictor = Predictor(loaded.model)
        self._finder: PersonFinder | None = None

    @property
    def skeleton(self) -> Skeleton:
        """The keypoint set."""
        return self._predictor.skeleton

    def predict(self, image_rgb: np.ndarray, box: Sequence[float] | Box | None = None) -> dict[str, Any]:
        """Keypoints of one person.

        Args:
            image_rgb: uint8 [H, W, 3].
            box: The person's box (x, y, width, height) in pixels; None finds the largest person.

        Returns:
            `keypoints` float [K, 3] (x, y in pixels, score 0..1), `box` [x, y, w, h], `names` of the keypoints.

        Raises:
            InputError: Not an RGB uint8 image, or no box.
            NoPersonError: No box was given and nobody was found.
        """
        if image_rgb.ndim != 3 or image_rgb.shape[2] != 3 or image_rgb.dtype != np.uint8:
            raise InputError(f"an RGB uint8 image [H, W, 3] is needed, not {image_rgb.dtype} {list(image_rgb.shape)}")
        where = self._largest(image_rgb) if box is None else box if isinstance(box, Box) else Box(*box)
        if not (all(math.isfinite(value) for value in where.as_list()) and where.area > 0):
            raise InputError(f"a box is x, y, width and height, with an area, not {where.as_list()}")
        keypoints = self._predictor.predict(image_rgb, [where])[0]
        return {"keypoints": keypoints, "box": where.as_list(), "names": list(self.skeleton.keypoints)}

    def _largest(self, image: np.ndarray) -> Box:
        self._finder = self._finder or PersonFinder.load(str(self.loaded.model.device))
        people = self._finder.find([image])[0]
        if not people:
            raise NoPersonError("no person was found in the image", "give a box")
        return max((p.box for p in people), key=lambda b: b.area)


def load_model(path: Path | str | None = None, device: str = "auto") -> Pose:
    """The shipped base (None), a base file, or a person file on the shipped base; raises WeightsError."""
    return Pose(load(path, choose_device(device)))


def predict(
    source: Path | str,
    *,
    weights: Path | str | None = None,
    subject: str | None = None,
    device: str = "auto",
    progress: Progress | None = None,
) -> KeypointResult:
    """Keypoints of a video's one subject, or of everybody in a photo.

    Args:
        source: Video or image file.
        weights: Person file or base; None takes the shipped base.
        subject: "auto", "largest", "center" or "X,Y"; None takes "auto" in a video and everybody in a photo.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        progress: Hears the stages.

    Raises:
        InputError: The file cannot be read.
        NoPersonError: Nobody in the whole file.
    """
    keep_freed_memory()
    progress = progress or Progress()
    loaded, media = load(weights, choose_device(device)), open_source(source)
    finder = PersonFinder.load(str(loaded.model.device))
    if media.info.kind == "image" and subject is None:
        return _predict_photo(media, loaded, finder)
    track = track_subject(media, finder, subject=subject or "auto", progress=progress)
    with progress.stage("predict", media.info.frames) as advance:
        frames = list(follow_subject(media, track, loaded.model, finder, advance, crops=False))
    _report_damage(media, progress)
    seen = _settle(frames, gather(frames), loaded.model.skeleton, PersonalizeSettings())
    return _result(media, loaded, _records(frames, seen, loaded.model.skeleton))


def personalize(
    source: Path | str,
    *,
    preset: str = "balanced",
    mode: Mode = "offline",
    steps: int | None = None,
    subject: str = "auto",
    device: str = "auto",
    seed: int = 0,
    base: Path | str | None = None,
    settings: PersonalizeSettings | None = None,
    progress: Progress | None = None,
) -> Personalization:
    """Fine-tune the model on one person's unlabelled frames, and predict the clip with the result.

    Args:
        source: Video or image file.
        preset: "fast", "balanced", "thorough" or "paper".
        mode: "offline" or "online".
        steps: Optimiser steps in place of the preset's.
        subject: Whom to follow: "auto", "largest", "center" or "X,Y".
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        seed: Of all random draws; the same seed gives the same result on one machine.
        base: Base weights; None takes the shipped ones.
        settings: Instead of preset, mode, steps and seed, such as `ttpose.personalize.methods.method_named("tent")`.
        progress: Hears the stages.

    Raises:
        UsageError: Unknown preset, mode, subject or device.
        InputError, NoPersonError, WeightsError: See there.
    """
    keep_freed_memory()
    settings = settings or preset_named(preset, mode=mode, steps=steps, seed=seed)
    progress, timings = progress or Progress(), {}
    loaded, media = load(base, choose_device(device)), open_source(source)
    settings = fitted(settings, loaded.model.config)
    finder = PersonFinder.load(str(loaded.model.device))
    clock = time.perf_counter()
    track = track_subject(media, finder, subject=subject, progress=progress)
    timings["find_s"] = time.perf_counter() - clock
    clock = time.perf_counter()
    store = CropStore(_MOST_ONLINE if settings.mode == "online" else _MOST_KEPT)
    frames = _first_pass(media, track, loaded, finder, store, progress)
    timings["base_s"] = time.perf_counter() - clock
    plain = _settle(frames, gather(frames), loaded.model.skeleton, PersonalizeSettings(settle_sides=False))
    base_result = _result(media, loaded, _records(frames, plain, loaded.model.skeleton))
    _estimate(settings, store, timings["base_s"] / max(store.offered, 1), loaded, progress)
    if settings.mode == "online":
        return _online(media, loaded, frames, store, settings, base_result, timings, progress)
    done = personalize_model(loaded.model, store.crops, settings, base_sha256=loaded.base_sha256, progress=progress)
    clock = time.perf_counter()
    personal = replace(loaded, model=done.model)
    seen = _final_pass(media, personal, frames, store, finder, settings, progress)
    timings |= done.timings | {"predict_s": time.perf_counter() - clock}
    final = _settle(frames, seen, loaded.model.skeleton, settings)
    result = _result(media, loaded, _records(frames, final, loaded.model.skeleton), done.guard)
    person = replace(done.delta, notes=_notes(settings, done.guard, media))
    samples = Samples.of(loaded.model, done.model, store.crops)
    return Personalization(result, base_result, person, done.guard, timings, done.history, samples)


def _first_pass(
    media: Source,
    track: SubjectTrack,
    loaded: LoadedModel,
    finder: PersonFinder,
    store: CropStore,
    progress: Progress,
) -> list[SubjectFrame]:
    """Base predictions of every frame; crops to learn from go to `store`. The video is closed afterwards."""
    frames = []
    with progress.stage("read and predict with the base", media.info.frames) as advance:
        for frame in follow_subject(media, track, loaded.model, finder, advance):
            if frame.crop is not None:
                store.offer(frame.crop)
            frames.append(replace(frame, crop=None))
    _report_damage(media, progress)
    if not store.crops:
        raise NoPersonError(f"{media.info.path}: no person was found", "try --subject X,Y on a person")
    return frames


def _final_pass(
    media: Source,
    personal: LoadedModel,
    frames: list[SubjectFrame],
    store: CropStore,
    finder: PersonFinder,
    settings: PersonalizeSettings,
    progress: Progress,
) -> Observation:
    """Observations of all frames with the personalized weights, from the kept crops or a second reading."""
    views = VIEWS[: settings.predict_views]
    with progress.stage("predict", store.offered if store.complete else len(frames)) as advance:
        if store.complete:
            return observe(personal.model, store.crops, views, advance)
        boxes = tuple(frame.box for frame in frames)
        track = SubjectTrack(boxes, (False,) * len(boxes), 1, 0)
        again = follow_subject(media, track, personal.model, finder, advance)
        parts = []
        for frame in again:
            if frames[frame.index].seen is not None and frame.crop is not None:
                parts.append(observe(personal.model, [frame.crop], views) if len(views) > 1 else frame.seen)
        return join([part for part in parts if part is not None])


def _online(
    media: Source,
    loaded: LoadedModel,
    frames: list[SubjectFrame],
    store: CropStore,
    settings: PersonalizeSettings,
    base_result: KeypointResult,
    timings: dict[str, float],
    progress: Progress,
) -> Personalization:
    if not store.complete:
        raise InputError(
            f"{media.info.path} is too long for --mode online ({store.offered} frames, at most {_MOST_ONLINE})",
            "use the offline mode, or cut the clip",
        )
    clock = time.perf_counter()
    stream, parts = OnlineAdapter(loaded.model, settings), []
    with progress.stage("adapt and predict", len(store.crops)) as advance:
        for crop in store.crops:
            parts.append(stream.advance(crop))
            advance(1)
    timings["adapt_s"] = time.perf_counter() - clock
    guard = online_report()
    seen = _settle(frames, join(parts), loaded.model.skeleton, settings)
    person = PersonDelta.between(
        loaded.model, stream.adapter.average, loaded.base_sha256, _notes(settings, guard, media)
    )
    result = _result(media, loaded, _records(frames, seen, loaded.model.skeleton), guard)
    samples = Samples.of(loaded.model, stream.adapter.average, store.crops)
    return Personalization(result, base_result, person, guard, timings, stream.adapter.history, samples)


@dataclass(frozen=True)
class _Seen:
    """Keypoints of the frames that have any, and which limbs were exchanged in them."""

    keypoints: np.ndarray
    exchanged: np.ndarray


def _settle(
    frames: Sequence[SubjectFrame], seen: Observation, skeleton: Skeleton, settings: PersonalizeSettings
) -> _Seen:
    times = [frame.time_s for frame in frames if frame.seen is not None]
    return _Seen(*settled(seen, times, skeleton, settings))


def _records(frames: Sequence[SubjectFrame], seen: _Seen, skeleton: Skeleton) -> list[FrameRecord]:
    """One record for every frame, in order."""
    records, position = [], 0
    for frame in frames:
        if frame.seen is None or frame.box is None:
            records.append(FrameRecord(frame.index, frame.time_s, (), frame.note))
            continue
        keypoints, exchanged = seen.keypoints[position], seen.exchanged[position]
        position += 1
        notes = [frame.note] if frame.note else []
        limbs = [name for name, was in zip(("legs", "arms"), exchanged, strict=True) if was]
        if limbs:
            notes.append(f"left and right {' and '.join(limbs)} exchanged to agree with the frames around")
        box = refine_box(frame.box, keypoints, skeleton=skeleton)
        person = PersonRecord(1, box, keypoints)
        records.append(FrameRecord(frame.index, frame.time_s, (person,), "; ".join(notes) or None))
    return records


def _predict_photo(media: Source, loaded: LoadedModel, finder: PersonFinder) -> KeypointResult:
    frame = next(iter(media.frames()))
    people = finder.find([frame.image])[0] if frame.image is not None else []
    if frame.image is None or not people:
        raise NoPersonError(
            f"{media.info.path}: no person was found", "try --subject largest, which also looks at enlarged parts"
        )
    predictor = Predictor(loaded.model)
    boxes = [person.box for person in people[:_MOST_PEOPLE]]
    boxes = [
        refine_box(b, k, skeleton=loaded.model.skeleton)
        for b, k in zip(boxes, predictor.predict(frame.image, boxes), strict=True)
    ]
    found = predictor.predict(frame.image, boxes)
    persons = tuple(PersonRecord(i + 1, b, k) for i, (b, k) in enumerate(zip(boxes, found, strict=True)))
    return _result(media, loaded, [FrameRecord(0, 0.0, persons)])


def _result(
    media: Source, loaded: LoadedModel, records: list[FrameRecord], guard: GuardReport | None = None
) -> KeypointResult:
    info = media.info
    source = {
        "path": str(info.path), "kind": info.kind, "width": info.width, "height": info.height,
        "frames": len(records), "duration_s": info.duration_s,
    }  # fmt: skip
    model = loaded.describe() | {"guard": None if guard is None else guard.to_dict()}
    return KeypointResult(source, model, loaded.model.skeleton, records)


def _notes(settings: PersonalizeSettings, guard: GuardReport, media: Source) -> dict[str, str]:
    """Metadata of the person file."""
    return {
        "settings": json.dumps(asdict(settings), default=str, sort_keys=True),
        "guard": json.dumps(guard.to_dict()),
        "source": media.info.path.name,
    }


def _report_damage(media: Source, progress: Progress) -> None:
    for warning in media.warnings:
        progress.note(warning)


def _estimate(
    settings: PersonalizeSettings, store: CropStore, second_a_frame: float, loaded: LoadedModel, progress: Progress
) -> None:
    """Say how long adapting will take, from how long the base took."""
    crops = min(len(store.crops), settings.max_crops)
    if settings.mode == "online":
        views = store.offered * (3.4 * settings.batch + settings.views)
    else:
        # A step costs about three forwards and a half a view; the guard looks at 24 crops nine times.
        steps = (settings.steps or crops) + settings.decoder_warmup
        views = 3.4 * steps * settings.batch + crops * settings.views + store.offered * settings.predict_views + 9 * 24
    seconds = views * second_a_frame
    progress.note(f"adapting on {loaded.model.device}: about {max(seconds, 1):.0f} s")
