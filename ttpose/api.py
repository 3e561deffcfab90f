"""What a notebook user calls; the command line is built on exactly this."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ttpose.core.errors import InputError, NoPersonError, UsageError
from ttpose.core.geometry import Box
from ttpose.core.progress import Named, Progress
from ttpose.core.skeleton import COCO17_FEET, Skeleton
from ttpose.corrections.model import Corrections
from ttpose.inference.onnx_ensemble import with_ensemble_files
from ttpose.inference.photos import find_people, predict_in_box, predict_people
from ttpose.inference.refine.clip import fitted_refinement
from ttpose.inference.results import clip_result, report_damage
from ttpose.inference.settings import PHOTO_PRESET, VIDEO_PRESET, RefineSettings, refine_preset, with_skeleton
from ttpose.inference.video import predict_tracks
from ttpose.media import Reading, Source, open_source
from ttpose.models.device import choose_device
from ttpose.models.pose_model import PoseModel
from ttpose.models.shipped import LoadedModel
from ttpose.people.weights import load_weights
from ttpose.results import FrameRecord, KeypointResult, PersonRecord
from ttpose.results.seen import seen_words
from ttpose.results.together import first_people, together
from ttpose.tracking.detector import PersonDetector
from ttpose.tracking.subject import parse_people
from ttpose.tracking.track import check_count, track_people

if TYPE_CHECKING:
    from ttpose.adaptation.everyone import PersonalizedPeople
    from ttpose.adaptation.same_person import OnBad, SharedPerson
    from ttpose.adaptation.session import Personalization
    from ttpose.adaptation.settings import Mode, PersonalizeSettings
    from ttpose.evaluation.clips import evaluate_clips
    from ttpose.evaluation.report import EvaluationReport
    from ttpose.report.overlay import write_overlay, write_side_by_side
    from ttpose.report.page import write_report

__all__ = [
    "EvaluationReport", "Personalization", "PersonalizedPeople", "Pose", "SharedPerson", "evaluate_clips",
    "learn_person", "load_model", "personalize", "personalize_many", "personalize_people", "predict", "write_overlay",
    "write_report", "write_side_by_side",
]  # fmt: skip

#: A base by file or by name, or a model itself.
Base = Path | str | PoseModel | None

# What predicting a photo has no use for is imported when it is asked for: a fifth of a second.
_ELSEWHERE = {
    "EvaluationReport": "ttpose.evaluation.report",
    "Personalization": "ttpose.adaptation.session",
    "PersonalizedPeople": "ttpose.adaptation.everyone",
    "SharedPerson": "ttpose.adaptation.same_person",
    "evaluate_clips": "ttpose.evaluation.clips",
    "write_overlay": "ttpose.report.overlay",
    "write_report": "ttpose.report.page",
    "write_side_by_side": "ttpose.report.overlay",
}


def __getattr__(name: str) -> Any:
    if name in _ELSEWHERE:
        return getattr(import_module(_ELSEWHERE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class Pose:
    """A model for single images: `load_model().predict(image_rgb)`.

    Args:
        loaded: The weights.
    """

    def __init__(self, loaded: LoadedModel) -> None:
        self.loaded = loaded

    @property
    def skeleton(self) -> Skeleton:
        """The model's keypoint set."""
        return self.loaded.model.skeleton

    @cached_property
    def _detector(self) -> PersonDetector:
        return PersonDetector.load(str(self.loaded.model.device))

    def predict(
        self, image_rgb: np.ndarray, box: Sequence[float] | Box | None = None, *, preset: str = PHOTO_PRESET
    ) -> dict[str, Any]:
        """Keypoints of one person.

        Args:
            image_rgb: uint8 [H, W, 3].
            box: The person's box (x, y, width, height) in pixels, which is taken as it is; None finds the largest
                person, as `predict(path, subject="largest")` does.
            preset: Inference of "fast" (one view), "balanced" or "thorough" (four views and the ensemble).

        Returns:
            `keypoints` float [K, 3] (x, y in pixels, score 0..1), `box` [x, y, w, h], `names` of the keypoints, with
            those of the feet where the preset has the ensemble.

        Raises:
            InputError: Not an RGB uint8 image, or no box.
            NoPersonError: No box was given and nobody was found.
            UsageError: Unknown preset.
        """
        if image_rgb.ndim != 3 or image_rgb.shape[2] != 3 or image_rgb.dtype != np.uint8:
            raise InputError(f"an RGB uint8 image [H, W, 3] is needed, not {image_rgb.dtype} {list(image_rgb.shape)}")
        settings = fitted_refinement(refine_preset(preset), self.loaded.model.config)
        if box is None:
            where, keypoints = self._largest(image_rgb, settings)
        else:
            where = box if isinstance(box, Box) else Box(*box)
            if not (all(math.isfinite(value) for value in where.as_list()) and where.area > 0):
                raise InputError(f"a box is x, y, width and height, with an area, not {where.as_list()}")
            keypoints = predict_in_box(image_rgb, where, self.loaded.network, settings)
        names = list(settings.output_skeleton(self.skeleton).keypoints)
        return {"keypoints": keypoints, "box": where.as_list(), "names": names}

    def _largest(self, image: np.ndarray, settings: RefineSettings) -> tuple[Box, np.ndarray]:
        boxes = find_people(image, self._detector)
        if not boxes:
            raise NoPersonError("no person was found in the image", "give a box")
        largest = [max(boxes, key=lambda box: box.area)]
        loaded = self.loaded
        found = predict_people(image, largest, loaded.follow_network, self._detector, settings, loaded.network)
        if not found:
            raise NoPersonError("no person was found in the image", "give a box")
        return found[0].box, found[0].keypoints


def load_model(path: Path | str | None = None, device: str = "auto", *, base: Base = None) -> Pose:
    """A model for single images.

    Args:
        path: Base file, person file, or name in the person library; None takes the base.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        base: The base that the person was made on: a file, a name in `ttpose models`, or a model
            (`ttpose.models.base.as_base`); None takes the shipped one.

    Raises:
        WeightsError: Missing, damaged, or a person of another base.
        UsageError: Unknown device, two bases, or a person in the place of the base.
    """
    return Pose(load_weights(path, choose_device(device), base=base))


def predict(
    source: Path | str,
    *,
    preset: str | None = None,
    weights: Path | str | None = None,
    base: Base = None,
    subject: str | None = None,
    people: int | str | None = None,
    ensemble_files: Sequence[Path | str] = (),
    skeleton: str | None = None,
    fps: float | None = None,
    capture_fps: float | None = None,
    slow_motion: float | None = None,
    time_range: tuple[float, float] | None = None,
    stream: int | None = None,
    device: str = "auto",
    progress: Progress | None = None,
) -> KeypointResult:
    """Keypoints of a video's one subject or of several people, or of everybody in a photo; nothing is learned.

    Args:
        source: Video or image file.
        preset: The inference part of the personalization preset of that name: "fast" (one view), "balanced" or
            "thorough" (four views and the ensemble). None takes "fast" for videos and "balanced" for photos and where
            feet are asked for.
        weights: Person file, name in the person library, or base file; None takes the base.
        base: The base that the person was made on: a file, a name in `ttpose models`, or a model
            (`ttpose.models.base.as_base`); None takes the shipped one.
        subject: "auto", "largest", "center" or "X,Y"; None takes "auto" in a video and everybody in a photo.
        people: How many people to follow through a video, the subject first, or "all"; None follows the subject alone.
            In a photo without `subject` the surest so many, and None takes everybody.
        ensemble_files: ONNX files of pose networks that predict as well (`ttpose.inference.onnx_ensemble`).
        skeleton: Keypoint set of the result: "coco17", or "coco17_feet", which the ensemble predicts. None takes the
            feet where the preset has the ensemble.
        fps: Frames per second of a video that does not say it, or says it wrongly; None keeps the file's times.
        capture_fps: Frames per second at which a video was filmed that plays slower; times and speeds follow.
        slow_motion: How many times slower than it was filmed a video plays, which says the same.
        time_range: First second and the one before which it ends, as a player shows them; None takes all of a video.
        stream: Which track of a video file to use, counted from 0 over all tracks; None takes the main one.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        progress: Receives progress.

    Raises:
        InputError: The file cannot be read.
        NoPersonError: Nobody in the whole file.
        TooFewPeopleError: There are fewer than `people`.
        UsageError, WeightsError: As `load_model`, or an unknown preset.
    """
    progress, count = progress or Progress(), parse_people(people)
    if preset is not None:
        with_skeleton(refine_preset(preset), skeleton)
    loaded, media = (
        load_weights(weights, choose_device(device), base=base),
        open_source(source, Reading(fps, stream, slow_motion, capture_fps, time_range)),
    )
    photo = media.info.kind == "image"
    usual = PHOTO_PRESET if photo or skeleton == COCO17_FEET.name else VIDEO_PRESET
    chosen = with_skeleton(refine_preset(preset or usual), skeleton)
    settings = fitted_refinement(with_ensemble_files(chosen, ensemble_files), loaded.model.config)
    if settings.note is not None:
        progress.note(settings.note)
    detector = PersonDetector.load(str(loaded.model.device), compile=not photo)
    if photo and subject is None:
        report_damage(media, progress)
        everybody = _predict_photo(media, loaded, detector, settings)
        if people is None:
            return everybody
        check_count(count, len(everybody.frames[0].people), media)
        return first_people(everybody, count)
    found = track_people(media, detector, count=count, subject=subject or "auto", progress=progress)
    if (words := seen_words(found.seen)) is not None:
        progress.note(words)
    with progress.stage("predict", media.info.frames) as advance:
        clips = predict_tracks(
            media, found.tracks, loaded.follow_network, detector, settings, advance, model=loaded.network
        )  # fmt: skip
    report_damage(media, progress)
    own, written = loaded.model.skeleton, settings.output_skeleton(loaded.model.skeleton)
    results = [clip_result(media, loaded, clip.records(own, settings), skeleton=written) for clip in clips]
    return together(dict(enumerate(results, start=1)), found.listed)


def personalize(
    source: Path | str,
    *,
    preset: str = "balanced",
    mode: Mode = "offline",
    steps: int | None = None,
    subject: str = "auto",
    fps: float | None = None,
    capture_fps: float | None = None,
    slow_motion: float | None = None,
    time_range: tuple[float, float] | None = None,
    stream: int | None = None,
    device: str = "auto",
    seed: int = 0,
    base: Base = None,
    person: Path | str | None = None,
    corrections: Path | str | Corrections | None = None,
    settings: PersonalizeSettings | None = None,
    ensemble_files: Sequence[Path | str] = (),
    skeleton: str | None = None,
    progress: Progress | None = None,
) -> Personalization:
    """Fine-tune the model on one person's frames, and predict the clip with the result.

    Frames that a person corrected are learned from as labels, and come out exactly as they were corrected; without any
    nothing is labelled.

    Args:
        source: Video or image file.
        preset: "fast", "balanced", "thorough" or "paper".
        mode: "offline" or "online".
        steps: Optimiser steps in place of the preset's.
        subject: Whom to follow: "auto", "largest", "center" or "X,Y".
        fps, capture_fps, slow_motion, time_range, stream: As for `predict`.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        seed: Of all random draws; the same seed gives the same result on one machine.
        base: A base file, a name in `ttpose models`, or a model (`ttpose.models.base.as_base`); None takes the shipped
            one.
        person: An earlier personalization of the same person to continue from: a person file, or a name in the
            person library. The result holds the changes of both.
        corrections: A corrections file (docs/correct.md) or a COCO keypoint file of frames of this clip, or what
            `ttpose.corrections.reading.read_corrections` gives.
        settings: Instead of preset, mode, steps and seed, such as `ttpose.adaptation.methods.method_named("tent")`.
        ensemble_files: ONNX files of further pose networks, for pseudo-labels and results
            (`ttpose.inference.onnx_ensemble`).
        skeleton: As for `predict`.
        progress: Receives progress.

    Raises:
        UsageError: Unknown preset, mode, subject or device.
        InputError, NoPersonError, WeightsError: See there.
    """
    from ttpose.adaptation.session import PersonalizationSession
    from ttpose.adaptation.settings import preset_named

    settings = settings or preset_named(preset, mode=mode, steps=steps, seed=seed)
    settings = _with_inference(settings, ensemble_files, skeleton)
    session = PersonalizationSession.begin(settings, device, base, person, progress)
    media = open_source(source, Reading(fps, stream, slow_motion, capture_fps, time_range))
    said = session.corrections(_as_given(corrections), media)
    estimate = session.estimate([media], len(said or ()))
    seen = session.observe(media, subject, corrections=said, estimate=estimate)
    if session.settings.mode == "online":
        return session.online(seen)
    return session.predict(seen, session.learn([seen]))


def personalize_people(
    source: Path | str,
    *,
    people: int | str = "all",
    preset: str = "balanced",
    mode: Mode = "offline",
    steps: int | None = None,
    subject: str = "auto",
    fps: float | None = None,
    capture_fps: float | None = None,
    slow_motion: float | None = None,
    time_range: tuple[float, float] | None = None,
    stream: int | None = None,
    device: str = "auto",
    seed: int = 0,
    base: Base = None,
    settings: PersonalizeSettings | None = None,
    ensemble_files: Sequence[Path | str] = (),
    skeleton: str | None = None,
    progress: Progress | None = None,
) -> PersonalizedPeople:
    """Fine-tune the model on each of several people in one clip, on their own frames, and predict all of them.

    Args:
        source: Video or image file.
        people: How many, the subject first, or "all". Of somebody in fewer than ten frames nothing is learned.
        preset, mode, steps, subject, fps, capture_fps, slow_motion, time_range, stream, device, seed, base, settings,
            ensemble_files, skeleton, progress: As for `personalize`.

    Raises:
        UsageError, InputError, NoPersonError, WeightsError: As `personalize`.
        TooFewPeopleError: There are fewer than `people`.
    """
    from ttpose.adaptation import everyone
    from ttpose.adaptation.session import PersonalizationSession
    from ttpose.adaptation.settings import preset_named

    count = parse_people(people)
    settings = settings or preset_named(preset, mode=mode, steps=steps, seed=seed)
    settings = _with_inference(settings, ensemble_files, skeleton)
    session = PersonalizationSession.begin(settings, device, base, None, progress)
    media = open_source(source, Reading(fps, stream, slow_motion, capture_fps, time_range))
    return everyone.personalize_people(session, media, subject, count)


def personalize_many(
    sources: Sequence[Path | str],
    *,
    preset: str = "balanced",
    steps: int | None = None,
    subject: str | Mapping[str, str] = "auto",
    fps: float | None = None,
    capture_fps: float | None = None,
    slow_motion: float | None = None,
    time_range: tuple[float, float] | None = None,
    stream: int | None = None,
    device: str = "auto",
    seed: int = 0,
    base: Base = None,
    person: Path | str | None = None,
    corrections: Mapping[Path | str, Path | str | Corrections] | None = None,
    settings: PersonalizeSettings | None = None,
    ensemble_files: Sequence[Path | str] = (),
    skeleton: str | None = None,
    on_bad: OnBad | None = None,
    progress: Progress | None = None,
) -> list[Personalization]:
    """Fine-tune the model on several clips and photos of one and the same person, and predict each with the result.

    Args:
        sources: Video and image files, all of the same person; one that is named twice counts once.
        preset, steps, subject, fps, capture_fps, slow_motion, time_range, stream, device, seed, base, person, settings,
            ensemble_files, skeleton, progress: As for `personalize`; `subject` is looked for in each source, or by the
            source's path another in each.
        corrections: By the source that they are about, each as for `personalize`.
        on_bad: Receives a source that cannot be used, and the others go on; None raises.

    Returns:
        For each source that could be used, in order, its keypoints, with the person, the guard and the history that
        all have in common.

    Raises:
        UsageError: As `personalize`, or no source, or settings for online learning.
        InputError, NoPersonError, WeightsError: See there; with `on_bad` only if no source can be used.
    """
    shared = learn_person(
        sources, preset=preset, steps=steps, subject=subject, fps=fps, capture_fps=capture_fps, slow_motion=slow_motion,
        time_range=time_range, stream=stream, device=device, seed=seed, base=base, person=person,
        corrections=corrections, settings=settings, ensemble_files=ensemble_files, skeleton=skeleton,
        on_bad=on_bad, progress=progress,
    )  # fmt: skip
    several, receiver = len(shared.sources) > 1, progress or Progress()
    return [shared.predict(path, Named(receiver, path.name) if several else receiver) for path in shared.sources]


def learn_person(
    sources: Sequence[Path | str],
    *,
    preset: str = "balanced",
    steps: int | None = None,
    subject: str | Mapping[str, str] = "auto",
    fps: float | None = None,
    capture_fps: float | None = None,
    slow_motion: float | None = None,
    time_range: tuple[float, float] | None = None,
    stream: int | None = None,
    device: str = "auto",
    seed: int = 0,
    base: Base = None,
    person: Path | str | None = None,
    corrections: Mapping[Path | str, Path | str | Corrections] | None = None,
    settings: PersonalizeSettings | None = None,
    ensemble_files: Sequence[Path | str] = (),
    skeleton: str | None = None,
    learned: Path | str | None = None,
    on_bad: OnBad | None = None,
    progress: Progress | None = None,
) -> SharedPerson:
    """The first half of `personalize_many`: learn from all sources together; the result predicts each when asked to.

    Args:
        sources: As for `personalize_many`, with all options of the same name.
        learned: The person file that came of learning the same before; then nothing is learned, and `sources` may be
            empty.

    Raises:
        UsageError, InputError, NoPersonError, WeightsError: As `personalize_many`.
    """
    from ttpose.adaptation.same_person import SharedPerson
    from ttpose.adaptation.session import PersonalizationSession
    from ttpose.adaptation.settings import preset_named
    from ttpose.adaptation.weights import PersonalizedWeights

    settings = settings or preset_named(preset, steps=steps, seed=seed)
    settings = _with_inference(settings, ensemble_files, skeleton)
    if not sources and learned is None:
        raise UsageError("no input was given", "name videos and photos of the person")
    if settings.mode == "online":
        raise UsageError("online learning takes one input at a time")
    session, reading = (
        PersonalizationSession.begin(settings, device, base, person, progress),
        Reading(fps, stream, slow_motion, capture_fps, time_range),
    )
    said = {Path(path): given for path, each in (corrections or {}).items() if (given := _as_given(each)) is not None}
    if learned is not None:
        return SharedPerson(session, PersonalizedWeights.load(Path(learned), session.base), subject, {}, reading, said)
    return SharedPerson.learn(session, [*dict.fromkeys(map(Path, sources))], subject, on_bad, reading, said)


def _with_inference(
    settings: PersonalizeSettings, ensemble_files: Sequence[Path | str], skeleton: str | None
) -> PersonalizeSettings:
    """The settings with further networks in the ensemble, and for results of a keypoint set."""
    return replace(settings, refine=with_skeleton(with_ensemble_files(settings.refine, ensemble_files), skeleton))


def _as_given(corrections: Path | str | Corrections | None) -> Path | Corrections | None:
    return Path(corrections) if isinstance(corrections, str) else corrections


def _predict_photo(
    media: Source, loaded: LoadedModel, detector: PersonDetector, settings: RefineSettings
) -> KeypointResult:
    image = next(iter(media.frames())).image
    boxes = [] if image is None else find_people(image, detector)
    people = []
    if image is not None:
        people = predict_people(image, boxes, loaded.follows, detector, settings, loaded.model)
    if not people:
        raise NoPersonError(f"{media.info.path}: no person was found", "a larger or brighter view of the person helps")
    persons = tuple(PersonRecord(i + 1, person.box, person.keypoints) for i, person in enumerate(people))
    skeleton = settings.output_skeleton(loaded.model.skeleton)
    return clip_result(media, loaded, [FrameRecord(0, 0.0, persons)], skeleton=skeleton)
