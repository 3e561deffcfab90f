"""Keypoints with feet in every format."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from ttpose.core.skeleton import COCO17_FEET, FEET
from ttpose.results import (
    KeypointResult,
    json_schema,
    read_json,
    smooth,
    with_disagreement,
    write_coco,
    write_csv,
    write_json,
    write_wide_csv,
)


@pytest.fixture
def feet(result: KeypointResult) -> KeypointResult:
    """Two frames of the example with a heel that moves and a toe that has no place."""
    person = result.frames[0].people[0]
    frames = []
    for t in range(2):
        points = np.array([[11 + t, 95, 0.5], [np.nan, np.nan, 0], [9 + t, 94, 0.75], [19 + t, 94, 0.25]])
        moved = replace(person, keypoints=np.concatenate([person.keypoints, points]))
        frames.append(replace(result.frames[0], index=t, time_s=t / 25, people=(moved,)))
    return replace(result, skeleton=COCO17_FEET, frames=frames)


def test_json_names_them_and_reads_them_back(feet: KeypointResult, tmp_path: Path) -> None:
    write_json(feet, tmp_path / "keypoints.json")
    told = json.loads((tmp_path / "keypoints.json").read_text(encoding="utf-8"))
    Draft202012Validator(json_schema()).validate(told)
    assert told["skeleton"]["name"] == "coco17_feet" and told["skeleton"]["keypoints"][17:] == list(FEET)
    assert told["frames"][1]["people"][0]["keypoints"][17:] == [
        [12, 95, 0.5], [None, None, 0.0], [10, 94, 0.75], [20, 94, 0.25],
    ]  # fmt: skip
    again = read_json(tmp_path / "keypoints.json")
    assert again.skeleton is COCO17_FEET


def test_coco_has_a_category_of_21(feet: KeypointResult, tmp_path: Path) -> None:
    write_coco(feet, tmp_path / "coco.json")
    told = json.loads((tmp_path / "coco.json").read_text())
    (category,) = told["categories"]
    assert category["keypoints"][17:] == list(FEET)
    assert [16, 20] in category["skeleton"], "left ankle and left heel, counted from 1"
    assert told["annotations"][0]["keypoints"][51:] == [11, 95, 2, 0, 0, 0, 9, 94, 2, 19, 94, 2]
    assert told["annotations"][0]["num_keypoints"] == 19


def test_tables_have_their_rows_and_columns(feet: KeypointResult, tmp_path: Path) -> None:
    write_csv(feet, tmp_path / "tidy.csv")
    write_wide_csv(feet, tmp_path / "wide.csv")
    with open(tmp_path / "tidy.csv", encoding="utf-8", newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if row["keypoint"] in FEET]
    assert [(row["keypoint"], row["x"]) for row in rows[:4]] == list(
        zip(FEET, ("11.0", "", "9.0", "19.0"), strict=True)
    )
    with open(tmp_path / "wide.csv", encoding="utf-8", newline="") as handle:
        wide = list(csv.DictReader(handle))
    assert wide[1]["left_heel_x"] == "10.0" and wide[1]["right_big_toe_score"] == "0.0"


def test_smoothing_takes_them_along(feet: KeypointResult) -> None:
    person = smooth(feet).frames[1].people[0]
    assert person.smoothed is not None
    assert person.smoothed[19].tolist() == pytest.approx([10, 94, 0.75])
    assert np.isnan(person.smoothed[18, 0])


def test_what_one_view_lacks_is_not_compared(feet: KeypointResult, result: KeypointResult) -> None:
    body = replace(result, frames=[result.frames[0]] * 2)
    apart = with_disagreement(feet, body).frames[1].people[0].disagreement
    assert apart is not None and apart[0] == 0 and np.isnan(apart[17:]).all()
