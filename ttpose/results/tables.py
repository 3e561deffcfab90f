"""Tables for spreadsheets and statistics: tidy (a row a keypoint), wide (a row a person and frame)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ttpose.core.files import atomic_path
from ttpose.results.records import KeypointResult
from ttpose.results.scale import NOT_MEASURED, Metres, Scale, metres_of

#: Columns of the tidy table, in order; x and y in original pixels, score 0..1.
COLUMNS = ("frame", "time_s", "person", "keypoint", "x", "y", "score", "note")
#: Further columns of the tidy table of a smoothed result, after `score`.
SMOOTHED_COLUMNS = ("x_smoothed", "y_smoothed", "filled")
#: Further columns of a table with a scale, after `score`.
METRES = ("x_m", "y_m")
SMOOTHED_METRES = ("x_smoothed_m", "y_smoothed_m")

_METRE_DIGITS = 4


def write_csv(result: KeypointResult, path: Path | str, scale: Scale | None = None) -> list[str]:
    """Write the tidy table, whole or not at all.

    A frame without people keeps one row with its index, time and note and the other cells empty, so that no frame
    is missing from the table; a keypoint that could not be placed has empty x and y. A smoothed result has
    `SMOOTHED_COLUMNS` before the note, `filled` being 1 or 0.

    Args:
        result: Keypoints over time.
        path: The file.
        scale: Adds x and y in metres (`METRES`, and of smoothed ones `x_smoothed_m`, `y_smoothed_m`): x = 0 is the
            middle of the hips (median), y counts up from the ground. One scale holds for everybody in the picture.

    Returns:
        A note in plain words where metres were asked for and cannot be measured; the columns are empty then.

    Raises:
        OutputError: The file cannot be written.
    """
    columns = _Columns.of(result, scale)
    more = ("filled",) if result.smoothing is not None else ()
    _write(path, (*COLUMNS[:4], *columns.heads, *more, "note"), _tidy_rows(result, columns))
    return columns.notes


def write_wide_csv(result: KeypointResult, path: Path | str, scale: Scale | None = None) -> list[str]:
    """Write the wide table, whole or not at all; arguments, notes and errors as of `write_csv`.

    One row for each person in each frame: frame, time_s, person, then `<keypoint>_x`, `_y`, `_score` (and, smoothed,
    `_x_smoothed`, `_y_smoothed`) for each keypoint, then note. A frame without people has one row with empty cells.
    """
    columns = _Columns.of(result, scale)
    names = [f"{name}_{head}" for name in result.skeleton.keypoints for head in columns.heads]
    _write(path, ("frame", "time_s", "person", *names, "note"), _wide_rows(result, columns, len(names)))
    return columns.notes


@dataclass(frozen=True)
class _Columns:
    """What is said of each keypoint: x, y, score, both in metres, both smoothed, and that in metres."""

    in_metres: bool
    metres: Metres | None
    smoothed: bool
    notes: list[str]

    @classmethod
    def of(cls, result: KeypointResult, scale: Scale | None) -> _Columns:
        wanted = scale is not None and bool(scale)
        metres = None if scale is None else metres_of(result, scale)
        notes = [f"no metres in the table: {NOT_MEASURED}"] if wanted and metres is None else []
        return cls(wanted, metres, result.smoothing is not None, notes)

    @property
    def heads(self) -> tuple[str, ...]:
        smoothed = SMOOTHED_COLUMNS[:2] if self.smoothed else ()
        return (*COLUMNS[4:7], *(METRES if self.in_metres else ()), *smoothed,
                *(SMOOTHED_METRES if self.in_metres and self.smoothed else ()))  # fmt: skip

    def cells(self, person: dict[str, Any], k: int) -> list[float | None]:
        """Of keypoint `k` of a person's record as JSON has it."""
        point = person["keypoints"][k]
        smoothed = _smoothed_point(person, k)[:2] if self.smoothed else []
        return [*point, *self._measured(point[:2]), *smoothed, *self._measured(smoothed)]

    def _measured(self, place: list[float | None]) -> list[float | None]:
        if not self.in_metres or not place:
            return []
        x, y = place
        if self.metres is None or x is None or y is None:
            return [None, None]
        return [round(float(value), _METRE_DIGITS) for value in self.metres.of(np.array([x, y]))]


def _write(path: Path | str, heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with atomic_path(path) as partial, open(partial, "w", encoding="utf-8", newline="") as handle:
        table = csv.writer(handle)
        table.writerow(heads)
        table.writerows(rows)


def _tidy_rows(result: KeypointResult, columns: _Columns) -> Iterator[list[Any]]:
    for frame in result.frames:
        record = frame.to_dict()
        start, note = [record["index"], record["time_s"]], record.get("note")
        if not record["people"]:
            yield [*start, None, None, *[None] * (len(columns.heads) + columns.smoothed), note]
        for person in record["people"]:
            for k, name in enumerate(result.skeleton.keypoints):
                flags = [int(k in person.get("filled_keypoints", ()))] if columns.smoothed else []
                yield [*start, person["id"], name, *columns.cells(person, k), *flags, note]


def _wide_rows(result: KeypointResult, columns: _Columns, width: int) -> Iterator[list[Any]]:
    for frame in result.frames:
        record = frame.to_dict()
        start, note = [record["index"], record["time_s"]], record.get("note")
        if not record["people"]:
            yield [*start, None, *[None] * width, note]
        for person in record["people"]:
            cells = [cell for k in range(len(result.skeleton)) for cell in columns.cells(person, k)]
            yield [*start, person["id"], *cells, note]


def _smoothed_point(person: dict[str, Any], k: int) -> list[float | None]:
    return person["smoothed"][k] if "smoothed" in person else [None, None, 0.0]
