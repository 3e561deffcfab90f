"""Who was seen in a clip: the people whose keypoints a result holds, and those whom nobody asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ttpose.core.geometry import Box

_MOST_NAMED = 3  # others whom the note about a clip names one by one


@dataclass(frozen=True)
class SeenPerson:
    """One of the people of a clip.

    Attributes:
        id: From 1: the subject first, then the others by how much of the clip they fill.
        followed: Whether the result holds this person's keypoints.
        frames: In how many frames the person was found (where not followed: is known to be).
        first_frame, last_frame: From where to where the person is in the clip.
        box: In the first of these frames, in pixels.
        note: One line, or None: who this may be, or why nothing was learned.
        weights: Of a person who was learned for himself: `person` and `person_sha256` as in a keypoint file's model,
            and `guard`; None where the result's model holds for everybody.
    """

    id: int
    followed: bool
    frames: int
    first_frame: int
    last_frame: int
    box: Box
    note: str | None = None
    weights: dict[str, Any] | None = None

    @property
    def point(self) -> str:
        """The middle of the box, as `--subject` takes it."""
        x, y = self.box.center
        return f"{x:.0f},{y:.0f}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values, but for numpy ones in `weights`."""
        record: dict[str, Any] = {
            "id": self.id,
            "followed": self.followed,
            "frames": self.frames,
            "first_frame": self.first_frame,
            "last_frame": self.last_frame,
            "box": [round(float(value), 2) for value in self.box.as_list()],
        }
        if self.note is not None:
            record["note"] = self.note
        return record if self.weights is None else {**record, **self.weights}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> SeenPerson:
        """The inverse of `to_dict`; raises KeyError, TypeError or ValueError on anything else."""
        x, y, width, height = (float(value) for value in data["box"])
        weights: dict[str, Any] = {name: data[name] for name in ("person", "person_sha256", "guard") if name in data}
        return cls(
            int(data["id"]),
            bool(data["followed"]),
            int(data["frames"]),
            int(data["first_frame"]),
            int(data["last_frame"]),
            Box(x, y, width, height),
            None if data.get("note") is None else str(data["note"]),
            weights or None,
        )


def seen_words(people: Sequence[SeenPerson]) -> str | None:
    """How many people were seen, which of them are followed, and how to choose others; None for one or none."""
    others = [person for person in people if not person.followed]
    if len(people) < 2:
        return None
    if not others:
        return f"{len(people)} people were seen, and all are followed: {_listed(people)}"
    chosen = [person for person in people if person.followed]
    followed = "number 1 is" if len(chosen) == 1 else f"numbers 1 to {len(chosen)} are"
    text = f"{len(people)} people were seen; {followed} followed, {_listed(chosen)}"
    at_start = [person for person in others if person.first_frame == 0]
    named = " or ".join(person.point for person in at_start[:_MOST_NAMED])
    other = f", --subject {named} somebody else" if named else ""
    return f"{text}; --people all takes all{other}"


def _listed(people: Sequence[SeenPerson]) -> str:
    named = [_where(person, len(people) > 1) for person in people[: _MOST_NAMED + 1]]
    more = len(people) - len(named)
    return "; ".join(named) + (f"; and {more} more" if more else "")


def _where(person: SeenPerson, numbered: bool) -> str:
    number = f"number {person.id} " if numbered else ""
    note = f" ({person.note})" if person.note else ""
    return f"{number}at {person.point} in frame {person.first_frame}{note}"
