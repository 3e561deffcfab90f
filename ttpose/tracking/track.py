"""The one subject of a clip, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ttpose.core.errors import NoPersonError
from ttpose.core.geometry import Box
from ttpose.core.progress import Progress
from ttpose.tracking.appearance import appearance_of
from ttpose.tracking.detector import Detector, DetectorSettings
from ttpose.tracking.search import Searcher, is_alone
from ttpose.tracking.settings import TrackSettings
from ttpose.tracking.shots import Thumbnail, is_cut
from ttpose.tracking.subject import Person, Scene, choose, join, parse_subject
from ttpose.tracking.tracklets import Linker, Sighting

if TYPE_CHECKING:
    from ttpose.media import Source, SourceInfo


@dataclass(frozen=True)
class SubjectTrack:
    """Where the subject is.

    Attributes:
        boxes: The subject's box in image pixels for each frame index, None where it is not known to be there. Boxes
            end a little outside the body, as labelled person boxes do.
        detected: For each frame index whether the detector saw the subject in that very frame.
        people_seen: How many people were followed in the clip.
        person_id: The subject's number among them, in order of appearance.
    """

    boxes: tuple[Box | None, ...]
    detected: tuple[bool, ...]
    people_seen: int
    person_id: int

    def box_at(self, index: int) -> Box | None:
        """The box of a frame; None for frames outside the track as well."""
        return self.boxes[index] if 0 <= index < len(self.boxes) else None


@dataclass(frozen=True)
class _Survey:
    """What a pass over the clip's samples found."""

    people: list[Person]
    samples: list[int]
    shots: list[int]
    width: int
    height: int
    step: int


def track_subject(
    source: Source,
    detector: Detector,
    *,
    subject: str = "auto",
    min_score: float = DetectorSettings.min_score,
    progress: Progress | None = None,
    settings: TrackSettings | None = None,
) -> SubjectTrack:
    """Find the people of a clip, choose one, and say where that person is in each frame.

    Args:
        source: A video or image.
        detector: Usually a `PersonDetector`.
        subject: "auto" (area × duration × continuity), "largest", "center", or "X,Y": a point on the person in the
            first frame, in pixels.
        min_score: A person is followed once found with at least this score, 0..1.
        progress: Is told of the stage "finding the subject", counted in frames.
        settings: Numbers of sampling, linking and joining.

    Raises:
        UsageError: `subject` is malformed.
        NoPersonError: Nobody was found in the whole clip, or nobody is at the point.
    """
    rule = parse_subject(subject)
    settings = settings or TrackSettings()
    survey = _survey(source, detector, min_score, progress or Progress(), settings)
    if not survey.people:
        raise NoPersonError(
            f"{source.info.path}: no person was found",
            "a larger or brighter view of the person helps" if survey.samples else "no frame could be read",
        )
    scene = Scene(survey.width, survey.height, survey.samples, settings.bridge_s)
    chosen = choose(survey.people, rule, scene)
    known = source.info.frames or 0
    total = known if known > survey.samples[-1] else survey.samples[-1] + survey.step
    boxes, detected = _fill(chosen.sightings, survey, total, settings)
    return SubjectTrack(boxes, detected, len(survey.people), survey.people.index(chosen))


def sampling_step(info: SourceInfo, settings: TrackSettings) -> int:
    """How many frames apart people are looked for, at least 1."""
    if info.kind == "image":
        return 1
    fps = info.fps or 30.0
    frames = info.frames or round((info.duration_s or 60.0) * fps)
    step = min(round(fps / settings.per_second), frames // settings.least_samples)
    if frames > step * settings.most_samples:
        step = min(-(-frames // settings.most_samples), round(fps / settings.least_per_second))
    return max(step, 1)


def _survey(
    source: Source, detector: Detector, min_score: float, progress: Progress, settings: TrackSettings
) -> _Survey:
    """Pass over the sampled frames once; only boxes and colours are kept."""
    step = sampling_step(source.info, settings)
    settings = replace(settings, keep_score=min(settings.keep_score, min_score))
    searcher, linker = Searcher(detector, settings), Linker(settings, min_score)
    samples: list[int] = []
    shots: list[int] = []
    width, height = source.info.width, source.info.height
    before: Thumbnail | None = None
    with progress.stage("finding the subject", source.info.frames) as advance:
        passed = 0
        for frame in source.frames(step):
            advance(frame.index + 1 - passed)
            passed = frame.index + 1
            if frame.image is None:
                continue
            height, width = frame.image.shape[:2]
            thumbnail = Thumbnail.of(frame.image)
            people = searcher.search(frame.image, frame.time_s, linker.active)
            appearances = [
                appearance_of(frame.image, person.box) if is_alone(i, people, min_score) else None
                for i, person in enumerate(people)
            ]
            cut = before is not None and is_cut(before, thumbnail) and not linker.recognises(people, appearances)
            before = thumbnail
            if cut:
                linker.cut()
            samples.append(frame.index)
            shots.append((shots[-1] if shots else 0) + cut)
            linker.add(frame.index, frame.time_s, shots[-1], people, appearances)
        advance(max(getattr(source, "passed", 0) - passed, 0))  # those after the last sample
    linker.cut()
    persons = join(linker.finished, settings)
    if len(samples) >= settings.least_samples:
        # Seen once in a clip's many samples: a mistake of the detector, or nobody to follow.
        persons = [p for p in persons if len(p.sightings) > 1]
    return _Survey(persons, samples, shots, width, height, step)


def _fill(
    sightings: Sequence[Sighting], survey: _Survey, total: int, settings: TrackSettings
) -> tuple[tuple[Box | None, ...], tuple[bool, ...]]:
    """Boxes for all frames from those of the sampled ones."""
    boxes: list[Box | None] = [None] * total
    detected = [False] * total
    shot_of = dict(zip(survey.samples, survey.shots, strict=True))
    position = {index: number for number, index in enumerate(survey.samples)}
    runs: list[list[Sighting]] = [[sightings[0]]]
    for a, b in pairwise(sightings):
        near = b.time - a.time <= settings.bridge_s or position[b.frame] - position[a.frame] == 1
        if near and shot_of[a.frame] == shot_of[b.frame]:
            runs[-1].append(b)
        else:
            runs.append([b])
    for run in runs:
        start, stop = _reach(run[0].frame, run[-1].frame, survey, total)
        for index, box in zip(range(start, stop), _carry(run, range(start, stop)), strict=True):
            boxes[index] = box.with_margin(settings.margin_share)
        for sighting in run:
            detected[sighting.frame] = True
    return tuple(boxes), tuple(detected)


def _reach(first: int, last: int, survey: _Survey, total: int) -> tuple[int, int]:
    """Frames [start, stop) that a run stands for.

    It goes half-way to the samples in which the subject was no longer found, to the clip's ends if there are none
    left, and not beyond its own samples where another shot begins: the cut may be in any of the frames between.
    """
    samples, shots = survey.samples, survey.shots
    start, stop = first, last + 1
    before, after = samples.index(first) - 1, samples.index(last) + 1
    if before < 0:
        start = max(0, first - survey.step)
    elif shots[before] == shots[before + 1]:
        start = first - (first - samples[before]) // 2
    if after == len(samples):
        stop = min(total, max(last + survey.step, total - survey.step))
    elif shots[after] == shots[after - 1]:
        stop = last + (samples[after] - last) // 2 + 1
    return start, stop


def _carry(run: Sequence[Sighting], frames: range) -> list[Box]:
    """Boxes at `frames` from the sightings: centres on a smooth curve through them, sizes changing evenly."""
    at = np.array([s.frame for s in run], float)
    centers = np.array([s.box.center for s in run])
    sizes = np.log([[max(s.box.width, 1e-3), max(s.box.height, 1e-3)] for s in run])
    when = np.clip(np.array(frames, float), at[0], at[-1])
    if len(run) == 1:
        where, extent = centers.repeat(len(when), axis=0), sizes.repeat(len(when), axis=0)
    else:
        where = _hermite(at, centers, when)
        extent = np.stack([np.interp(when, at, sizes[:, axis]) for axis in range(2)], axis=1)
    return [
        Box(x - w / 2, y - h / 2, w, h) for (x, y), (w, h) in zip(where.tolist(), np.exp(extent).tolist(), strict=True)
    ]


def _hermite(at: np.ndarray, values: np.ndarray, when: np.ndarray) -> np.ndarray:
    """Cubic curve through values [N, D] at times [N]; its slope at each is that between the two neighbours."""
    slopes = np.gradient(values, at, axis=0)
    left = np.clip(np.searchsorted(at, when, side="right") - 1, 0, len(at) - 2)
    span = (at[left + 1] - at[left])[:, None]
    t = (when[:, None] - at[left][:, None]) / span
    return (
        (2 * t**3 - 3 * t**2 + 1) * values[left]
        + (t**3 - 2 * t**2 + t) * span * slopes[left]
        + (3 * t**2 - 2 * t**3) * values[left + 1]
        + (t**3 - t**2) * span * slopes[left + 1]
    )
