"""A pass over a clip's sampled frames: who is in it, in pieces joined as far as that is certain."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ttpose.core.progress import Progress
from ttpose.tracking.appearance import appearance_of
from ttpose.tracking.detector import Detector
from ttpose.tracking.search import Searcher, is_alone
from ttpose.tracking.settings import TrackSettings
from ttpose.tracking.shots import Thumbnail, is_cut
from ttpose.tracking.subject import Person, Scene, join
from ttpose.tracking.tracklets import Linker

if TYPE_CHECKING:
    from ttpose.media import Source, SourceInfo


@dataclass(frozen=True)
class Survey:
    """What a pass over the clip's samples found.

    Attributes:
        people: In order of appearance.
        samples: Numbers of the frames that were looked at.
        shots: Of each of them, counted from 0.
        width, height: Of the last one, in pixels.
        step: How many frames lie between two samples.
    """

    people: list[Person]
    samples: list[int]
    shots: list[int]
    width: int
    height: int
    step: int

    def scene(self, settings: TrackSettings) -> Scene:
        """What choosing among the people needs to know."""
        return Scene(self.width, self.height, self.samples, settings.bridge_s)

    def frames_in(self, known: int | None) -> int:
        """How many frames the clip has, as far as is known."""
        last = self.samples[-1] if self.samples else 0
        return known if known is not None and known > last else last + self.step


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


def survey_people(
    source: Source, detector: Detector, min_score: float, progress: Progress, settings: TrackSettings
) -> Survey:
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
    return Survey(persons, samples, shots, width, height, step)
