from __future__ import annotations

import csv
import io
import json
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from ttpose.results import (
    KeypointResult,
    smooth,
    write_coco,
    write_csv,
    write_wide_csv,
)


def test_pycocotools_loads_the_coco_file(result: KeypointResult, tmp_path: Path) -> None:
    path = tmp_path / "keypoints.coco.json"
    write_coco(result, path)
    with redirect_stdout(io.StringIO()):
        coco = COCO(str(path))
        results = coco.loadRes(json.loads(path.read_text())["annotations"])
    assert coco.getImgIds() == [1, 2, 3]
    assert [image["frame_index"] for image in coco.loadImgs([1, 2, 3])] == [0, 1, 2]
    (annotation,) = coco.loadAnns(coco.getAnnIds(imgIds=[1]))
    assert annotation["num_keypoints"] == 16
    assert annotation["keypoints"][12:15] == [0, 0, 0]
    points = np.array(annotation["keypoints"], dtype=float).reshape(17, 3)
    placed = points[:, 2] == 2
    np.testing.assert_allclose(points[placed, :2], result.frames[0].people[0].keypoints[placed, :2], atol=0.006)
    assert coco.loadCats([1])[0]["keypoints"][0] == "nose"
    assert coco.loadCats([1])[0]["skeleton"][0] == [1, 2]
    assert len(results.getAnnIds()) == 1


def test_the_coco_file_scores_perfectly_against_itself(result: KeypointResult, tmp_path: Path) -> None:
    path = tmp_path / "keypoints.coco.json"
    write_coco(result, path)
    with redirect_stdout(io.StringIO()):
        coco = COCO(str(path))
        judge = COCOeval(coco, coco.loadRes(json.loads(path.read_text())["annotations"]), "keypoints")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    assert judge.stats[0] == pytest.approx(1.0)


def test_the_csv_is_tidy_and_lacks_no_frame(result: KeypointResult, tmp_path: Path) -> None:
    write_csv(result, tmp_path / "keypoints.csv")
    with open(tmp_path / "keypoints.csv", encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 17 + 1 + 1
    assert rows[0] == {
        "frame": "0", "time_s": "0.0", "person": "1", "keypoint": "nose",
        "x": "10.0", "y": "30.0", "score": "0.1", "note": "",
    }  # fmt: skip
    assert (rows[4]["keypoint"], rows[4]["x"], rows[4]["y"]) == ("right_ear", "", "")
    assert (rows[17]["frame"], rows[17]["note"], rows[17]["keypoint"]) == ("1", "nobody found", "")
    assert (rows[18]["time_s"], rows[18]["note"]) == ("", "damaged frame")


def read_table(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def moving(result: KeypointResult) -> KeypointResult:
    """Three frames with the person, nobody, the person."""
    frames = [result.frames[0], result.frames[1], replace(result.frames[0], index=2, time_s=2 / 30)]
    return replace(result, frames=frames)


def test_the_wide_table_has_a_row_a_person_and_frame(result: KeypointResult, tmp_path: Path) -> None:
    write_wide_csv(result, tmp_path / "wide.csv")
    rows = read_table(tmp_path / "wide.csv")
    assert len(rows) == 3
    assert len(rows[0]) == 3 + 17 * 3 + 1
    assert (rows[0]["person"], rows[0]["nose_x"], rows[0]["nose_y"], rows[0]["nose_score"]) == (
        "1",
        "10.0",
        "30.0",
        "0.1",
    )
    assert (rows[0]["right_ear_x"], rows[0]["right_ear_score"]) == ("", "0.0")
    assert rows[1]["nose_x"] == "" and rows[1]["note"] == "nobody found"


def test_smoothed_results_have_their_columns_beside_the_raw_ones(result: KeypointResult, tmp_path: Path) -> None:
    smoothed = smooth(moving(result), "savgol")
    write_csv(smoothed, tmp_path / "tidy.csv")
    write_wide_csv(smoothed, tmp_path / "wide.csv")
    tidy, wide = read_table(tmp_path / "tidy.csv"), read_table(tmp_path / "wide.csv")
    assert len(tidy) == 3 * 17 and len(wide) == 3
    ankle = 17 - 1
    assert (tidy[ankle]["x"], tidy[ankle]["x_smoothed"], tidy[ankle]["filled"]) == ("20.0", "20.0", "0")
    gap = tidy[17 + ankle]
    assert (gap["x"], gap["x_smoothed"], gap["filled"], gap["note"]) == ("", "20.0", "1", "nobody found")
    assert (wide[1]["right_ankle_x"], wide[1]["right_ankle_x_smoothed"]) == ("", "20.0")
    assert wide[0]["nose_x_smoothed"] == ""  # the nose scores 0.1


def test_coco_has_smoothed_keypoints_beside_and_no_filled_people(result: KeypointResult, tmp_path: Path) -> None:
    smoothed = smooth(moving(result), "savgol")
    assert smoothed.frames[1].people[0].filled
    write_coco(smoothed, tmp_path / "coco.json")
    data = json.loads((tmp_path / "coco.json").read_text())
    assert [annotation["image_id"] for annotation in data["annotations"]] == [1, 3]
    plain, beside = (data["annotations"][0][key] for key in ("keypoints", "keypoints_smoothed"))
    assert plain[0:3] == [10.0, 30.0, 2] and beside[0:3] == [0, 0, 0]
    assert plain[-3:] == beside[-3:] == [20.0, 90.0, 2]
