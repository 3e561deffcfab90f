from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ttpose.core.skeleton import COCO17, COCO17_FEET, PENN13
from ttpose.results import KeypointResult, smooth, write_openpose

# POSE_BODY_25_BODY_PARTS and POSE_COCO_BODY_PARTS of OpenPose's documentation.
_BODY25 = [
    "Nose", "Neck", "RShoulder", "RElbow", "RWrist", "LShoulder", "LElbow", "LWrist", "MidHip", "RHip", "RKnee",
    "RAnkle", "LHip", "LKnee", "LAnkle", "REye", "LEye", "REar", "LEar", "LBigToe", "LSmallToe", "LHeel", "RBigToe",
    "RSmallToe", "RHeel",
]  # fmt: skip
_COCO18 = [part for part in _BODY25[:19] if part != "MidHip"]


def our_name(part: str) -> str:
    side = {"R": "right_", "L": "left_"}.get(part[0], "")
    return side + part[1:].lower() if side else part.lower()


def read(folder: Path, frame: int) -> dict:
    return json.loads((folder / f"walk ü_{frame:012d}_keypoints.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("name", "parts"), [("body25", _BODY25), ("coco18", _COCO18)])
def test_every_frame_has_its_file_with_the_parts_in_openposes_order(
    result: KeypointResult, tmp_path: Path, name: str, parts: list[str]
) -> None:
    write_openpose(result, tmp_path / "op", keypoints=name)
    assert len(list((tmp_path / "op").iterdir())) == 3
    assert [len(read(tmp_path / "op", frame)["people"]) for frame in range(3)] == [1, 0, 0]
    (person,) = read(tmp_path / "op", 0)["people"]
    points = np.array(person["pose_keypoints_2d"]).reshape(-1, 3)
    assert len(points) == len(parts)
    ours = result.frames[0].people[0].keypoints
    for part, point in zip(parts, points, strict=True):
        if our_name(part) in COCO17.keypoints and our_name(part) != "right_ear":
            np.testing.assert_allclose(point, ours[COCO17.index(our_name(part))], atol=6e-4, err_msg=part)
    shoulders = ours[[COCO17.index("left_shoulder"), COCO17.index("right_shoulder")]]
    np.testing.assert_allclose(points[1], [*shoulders[:, :2].mean(0), shoulders[:, 2].min()], atol=1e-3)
    assert points[parts.index("REar")].tolist() == [0, 0, 0]  # not placed
    if name == "body25":
        hips = ours[[COCO17.index("left_hip"), COCO17.index("right_hip")]]
        np.testing.assert_allclose(points[8, :2], hips[:, :2].mean(0), atol=1e-3)
        assert (points[19:] == 0).all()  # no feet in this result
    assert person["person_id"] == [1]
    assert person["face_keypoints_2d"] == person["hand_left_keypoints_2d"] == []


def test_feet_have_their_places_in_body25(result: KeypointResult, tmp_path: Path) -> None:
    feet = np.array([[1, 2, 0.5], [3, 4, 0.6], [5, 6, 0.7], [np.nan, np.nan, 0]])
    before = result.frames[0].people[0]
    person = replace(before, keypoints=np.concatenate([before.keypoints, feet]))
    frames = [replace(result.frames[0], people=(person,))]
    write_openpose(replace(result, skeleton=COCO17_FEET, frames=frames), tmp_path / "op")
    points = np.array(read(tmp_path / "op", 0)["people"][0]["pose_keypoints_2d"]).reshape(25, 3)
    placed = dict(zip(_BODY25, points.tolist(), strict=True))
    assert placed["LBigToe"] == [1, 2, 0.5] and placed["RBigToe"] == [3, 4, 0.6] and placed["LHeel"] == [5, 6, 0.7]
    assert placed["RHeel"] == placed["LSmallToe"] == placed["RSmallToe"] == [0, 0, 0]


def test_other_keypoint_sets_leave_out_what_they_lack(result: KeypointResult, tmp_path: Path) -> None:
    person = replace(result.frames[0].people[0], keypoints=np.ones((13, 3)))
    frames = [replace(result.frames[0], people=(person,))]
    write_openpose(replace(result, skeleton=PENN13, frames=frames), tmp_path / "op")
    points = np.array(read(tmp_path / "op", 0)["people"][0]["pose_keypoints_2d"]).reshape(25, 3)
    placed = [part for part, point in zip(_BODY25, points, strict=True) if point[2] > 0]
    assert "Nose" not in placed and "Neck" in placed and "LWrist" in placed


def test_an_earlier_folder_is_replaced_whole_and_kept_when_writing_fails(
    result: KeypointResult, tmp_path: Path
) -> None:
    folder = tmp_path / "op"
    write_openpose(result, folder)
    (folder / "older_000000000009_keypoints.json").write_text("{}")
    with pytest.raises(AttributeError):
        write_openpose(replace(result, frames=[*result.frames, None]), folder)  # type: ignore[list-item]
    assert len(list(folder.iterdir())) == 4
    write_openpose(result, folder)
    assert len(list(folder.iterdir())) == 3
    assert list(tmp_path.iterdir()) == [folder]


def test_filled_people_are_not_among_those_found(result: KeypointResult, tmp_path: Path) -> None:
    frames = [result.frames[0], result.frames[1], replace(result.frames[0], index=2, time_s=2 / 30)]
    filled = smooth(replace(result, frames=frames), "savgol")
    assert filled.frames[1].people[0].filled
    write_openpose(filled, tmp_path / "op")
    assert [len(read(tmp_path / "op", frame)["people"]) for frame in range(3)] == [1, 0, 1]


def test_pose_format_reads_the_same(result: KeypointResult, tmp_path: Path) -> None:
    reader = pytest.importorskip("pose_format.utils.openpose", reason="pose-format is not installed")
    write_openpose(result, tmp_path / "op")
    pose = reader.load_openpose_directory(str(tmp_path / "op"), fps=30, width=64, height=96)
    assert pose.body.data.shape[:2] == (3, 1)
    ours = result.frames[0].people[0].keypoints
    for name, k in (("Nose", 0), ("LWrist", COCO17.index("left_wrist")), ("RAnkle", COCO17.index("right_ankle"))):
        column = pose.header.components[0].points.index(name)
        np.testing.assert_allclose(pose.body.data[0, 0, column], ours[k, :2], atol=1e-3)
        assert pose.body.confidence[0, 0, column] == pytest.approx(ours[k, 2], abs=1e-3)
        assert pose.body.confidence[1, 0, column] == 0


def test_names_of_frames_fit_the_file_system(tmp_path: Path) -> None:
    import os

    from tests.cli.fake_api import made_result

    for stem in ("鹿" * 80, "x" * 250, "b_bad\udcff"):
        write_openpose(made_result(Path(f"{stem}.mp4")), tmp_path / "openpose")
        names = sorted(os.fsencode(path.name) for path in (tmp_path / "openpose").iterdir())
        assert len(names) == 2 and max(map(len, names)) <= 255
        assert all(name.endswith(f"_{i:012d}_keypoints.json".encode()) for i, name in enumerate(names))
