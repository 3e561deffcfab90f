"""Several people of one clip in one result, and one of several people's alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ttpose.results.records import FrameRecord, KeypointResult
from ttpose.results.seen import SeenPerson

#: The note on a frame in which a person should be and is not found, or is not expected at all.
NOT_FOUND = "the person was not found"


def together(results: Mapping[int, KeypointResult], people: Sequence[SeenPerson]) -> KeypointResult:
    """One result with everybody in it.

    Args:
        results: By id each person's own result, of the same frames, with at most one person a frame; at least one.
        people: Everybody who was seen.

    Returns:
        The first person's result with all people. What the notes say of one person names the person; how many frames
        somebody is in is counted anew.
    """
    ids, first = list(results), next(iter(results.values()))
    frames = [
        _frame(dict(zip(ids, records, strict=True)))
        for records in zip(*(result.frames for result in results.values()), strict=True)
    ]
    return replace(first, frames=frames, people=tuple(_counted(person, frames) for person in people))


def _counted(person: SeenPerson, frames: Sequence[FrameRecord]) -> SeenPerson:
    if not person.followed:
        return person
    there = sum(any(one.id == person.id for one in frame.people) for frame in frames)
    return replace(person, frames=there)


def _frame(records: Mapping[int, FrameRecord]) -> FrameRecord:
    first = next(iter(records.values()))
    there = tuple(replace(person, id=number) for number, record in records.items() for person in record.people)
    # That somebody is not in a frame needs no note as long as others are, unless it says more.
    parts = {number: _parts(record) for number, record in records.items()}
    told = {n: [part for part in said if not (there and part == NOT_FOUND)] for n, said in parts.items()}
    common = [part for part in next(iter(told.values())) if all(part in parts for parts in told.values())]
    own = [f"number {number}: {part}" for number, parts in told.items() for part in parts if part not in common]
    return FrameRecord(first.index, first.time_s, there, "; ".join([*common, *own]) or None)


def _parts(record: FrameRecord) -> list[str]:
    return record.note.split("; ") if record.note else []


def ids_of(result: KeypointResult) -> list[int]:
    """The ids of the people in a result's frames, in order."""
    return sorted({person.id for frame in result.frames for person in frame.people})


def alone(result: KeypointResult, number: int) -> KeypointResult:
    """The result with one person's records only."""
    frames = [
        replace(frame, people=tuple(person for person in frame.people if person.id == number))
        for frame in result.frames
    ]
    return replace(result, frames=frames)


def first_people(photo: KeypointResult, count: int | None) -> KeypointResult:
    """A photo's result with its first `count` people (None: all), and everybody listed."""
    (frame,) = photo.frames
    chosen = frame.people[:count]
    seen = tuple(SeenPerson(person.id, person in chosen, 1, 0, 0, person.box) for person in frame.people)
    return replace(photo, frames=[replace(frame, people=chosen)], people=seen if len(seen) > 1 else ())
