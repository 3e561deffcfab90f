"""Corrections files and COCO keypoint files, read; and every way in which they can be wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from tests.corrections.examples import INFO, KNEES, coco_of, file_of
from ttpose.core.errors import InputError
from ttpose.core.skeleton import COCO17
from ttpose.corrections import HIDDEN, NOT_IN_PICTURE, VISIBLE, Corrections, read_corrections
from ttpose.corrections.coco import plain_name
from ttpose.corrections.reading import identity_of
from ttpose.corrections.records import frame_record, json_schema, parse_frames
from ttpose.media import SourceInfo

NOSE, WRIST = COCO17.index("nose"), COCO17.index("left_wrist")


def read(folder: Path, content: Any, info: SourceInfo = INFO) -> Corrections:
    path = folder / "corrections.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return read_corrections(path, COCO17, info)


def one(name: str, **joint: Any) -> dict[str, Any]:
    return {"index": 3, "joints": {name: joint}}


def test_joints_swaps_and_states_arrive(tmp_path: Path) -> None:
    joints = {
        "nose": {"x": 12.5, "y": 30},
        "left_wrist": {"x": 0, "y": 119.5, "state": "hidden"},
        "left_knee": {"state": "not in picture"},
    }
    swap = {"index": 9, "swaps": ["legs"], "reference": {"left_knee": [50, 60], "right_knee": [40.25, -7]}}
    empty = {"index": 20, "note": "look here"}
    found = read(tmp_path, file_of({"index": 30, "joints": joints}, swap, empty)).frames
    assert list(found) == [9, 30]
    points = found[30].keypoints
    assert points.shape == (17, 3)
    assert points[NOSE].tolist() == [12.5, 30, VISIBLE]
    assert points[WRIST].tolist() == [0, 119.5, HIDDEN]
    assert points[KNEES[0], 2] == NOT_IN_PICTURE
    assert np.isnan(points[KNEES[0], :2]).all()
    assert np.flatnonzero(found[30].corrected).tolist() == sorted([NOSE, WRIST, KNEES[0]])
    assert np.flatnonzero(found[30].placed).tolist() == [NOSE, WRIST]
    assert np.isnan(points[~found[30].corrected]).all()
    assert found[9].swaps == ("legs",)
    assert not found[9].corrected.any()
    assert found[9].sides[list(KNEES)].tolist() == [[50, 60], [40.25, -7]]
    assert np.isnan(found[9].sides[NOSE]).all()


def test_all_stands_for_every_part(tmp_path: Path) -> None:
    assert read(tmp_path, file_of({"index": 1, "swaps": ["all"]})).frames[1].swaps == ("legs", "arms", "head")


def test_records_survive_the_way_through_memory(tmp_path: Path) -> None:
    record = {
        "index": 4,
        "joints": {"nose": {"x": 1.25, "y": 2.0, "state": "hidden"}, "left_ear": {"state": "not in picture"}},
        "swaps": ["legs", "head"],
        "reference": {"left_knee": [3.0, 4.5], "right_eye": [5.0, 6.0]},
    }
    frame = parse_frames([record], COCO17, identity_of(INFO))[4]
    again = frame_record(4, frame, COCO17)
    assert {**again, "reference": dict(sorted(again["reference"].items()))} == record
    jsonschema.validate(file_of(again), json_schema())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (file_of({"index": 40}), "frame 40 is not in the clip, which has the frames 0 to 39"),
        (file_of({"index": -1}), "record 0 of `frames` has no frame number"),
        (file_of({"index": True}), "record 0 of `frames` has no frame number"),
        (file_of({"index": 1}, {"index": 1}), "frame 1 is there twice"),
        (file_of(one("nose", x=160, y=5)), "frame 3: nose at (160, 5) is outside the picture of 160 × 120"),
        (file_of(one("nose", x=5, y=-0.6)), "frame 3: nose at (5, -0.6) is outside the picture"),
        (file_of(one("nose", x=float("nan"), y=5)), "frame 3: nose is at (nan, 5), which is no place"),
        (file_of(one("nose", x=5)), "frame 3: nose is at (5, None), which is no place"),
        (file_of(one("nose", x="5", y=5)), "frame 3: nose is at (5, 5), which is no place"),
        (file_of(one("left_toe", x=5, y=5)), "frame 3: coco17 has no joint 'left_toe'"),
        (file_of(one("nose", x=5, y=5, state="gone")), "frame 3: nose needs a state"),
        (file_of({"index": 3, "joints": []}), "frame 3: `joints` is not an object"),
        (file_of({"index": 3, "swaps": ["feet"]}), "frame 3: `swaps` is a list of legs, arms, head, all"),
        (file_of({"index": 3, "swaps": [["legs"]]}), "frame 3: `swaps` is a list of"),
        (file_of({"index": 3, "reference": {"nose": [1]}}), "frame 3: the reference of nose is at (1)"),
        (file_of(frames={}), "`frames` is not a list"),
        (file_of(clip=None), "`clip` needs a name"),
        (file_of(clip={"name": "walk.mp4", "width": 640, "height": 480, "frames": 40}), "640 × 480 pixels, walk.mp4"),
        (file_of(clip={"name": "walk.mp4", "width": 160, "height": 120, "frames": 41}), "41 frames, walk.mp4 has 40"),
        (file_of(schema="ttpose.corrections/2"), "its schema is ttpose.corrections/2"),
        ([1, 2], "its schema is missing"),
        ("{", "is damaged"),
        ("[" * 100_000, "is damaged"),
        (coco_of(40), "frame 40 is not in the clip"),
        (coco_of(3, names=("tail", "fin")), "its keypoints are tail, fin: none of coco17"),
        (coco_of(3, categories=[]), "its categories name no keypoints"),
        (coco_of(3, 3), "frame 3 has several annotated people"),
        (coco_of(3, images=[]), "annotation 0 is of no image"),
        (coco_of(3, images=[{"id": 103, "file_name": "a.png"}]), "does not say which frame it is"),
        (coco_of(3, images=[{"id": 103, "file_name": "3.png", "width": 9, "height": 9}]), "has 9 × 9 pixels"),
        (coco_of(3, names=("nose", "left_eye", "neck") * 60), "outside the picture"),
        (coco_of(), "no keypoint in it is labelled"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line_that_says_where(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, content)
    assert message in caught.value.message
    assert str(tmp_path / "corrections.json") in caught.value.message
    assert "\n" not in caught.value.message


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*none\.json"):
        read_corrections(tmp_path / "none.json", COCO17, INFO)


def test_a_renamed_clip_is_known_by_its_content_and_another_is_refused(tmp_path: Path) -> None:
    clip = tmp_path / "renamed.mp4"
    clip.write_bytes(b"the clip")
    told = {
        "name": "walk.mp4", "width": 160, "height": 120, "frames": 40,
        "sha256": "a2c2a45f4ca1e2dc83a5a1ef6ae0b1b2bb9e13bd2d3a1ef7d1fc0f7b1e1c1a1f",
    }  # fmt: skip
    content = file_of({"index": 1, "swaps": ["legs"]}, clip=told)
    with pytest.raises(InputError, match=r"made for walk\.mp4, not for renamed\.mp4"):
        read(tmp_path, content, replace(INFO, path=clip))
    told["sha256"] = identity_of(replace(INFO, path=clip), fingerprint=True).sha256
    assert len(read(tmp_path, content, replace(INFO, path=clip))) == 1


def test_a_clip_of_unknown_length_takes_any_frame(tmp_path: Path) -> None:
    content = file_of({"index": 4000, "swaps": ["legs"]})
    assert list(read(tmp_path, content, replace(INFO, frames=None)).frames) == [4000]


def test_coco_files_of_annotation_tools_are_read_by_the_names_of_the_joints(tmp_path: Path) -> None:
    content = coco_of(7, 30, names=("Left Wrist", "neck", "nose"))
    content["annotations"][0]["keypoints"][:3] = [11, 12, 1]
    content["annotations"][1]["keypoints"][:3] = [0, 0, 0]
    content["annotations"].append({"id": 9, "image_id": 107, "bbox": [0, 0, 5, 5]})
    found = read(tmp_path, content).frames
    assert list(found) == [7, 30]
    assert found[7].keypoints[WRIST].tolist() == [11, 12, HIDDEN]
    assert found[7].keypoints[NOSE].tolist() == [12, 22, VISIBLE]
    assert np.flatnonzero(found[30].corrected).tolist() == [NOSE]  # not labelled is not "not in the picture"


@pytest.mark.parametrize(
    ("image", "index"),
    [
        ({"file_name": "frame_000007.PNG"}, 7),  # CVAT, of a video
        ({"file_name": "images\\8/5f3e91aa-frame_0012.jpg"}, 12),  # Label Studio, with its prefix
        ({"file_name": "walk_2024.jpg", "frame_id": 5}, 5),
        ({"path": "/datasets/walk/19.jpg", "file_name": "19.jpg"}, 19),  # COCO Annotator
    ],
)
def test_an_image_says_which_frame_it_is(tmp_path: Path, image: dict[str, Any], index: int) -> None:
    content = coco_of(3, images=[{"id": 103, **image}])
    assert list(read(tmp_path, content).frames) == [index]


@pytest.mark.parametrize("name", ["left_ear", "Left Ear", "leftEar", "LeftEar", "L-Ear", "l.ear", "ear_left", "EAR L"])
def test_names_of_joints_in_many_spellings(name: str) -> None:
    assert plain_name(name) == "left_ear"
