"""Angles as tables: wide (a row a person and frame) and tidy (a row an angle)."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ttpose.core.files import atomic_path
from ttpose.results.angles import MIN_SCORE, BodyAngles, angle_names, body_angles
from ttpose.results.facing import DIRECTIONS
from ttpose.results.records import KeypointResult, PersonRecord
from ttpose.results.smoothing import frame_times, track_of

_DEGREE_DIGITS = 2
_SCORE_DIGITS = 4


def person_angles(
    result: KeypointResult, person: int, *, smoothed: bool = False, min_score: float = MIN_SCORE
) -> BodyAngles:
    """The angles of one person of a result in each of its T frames, by raw or smoothed keypoints."""
    keypoints = np.full((len(result.frames), len(result.skeleton), 3), np.nan)
    for row, record in zip(keypoints, track_of(result, person), strict=True):
        points = None if record is None else record.smoothed if smoothed else record.keypoints
        if points is not None:
            row[:] = points
    return body_angles(keypoints, result.skeleton, frame_times(result), min_score)


def write_angles_csv(result: KeypointResult, path: Path | str, min_score: float = MIN_SCORE) -> None:
    """Write the wide table of angles (`body_angles`), whole or not at all; raises `OutputError`.

    One row for each person in each frame: frame, time_s, person, facing (of `DIRECTIONS`), then `<angle>_deg` and
    `<angle>_score` (smoothed also `<angle>_smoothed_deg`) for each angle, then note; empty where a keypoint is unsure.
    A frame without people has one row.
    """
    smoothed = result.smoothing is not None
    parts = ("deg", "score", *["smoothed_deg"] * smoothed)
    names = [f"{name}_{part}" for name in angle_names(result.skeleton) for part in parts]

    def rows() -> Iterator[list[Any]]:
        for start, person, side, cells, note in _rows(result, min_score):
            yield [*start, person, side, *(cell for group in cells for cell in group[: len(parts)]), note]

    _write(path, ("frame", "time_s", "person", "facing", *names, "note"), rows())


def write_tidy_angles_csv(result: KeypointResult, path: Path | str, min_score: float = MIN_SCORE) -> None:
    """Write the tidy table of angles, whole or not at all; raises `OutputError`.

    One row for each angle of each person in each frame: frame, time_s, person, facing, angle, deg, score (smoothed
    also smoothed_deg), note. A frame without people has one row.
    """
    more = ("smoothed_deg",) if result.smoothing is not None else ()
    width = 2 + len(more)
    names = angle_names(result.skeleton)

    def rows() -> Iterator[list[Any]]:
        for start, person, side, cells, note in _rows(result, min_score):
            if person is None:
                yield [*start, None, None, None, *[None] * width, note]
            else:
                for name, group in zip(names, cells, strict=True):
                    yield [*start, person, side, name, *group[:width], note]

    _write(path, ("frame", "time_s", "person", "facing", "angle", "deg", "score", *more, "note"), rows())


_Row = tuple[list[Any], int | None, str | None, list[list[float | None]], str | None]


def _rows(result: KeypointResult, min_score: float) -> Iterator[_Row]:
    """For each person in each frame: index and time, id, facing, [degrees, score, smoothed degrees] by angle, note."""
    people = sorted({found.id for frame in result.frames for found in frame.people})
    raw = {person: person_angles(result, person, min_score=min_score) for person in people}
    smoothed = {}
    if result.smoothing is not None:
        smoothed = {person: person_angles(result, person, smoothed=True, min_score=min_score) for person in people}
    nothing: list[list[float | None]] = [[None] * 3] * len(angle_names(result.skeleton))
    for position, frame in enumerate(result.frames):
        record = frame.to_dict()
        start, note = [record["index"], record["time_s"]], record.get("note")
        if not frame.people:
            yield start, None, None, nothing, note
        for found in frame.people:
            yield start, found.id, *_cells(found, position, raw, smoothed), note


def _cells(
    found: PersonRecord, position: int, raw: dict[int, BodyAngles], smoothed: dict[int, BodyAngles]
) -> tuple[str, list[list[float | None]]]:
    angles = raw[found.id]
    columns = [_listed(angles.degrees[position], _DEGREE_DIGITS), _listed(angles.scores[position], _SCORE_DIGITS)]
    if found.id in smoothed:
        columns.append(_listed(smoothed[found.id].degrees[position], _DEGREE_DIGITS))
    return DIRECTIONS[angles.facing.direction[position]], [list(group) for group in zip(*columns, strict=True)]


def _listed(values: np.ndarray, digits: int) -> list[float | None]:
    # Adding 0 makes 0 of -0.
    return [round(value, digits) + 0.0 if math.isfinite(value) else None for value in values.tolist()]


def _write(path: Path | str, heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with atomic_path(path) as partial, open(partial, "w", encoding="utf-8", newline="") as handle:
        table = csv.writer(handle)
        table.writerow(heads)
        table.writerows(rows)
