"""The people of a clip, frame by frame: the one subject, or several with numbers that stay theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ttpose.core.errors import InputError, NoPersonError
from ttpose.core.geometry import Box
from ttpose.core.progress import Progress
from ttpose.media import Source
from ttpose.results.seen import SeenPerson
from ttpose.tracking.boxes import fill_boxes
from ttpose.tracking.detector import Detector, DetectorSettings
from ttpose.tracking.settings import TrackSettings
from ttpose.tracking.subject import Person, choose, importance, parse_subject, perhaps_again
from ttpose.tracking.survey import survey_people


@dataclass(frozen=True)
class SubjectTrack:
    """Where one person is.

    Attributes:
        boxes: The person's box in image pixels for each frame index, None where it is not known to be there. Boxes
            end a little outside the body, as labelled person boxes do.
        detected: For each frame index whether the detector saw the person in that very frame.
        people_seen: How many people were followed in the clip.
        person_id: The person's number among them, in order of appearance.
    """

    boxes: tuple[Box | None, ...]
    detected: tuple[bool, ...]
    people_seen: int
    person_id: int

    def box_at(self, index: int) -> Box | None:
        """The box of a frame; None for frames outside the track as well."""
        return self.boxes[index] if 0 <= index < len(self.boxes) else None


@dataclass(frozen=True)
class PeopleTracks:
    """Everybody in a clip, and where those are who were asked for.

    Attributes:
        tracks: Of the first people of `seen`.
        seen: All people; their ids count from 1 in this order.
    """

    tracks: tuple[SubjectTrack, ...]
    seen: tuple[SeenPerson, ...]

    @property
    def listed(self) -> tuple[SeenPerson, ...]:
        """Those whom a result lists: everybody, or nobody where there is only one person to speak of."""
        return self.seen if len(self.seen) > 1 else ()


class TooFewPeopleError(InputError):
    """More people were asked for than an input shows: wrong use, but of this input alone."""

    exit_code = 2


def track_subject(
    source: Source,
    detector: Detector,
    *,
    subject: str = "auto",
    min_score: float = DetectorSettings.min_score,
    progress: Progress | None = None,
    settings: TrackSettings | None = None,
) -> SubjectTrack:
    """Find the people of a clip, choose one, and say where that person is in each frame; as `track_people` for one."""
    found = track_people(
        source, detector, count=1, subject=subject, min_score=min_score, progress=progress, settings=settings
    )
    return found.tracks[0]


def track_people(
    source: Source,
    detector: Detector,
    *,
    count: int | None = 1,
    subject: str = "auto",
    min_score: float = DetectorSettings.min_score,
    progress: Progress | None = None,
    settings: TrackSettings | None = None,
) -> PeopleTracks:
    """Find the people of a clip, number them, and say where the first `count` of them are in each frame.

    Args:
        source: A video or image.
        detector: Usually a `PersonDetector`.
        count: How many; None takes all.
        subject: Number 1: "auto" (area × duration × continuity), "largest", "center", or "X,Y": a point on the person
            in the first frame, in pixels. The others follow by area × duration × continuity.
        min_score: A person is followed once found with at least this score, 0..1.
        progress: Is told of the stage "finding the subject", counted in frames.
        settings: Numbers of sampling, linking and joining.

    Raises:
        UsageError: `subject` is malformed.
        NoPersonError: Nobody was found in the whole clip, or nobody is at the point.
        TooFewPeopleError: There are fewer than `count`.
    """
    rule = parse_subject(subject)
    settings = settings or TrackSettings()
    survey = survey_people(source, detector, min_score, progress or Progress(), settings)
    if not survey.people:
        raise NoPersonError(
            f"{source.info.path}: no person was found",
            "a larger or brighter view of the person helps" if survey.samples else "no frame could be read",
        )
    scene = survey.scene(settings)
    first = choose(survey.people, rule, scene)
    rest = [person for person in survey.people if person is not first]
    ordered = [first, *sorted(rest, key=lambda person: -importance(person, scene))]
    check_count(count, len(ordered), source)
    wanted = len(ordered) if count is None else count
    total = survey.frames_in(source.info.frames)
    tracks, seen = [], []
    for number, person in enumerate(ordered, start=1):
        boxes, detected = fill_boxes(person.sightings, survey, total, settings)
        seen.append(_seen(number, person, ordered, boxes, number <= wanted, settings))
        if number <= wanted:
            tracks.append(SubjectTrack(boxes, detected, len(ordered), survey.people.index(person)))
    return PeopleTracks(tuple(tracks), tuple(seen))


def check_count(count: int | None, there: int, source: Source) -> None:
    """Refuse to look for more people than there are; raises TooFewPeopleError."""
    if count is not None and count > there:
        seen = "only 1 person was" if there == 1 else f"only {there} people were"
        raise TooFewPeopleError(f"{source.info.path}: --people {count}, but {seen} seen", "use --people all")


def _seen(
    number: int,
    person: Person,
    people: Sequence[Person],
    boxes: Sequence[Box | None],
    followed: bool,
    settings: TrackSettings,
) -> SeenPerson:
    there = [index for index, box in enumerate(boxes) if box is not None]
    box = next(box for box in boxes if box is not None)
    before = perhaps_again(person, people, settings)
    note = None if before is None else f"perhaps number {people.index(before) + 1} again"
    return SeenPerson(number, followed, len(there), there[0], there[-1], box, note)
