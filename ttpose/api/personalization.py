"""Personalization of one clip, of several people in it, or of one person in several clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ttpose.api.image import Base
from ttpose.core.errors import UsageError
from ttpose.core.progress import Named, Progress
from ttpose.corrections.model import Corrections
from ttpose.inference.onnx_ensemble import with_ensemble_files
from ttpose.inference.settings import with_skeleton
from ttpose.media import Reading, open_source
from ttpose.tracking.subject import parse_people

if TYPE_CHECKING:
    from ttpose.adaptation.everyone import PersonalizedPeople
    from ttpose.adaptation.same_person import OnBad, SharedPerson
    from ttpose.adaptation.session import Personalization
    from ttpose.adaptation.settings import Mode, PersonalizeSettings


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

    settings = _chosen(settings, preset, mode, steps, seed, ensemble_files, skeleton)
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

    count = parse_people(people)
    settings = _chosen(settings, preset, mode, steps, seed, ensemble_files, skeleton)
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
    from ttpose.adaptation.weights import PersonalizedWeights

    settings = _chosen(settings, preset, "offline", steps, seed, ensemble_files, skeleton)
    if not sources and learned is None:
        raise UsageError("no input was given", "name videos and photos of the person")
    if settings.mode == "online":
        raise UsageError("online learning takes one input at a time")
    session = PersonalizationSession.begin(settings, device, base, person, progress)
    reading = Reading(fps, stream, slow_motion, capture_fps, time_range)
    said = {Path(path): given for path, each in (corrections or {}).items() if (given := _as_given(each)) is not None}
    if learned is not None:
        return SharedPerson(session, PersonalizedWeights.load(Path(learned), session.base), subject, {}, reading, said)
    return SharedPerson.learn(session, [*dict.fromkeys(map(Path, sources))], subject, on_bad, reading, said)


def _chosen(
    settings: PersonalizeSettings | None,
    preset: str,
    mode: Mode,
    steps: int | None,
    seed: int,
    ensemble_files: Sequence[Path | str],
    skeleton: str | None,
) -> PersonalizeSettings:
    """The settings, or the preset's, with further networks in the ensemble, and for results of a keypoint set."""
    from ttpose.adaptation.settings import preset_named

    found = settings or preset_named(preset, mode=mode, steps=steps, seed=seed)
    return replace(found, refine=with_skeleton(with_ensemble_files(found.refine, ensemble_files), skeleton))


def _as_given(corrections: Path | str | Corrections | None) -> Path | Corrections | None:
    return Path(corrections) if isinstance(corrections, str) else corrections
