"""Prediction of a file: a video's subject or people, or everybody in a photo; nothing is learned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ttpose.api.image import Base
from ttpose.core.errors import NoPersonError
from ttpose.core.progress import Progress
from ttpose.core.skeleton import COCO17_FEET
from ttpose.inference.onnx_ensemble import with_ensemble_files
from ttpose.inference.photos import find_people, predict_people
from ttpose.inference.refine.clip import fitted_refinement
from ttpose.inference.results import clip_result, report_damage
from ttpose.inference.settings import PHOTO_PRESET, VIDEO_PRESET, RefineSettings, refine_preset, with_skeleton
from ttpose.inference.video import predict_tracks
from ttpose.media import Reading, Source, open_source
from ttpose.models.device import choose_device
from ttpose.models.shipped import LoadedModel
from ttpose.people.weights import load_weights
from ttpose.results import FrameRecord, KeypointResult, PersonRecord
from ttpose.results.seen import seen_words
from ttpose.results.together import first_people, together
from ttpose.tracking.detector import PersonDetector
from ttpose.tracking.subject import parse_people
from ttpose.tracking.track import check_count, track_people


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
