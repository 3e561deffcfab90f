"""What a notebook user calls; the command line is built on exactly this."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ttpose.adaptation.learned import PersonalizedWeights
from ttpose.adaptation.same_person import OnBad, SharedPerson
from ttpose.adaptation.session import Personalization, PersonalizationSession
from ttpose.adaptation.settings import Mode, PersonalizeSettings, preset_named
from ttpose.adaptation.sources import clip_result, records_of, report_damage
from ttpose.core.errors import InputError, NoPersonError, UsageError
from ttpose.core.geometry import Box
from ttpose.core.memory import keep_freed_memory
from ttpose.core.progress import Named, Progress
from ttpose.core.skeleton import Skeleton
from ttpose.evaluation.clips import evaluate_clips
from ttpose.evaluation.report import EvaluationReport
from ttpose.inference.asked import asked, ensemble_for, photo_keypoints
from ttpose.inference.ensemble import EnsembleMember
from ttpose.inference.follow import follow_subject, gather
from ttpose.inference.refine.rescoring import can_rescore
from ttpose.media import Source, open_source
from ttpose.models.device import choose_device
from ttpose.models.predictor import Predictor
from ttpose.models.shipped import LoadedModel
from ttpose.people.weights import load_weights
from ttpose.report.overlay import write_overlay, write_side_by_side
from ttpose.report.page import write_report
from ttpose.results import FrameRecord, KeypointResult, PersonRecord
from ttpose.tracking.box_correction import refine_box
from ttpose.tracking.detector import PersonDetector
from ttpose.tracking.track import track_subject

__all__ = [
    "EvaluationReport", "Personalization", "Pose", "SharedPerson", "evaluate_clips", "learn_person", "load_model",
    "personalize", "personalize_many", "predict", "write_overlay", "write_report", "write_side_by_side",
]  # fmt: skip

_MOST_PEOPLE = 20  # in one photo; a crowd is nobody's personalization


class Pose:
    """A model for single images: `load_model().predict(image_rgb)`.

    Args:
        loaded: The weights.
    """

    def __init__(self, loaded: LoadedModel) -> None:
        self.loaded = loaded
        self._predictor = Predictor(loaded.model)
        self._finder: PersonDetector | None = None

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
        self._finder = self._finder or PersonDetector.load(str(self.loaded.model.device))
        people = self._finder.find([image])[0]
        if not people:
            raise NoPersonError("no person was found in the image", "give a box")
        return max((p.box for p in people), key=lambda b: b.area)


def load_model(path: Path | str | None = None, device: str = "auto", *, base: Path | str | None = None) -> Pose:
    """A model for single images.

    Args:
        path: Base file, person file, or name in the person library; None takes the base.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        base: The base that the person was made on; None takes the shipped one.

    Raises:
        WeightsError: Missing, damaged, or a person of another base.
        UsageError: Unknown device, two bases, or a person in the place of the base.
    """
    return Pose(load_weights(path, choose_device(device), base=base))


def predict(
    source: Path | str,
    *,
    weights: Path | str | None = None,
    base: Path | str | None = None,
    subject: str | None = None,
    ensemble: bool = False,
    device: str = "auto",
    progress: Progress | None = None,
) -> KeypointResult:
    """Keypoints of a video's one subject, or of everybody in a photo.

    Args:
        source: Video or image file.
        weights: Person file, name in the person library, or base file; None takes the base.
        base: The base that the person was made on; None takes the shipped one.
        subject: "auto", "largest", "center" or "X,Y"; None takes "auto" in a video and everybody in a photo.
        ensemble: Whether a second network is asked, too: better keypoints in about twice the time.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        progress: Receives progress.

    Raises:
        InputError: The file cannot be read.
        NoPersonError: Nobody in the whole file.
        UsageError, WeightsError: As `load_model`; or a second opinion beside weights that it does not go with.
    """
    keep_freed_memory()
    progress = progress or Progress()
    loaded, media = load_weights(weights, choose_device(device), base=base), open_source(source)
    second = ensemble_for(loaded.model) if ensemble else None
    detector = PersonDetector.load(str(loaded.model.device))
    if media.info.kind == "image" and subject is None:
        return _predict_photo(media, loaded, detector, second)
    track = track_subject(media, detector, subject=subject or "auto", progress=progress)
    with progress.stage("predict", media.info.frames) as advance:
        seen = follow_subject(media, track, loaded.model, detector, advance, crops=second is not None)
        frames = list(seen if second is None else asked(seen, second))
    report_damage(media, progress)
    settings = PersonalizeSettings(rescore=can_rescore(loaded.model.config))
    return clip_result(media, loaded, records_of(frames, gather(frames), loaded.model.skeleton, settings))


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
    person: Path | str | None = None,
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
        person: An earlier personalization of the same person to continue from: a person file, or a name in the
            person library. The result holds the changes of both.
        settings: Instead of preset, mode, steps and seed, such as `ttpose.adaptation.methods.method_named("tent")`.
        progress: Receives progress.

    Raises:
        UsageError: Unknown preset, mode, subject or device.
        InputError, NoPersonError, WeightsError: See there.
    """
    settings = settings or preset_named(preset, mode=mode, steps=steps, seed=seed)
    run = PersonalizationSession.begin(settings, device, base, person, progress)
    seen = run.look_at(open_source(source), subject)
    return run.online(seen) if run.settings.mode == "online" else run.predict(seen, run.learn([seen]))


def personalize_many(
    sources: Sequence[Path | str],
    *,
    preset: str = "balanced",
    steps: int | None = None,
    subject: str = "auto",
    device: str = "auto",
    seed: int = 0,
    base: Path | str | None = None,
    person: Path | str | None = None,
    settings: PersonalizeSettings | None = None,
    on_bad: OnBad | None = None,
    progress: Progress | None = None,
) -> list[Personalization]:
    """Fine-tune the model on several clips and photos of one and the same person, and predict each with the result.

    Args:
        sources: Video and image files, all of the same person; one that is named twice counts once.
        preset, steps, subject, device, seed, base, person, settings, progress: As for `personalize`; `subject` is
            looked for in each source.
        on_bad: Hears of a source that cannot be used, and the others go on; None raises.

    Returns:
        For each source that could be used, in order, its keypoints, with the person, the guard and the history that
        all have in common.

    Raises:
        UsageError: As `personalize`, or no source, or settings for online learning.
        InputError, NoPersonError, WeightsError: See there; with `on_bad` only if no source can be used.
    """
    shared = learn_person(
        sources, preset=preset, steps=steps, subject=subject, device=device, seed=seed, base=base, person=person,
        settings=settings, on_bad=on_bad, progress=progress,
    )  # fmt: skip
    several, hears = len(shared.sources) > 1, progress or Progress()
    return [shared.predict(path, Named(hears, path.name) if several else hears) for path in shared.sources]


def learn_person(
    sources: Sequence[Path | str],
    *,
    preset: str = "balanced",
    steps: int | None = None,
    subject: str = "auto",
    device: str = "auto",
    seed: int = 0,
    base: Path | str | None = None,
    person: Path | str | None = None,
    settings: PersonalizeSettings | None = None,
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
    settings = settings or preset_named(preset, steps=steps, seed=seed)
    if not sources and learned is None:
        raise UsageError("no input was given", "name videos and photos of the person")
    if settings.mode == "online":
        raise UsageError("online learning takes one input at a time")
    run = PersonalizationSession.begin(settings, device, base, person, progress)
    if learned is not None:
        return SharedPerson(run, PersonalizedWeights.load(Path(learned), run.base), subject, {})
    return SharedPerson.learn(run, [*dict.fromkeys(map(Path, sources))], subject, on_bad)


def _predict_photo(
    media: Source, loaded: LoadedModel, detector: PersonDetector, second: EnsembleMember | None
) -> KeypointResult:
    frame = next(iter(media.frames()))
    people = detector.find([frame.image])[0] if frame.image is not None else []
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
    if second is None:
        found = predictor.predict(frame.image, boxes)
    else:
        found = photo_keypoints(loaded.model, frame.image, boxes, second)
    persons = tuple(PersonRecord(i + 1, b, k) for i, (b, k) in enumerate(zip(boxes, found, strict=True)))
    return clip_result(media, loaded, [FrameRecord(0, 0.0, persons)])
