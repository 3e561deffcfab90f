from __future__ import annotations

import csv
import io
import json
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from ttpose.results import KeypointResult, write_coco, write_csv


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
