from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.results.posed import FRAMES as _FRAMES
from ttpose.results import (
    KeypointResult,
    smooth,
    write_angles_csv,
    write_tidy_angles_csv,
)


def read_table(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_the_wide_table_has_units_and_scores_in_its_heads(duel: KeypointResult, tmp_path: Path) -> None:
    write_angles_csv(duel, tmp_path / "angles.csv")
    rows = read_table(tmp_path / "angles.csv")
    assert len(rows) == 2 * _FRAMES - 2
    first, other = rows[0], rows[1]
    assert (first["person"], first["facing"], other["person"], other["facing"]) == ("1", "right", "2", "left")
    for row in (first, other):
        assert (row["left_knee_deg"], row["left_knee_score"]) == ("40.0", "0.9")
        assert (row["trunk_deg"], row["right_hip_deg"]) == ("10.0", "30.0")
    unsure = rows[2]
    assert (unsure["frame"], unsure["left_knee_deg"], unsure["left_knee_score"]) == ("1", "", "")
    assert unsure["right_knee_deg"] == "60.0"
    (empty,) = [row for row in rows if row["frame"] == "5"]
    assert (empty["time_s"], empty["person"], empty["facing"], empty["note"]) == ("0.2", "", "", "nobody found")
    assert "left_knee" not in first  # the former column had another zero, and no unit


def test_the_tidy_table_says_the_same(duel: KeypointResult, tmp_path: Path) -> None:
    write_angles_csv(duel, tmp_path / "wide.csv")
    write_tidy_angles_csv(duel, tmp_path / "tidy.csv")
    tidy = {(row["frame"], row["person"], row["angle"]): row for row in read_table(tmp_path / "tidy.csv")}
    count = 0
    for row in read_table(tmp_path / "wide.csv"):
        for name in [head.removesuffix("_deg") for head in row if head.endswith("_deg")]:
            if row["person"]:
                found = tidy[row["frame"], row["person"], name]
                assert (found["deg"], found["score"]) == (row[f"{name}_deg"], row[f"{name}_score"])
                count += 1
    assert len(tidy) == count + 1  # and a row for the frame without people
    assert tidy["5", "", ""]["note"] == "nobody found"


def test_smoothed_angles_stand_beside_the_raw_ones(duel: KeypointResult, tmp_path: Path) -> None:
    smoothed = smooth(duel, "savgol")
    write_angles_csv(smoothed, tmp_path / "angles.csv")
    write_tidy_angles_csv(smoothed, tmp_path / "tidy.csv")
    rows = [row for row in read_table(tmp_path / "angles.csv") if row["person"] == "1"]
    gap = next(row for row in rows if row["frame"] == "5")
    assert gap["left_knee_deg"] == "" and float(gap["left_knee_smoothed_deg"]) == pytest.approx(50, abs=0.5)
    assert next(iter(read_table(tmp_path / "tidy.csv")))["smoothed_deg"] != ""
