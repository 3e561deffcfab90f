"""Keypoints as a tidy table: one row for each keypoint of each person in each frame."""

from __future__ import annotations

import csv
from pathlib import Path

from ttpose.files import atomic_path
from ttpose.results.records import KeypointResult

#: The columns, in order; x and y in original pixels, score 0..1.
COLUMNS = ("frame", "time_s", "person", "keypoint", "x", "y", "score", "note")


def write_csv(result: KeypointResult, path: Path | str) -> None:
    """Write a result as CSV, whole or not at all; raises `OutputError`.

    A frame without people keeps one row with its index, time and note and the other cells empty, so that no frame
    is missing from the table; a keypoint that could not be placed has empty x and y.
    """
    names = result.skeleton.keypoints
    with atomic_path(path) as partial, open(partial, "w", encoding="utf-8", newline="") as handle:
        table = csv.writer(handle)
        table.writerow(COLUMNS)
        for frame in result.frames:
            record = frame.to_dict()
            start, note = [record["index"], record["time_s"]], record.get("note")
            if not record["people"]:
                table.writerow([*start, None, None, None, None, None, note])
            for person in record["people"]:
                for name, point in zip(names, person["keypoints"], strict=True):
                    table.writerow([*start, person["id"], name, *point, note])
