"""Several people in one clip: each learned and guarded on frames of their own, from one decoding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ttpose.adaptation.observed_clip import ObservedClip
from ttpose.adaptation.session import Personalization, PersonalizationSession
from ttpose.adaptation.weights import PersonalizedWeights
from ttpose.core.progress import Named
from ttpose.media import Source
from ttpose.results import KeypointResult
from ttpose.results.seen import SeenPerson
from ttpose.results.together import together

#: Of somebody who is in fewer frames of a clip nothing is learned: there would be none to guard on.
FEWEST_FRAMES = 10
#: Nor of somebody whose keypoints score less in the mean: a spot in the background, or nobody (as in photos).
LEAST_SCORE = 0.2


@dataclass(frozen=True)
class PersonalizedPeople:
    """What personalizing on several people of a clip gave.

    Attributes:
        people: By number, each person's own result, whose keypoints hold that person alone (as id 1).
        learned: The numbers of those of whom something was learned.
        seen: Everybody in the clip.
    """

    people: dict[int, Personalization]
    learned: frozenset[int]
    seen: tuple[SeenPerson, ...]

    @property
    def keypoints(self) -> KeypointResult:
        """Everybody's keypoints in one result."""
        return self.combined(lambda made: made.keypoints)

    def combined(self, part: Callable[[Personalization], KeypointResult]) -> KeypointResult:
        """A part of everybody's results as one, listing for each person the guard's decision."""
        parts = {number: part(made) for number, made in self.people.items()}
        found = together(parts, self._listed())
        return replace(found, model={**found.model, "guard": None})

    def _listed(self) -> list[SeenPerson]:
        return [self._with_guard(person) if person.id in self.people else person for person in self.seen]

    def _with_guard(self, person: SeenPerson) -> SeenPerson:
        guard = self.people[person.id].guard
        if person.id in self.learned:
            return replace(person, weights={"person": None, "person_sha256": None, "guard": guard.to_dict()})
        return replace(person, note="; ".join(filter(None, (person.note, guard.reason))))


def personalize_people(
    session: PersonalizationSession, media: Source, subject: str, count: int | None
) -> PersonalizedPeople:
    """Learn each of several people on their own frames, and predict the clip with what was learned of each.

    Args:
        session: How; everybody starts from the same weights.
        media: The source, read once for everybody, and once more where it is long.
        subject: Number 1.
        count: How many people; None takes all.

    Raises:
        InputError: The source cannot be used.
    """
    clips = session.observe_people(media, subject, count, session.estimate([media]))
    seen = clips[0].seen or (_only(clips[0]),)
    short = {clip.number: reason for clip in clips if (reason := _not_learned(clip)) is not None}
    learning = [clip for clip in clips if clip.number not in short]
    if session.settings.mode == "online":
        made = {clip.number: _named(session, clip).online(clip) for clip in learning}
        rest = [clip for clip in clips if clip.number in short]
        made |= _predicted(session, rest, [session.unchanged(clip, short[clip.number]) for clip in rest])
    else:
        weights = [
            session.unchanged(clip, short[clip.number]) if clip.number in short else _named(session, clip).learn([clip])
            for clip in clips
        ]
        made = _predicted(session, clips, weights)
    return PersonalizedPeople(dict(sorted(made.items())), frozenset(clip.number for clip in learning), seen)


def _predicted(
    session: PersonalizationSession, clips: Sequence[ObservedClip], weights: Sequence[PersonalizedWeights]
) -> dict[int, Personalization]:
    made = session.predict_people(clips, weights) if clips else []
    return {clip.number: one for clip, one in zip(clips, made, strict=True)}


def _named(session: PersonalizationSession, clip: ObservedClip) -> PersonalizationSession:
    """The session, telling whose progress it is."""
    return replace(session, progress=Named(session.progress, f"person {clip.number}"))


def _not_learned(clip: ObservedClip) -> str | None:
    """Why nothing is learned of a person, or None; a photo is one frame for everybody."""
    frames = len(clip.clip.seen)
    if clip.media.info.kind == "image" or frames >= FEWEST_FRAMES:
        unsure = clip.clip.prediction is None or clip.clip.prediction.keypoints[..., 2].mean() < LEAST_SCORE
        return "hardly to be seen: not personalized" if unsure else None
    return f"in {frames} frames only, fewer than {FEWEST_FRAMES}: not personalized"


def _only(clip: ObservedClip) -> SeenPerson:
    """Somebody who is alone in a clip, as one of the people seen."""
    there = [frame for frame in clip.clip.seen if frame.crop_box is not None]
    assert there and there[0].crop_box is not None  # observing raises where nobody is
    return SeenPerson(1, True, len(there), there[0].index, there[-1].index, there[0].crop_box)
