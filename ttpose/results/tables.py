"""Tables for spreadsheets and statistics: tidy (a row a keypoint), wide (a row a person and frame)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ttpose.core.files import atomic_path
from ttpose.results.records import KeypointResult

#: Columns of the tidy table, in order; x and y in original pixels, score 0..1.
COLUMNS = ("frame", "time_s", "person", "keypoint", "x", "y", "score", "note")
#: Further columns of the tidy table of a smoothed result, after `score`.
SMOOTHED_COLUMNS = ("x_smoothed", "y_smoothed", "filled")


def write_csv(result: KeypointResult, path: Path | str) -> None:
    """Write the tidy table, whole or not at all; raises `OutputError`.

    A frame without people keeps one row with its index, time and note and the other cells empty, so that no frame
    is missing from the table; a keypoint that could not be placed has empty x and y. A smoothed result has
    `SMOOTHED_COLUMNS` before the note, `filled` being 1 or 0.
    """
    more = () if result.smoothing is None else SMOOTHED_COLUMNS
    _write(path, (*COLUMNS[:-1], *more, COLUMNS[-1]), _tidy_rows(result, len(more)))


def write_wide_csv(result: KeypointResult, path: Path | str) -> None:
    """Write the wide table, whole or not at all; raises `OutputError`.

    One row for each person in each frame: frame, time_s, person, then `<keypoint>_x`, `_y`, `_score` (and, smoothed,
    `_x_smoothed`, `_y_smoothed`) for each keypoint, then note. A frame without people has one row with empty cells.
    """
    parts = ("x", "y", "score", *(() if result.smoothing is None else SMOOTHED_COLUMNS[:2]))
    names = [f"{name}_{part}" for name in result.skeleton.keypoints for part in parts]
    _write(path, ("frame", "time_s", "person", *names, "note"), _wide_rows(result, len(parts), len(names)))


def _write(path: Path | str, heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with atomic_path(path) as partial, open(partial, "w", encoding="utf-8", newline="") as handle:
        table = csv.writer(handle)
        table.writerow(heads)
        table.writerows(rows)


def _tidy_rows(result: KeypointResult, more: int) -> Iterator[list[Any]]:
    for frame in result.frames:
        record = frame.to_dict()
        start, note = [record["index"], record["time_s"]], record.get("note")
        if not record["people"]:
            yield [*start, None, None, None, None, None, *[None] * more, note]
        for person in record["people"]:
            for k, (name, point) in enumerate(zip(result.skeleton.keypoints, person["keypoints"], strict=True)):
                smoothed = _smoothed_point(person, k)[:2] if more else []
                flags = [int(k in person.get("filled_keypoints", ()))] if more else []
                yield [*start, person["id"], name, *point, *smoothed, *flags, note]


def _wide_rows(result: KeypointResult, parts: int, width: int) -> Iterator[list[Any]]:
    for frame in result.frames:
        record = frame.to_dict()
        start, note = [record["index"], record["time_s"]], record.get("note")
        if not record["people"]:
            yield [*start, None, *[None] * width, note]
        for person in record["people"]:
            cells: list[Any] = []
            for k, point in enumerate(person["keypoints"]):
                cells += [*point, *_smoothed_point(person, k)[: parts - 3]]
            yield [*start, person["id"], *cells, note]


def _smoothed_point(person: dict[str, Any], k: int) -> list[float | None]:
    return person["smoothed"][k] if "smoothed" in person else [None, None, 0.0]
