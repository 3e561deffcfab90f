from __future__ import annotations

import json
import os
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.data.miniatures import coco_content, make_bbc, make_clips, make_coco, make_h36m, make_penn
from ttpose.core.errors import InputError, TTPoseError, UsageError
from ttpose.core.progress import Progress
from ttpose.core.skeleton import BBC7, COCO17, H36M16, PENN13
from ttpose.data.datasets import open_dataset


class Notes(Progress):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


def test_penn_action_in_its_real_layout(tmp_path: Path) -> None:
    make_penn(tmp_path)
    train, test = open_dataset(f"penn:{tmp_path}"), open_dataset(f"penn:{tmp_path}", "test")
    assert [video.name for video in train] == ["0001", "0003"]
    assert [video.name for video in test] == ["0002", "0004"]
    frame = train[0].frames[1]
    assert train[0].skeleton is PENN13
    assert frame.path == tmp_path / "frames/0001/000002.jpg"
    assert frame.read().shape == (96, 96, 3)
    low = frame.keypoints[:, :2].min(0)
    assert frame.box.as_list()[:2] == pytest.approx(low - 5)
    assert frame.box.width == pytest.approx(np.ptp(frame.keypoints[:, 0]) + 10)
    assert (frame.keypoints[:, 2] == 2).all()


def _spoil_penn(number: int, variables: dict) -> None:
    """Every known defect, and those that a damaged copy may have."""
    if number == 1:
        variables["bbox"] = variables["bbox"][:-1].astype(np.uint8)  # one short, in bytes
        variables["visibility"][0, :3] = 0
        variables["x"][0, 0] = variables["y"][0, 0] = 1
    if number == 3:
        variables["x"][0, 4] = np.nan
        variables["bbox"][1, 2:] = variables["bbox"][1, :2]
        variables["bbox"][2] = np.nan
    if number == 5:
        variables["visibility"][:] = 0
        variables["x"][:] = variables["y"][:] = 1


def test_penn_defects_are_mended_or_counted(tmp_path: Path) -> None:
    make_penn(tmp_path, videos=6, change=_spoil_penn)
    (tmp_path / "frames/0003/000004.jpg").unlink()
    notes = Notes()
    first, third = open_dataset(f"penn:{tmp_path}", progress=notes)
    assert len(first) == 4  # the last box stands for the last two frames
    assert first.frames[3].box == first.frames[2].box
    assert first.keypoints[0, :4, 2].tolist() == [0, 1, 1, 2]
    assert [frame.path.name for frame in third.frames] == ["000001.jpg"]
    assert third.keypoints[0, 4, 2] == 0
    assert np.isfinite(third.keypoints).all()
    assert sorted(notes.texts) == [
        "penn: left out 1 frames whose box has no area",
        "penn: left out 1 frames whose box is not finite",
        "penn: left out 1 frames without a picture",
        "penn: left out 1 joints that are not finite",
        "penn: left out 1 videos without a visible joint",
    ]


def test_penn_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder frames"):
        open_dataset(f"penn:{tmp_path}")
    make_penn(tmp_path, videos=2)
    (tmp_path / "labels/0001.mat").write_bytes((tmp_path / "labels/0001.mat").read_bytes()[:300])
    with pytest.raises(InputError, match=r"0001\.mat"):
        open_dataset(f"penn:{tmp_path}")


def test_penn_refuses_labels_that_do_not_fit_together(tmp_path: Path) -> None:
    make_penn(tmp_path, videos=1, change=lambda _, v: v.update(bbox=v["bbox"][:-2]))
    with pytest.raises(InputError, match=r"4 frames, .* 2 boxes"):
        open_dataset(f"penn:{tmp_path}")


def test_without_pictures_there_is_no_dataset(tmp_path: Path) -> None:
    make_penn(tmp_path, videos=2)
    for path in (tmp_path / "frames").rglob("*.jpg"):
        path.unlink()
    with pytest.raises(InputError, match="no usable train video") as caught:
        open_dataset(f"penn:{tmp_path}")
    assert "000001.jpg" in (caught.value.hint or "")


def test_all_real_penn_labels_read(tmp_path: Path) -> None:
    data = os.environ.get("TTPOSE_DEV_DATA")
    archive = Path(data or "") / "penn_action_labels.zip"
    if not data or not archive.is_file():
        pytest.skip("TTPOSE_DEV_DATA is not set: no real label files at hand")
    from scipy.io import loadmat

    with zipfile.ZipFile(archive) as file:
        file.extractall(tmp_path, [name for name in file.namelist() if name.endswith(".mat")])
    for path in (tmp_path / "labels").glob("*.mat"):  # empty files stand for the pictures, which are not read here
        folder = tmp_path / "frames" / path.stem
        folder.mkdir(parents=True)
        for number in range(int(loadmat(path)["nframes"].item())):
            (folder / f"{number + 1:06d}.jpg").touch()
    notes = Notes()
    train, test = (open_dataset(f"penn:{tmp_path}", split, notes) for split in ("train", "test"))
    assert len(train) + len(test) == 2326 - 1  # 1516 shows nobody's joint
    assert {len(train), len(test)} <= {1257, 1258, 1067, 1068}
    assert sum(map(len, [*train, *test])) == 163_841 - 185 - 68
    assert sum(int(text.split("left out ")[1].split()[0]) for text in notes.texts if "no area" in text) == 185


def test_bbc_pose(tmp_path: Path) -> None:
    make_bbc(tmp_path)
    (train,), (test,) = open_dataset(f"bbc:{tmp_path}"), open_dataset(f"bbc:{tmp_path}", "test")
    assert (train.name, test.name, train.skeleton) == ("1", "11", BBC7)
    assert [frame.path.name for frame in train.frames] == ["10.jpg", "11.jpg", "12.jpg"]
    assert [frame.path.name for frame in test.frames] == ["13.jpg", "14.jpg", "15.jpg"]
    frame = train.frames[0]
    x, y = frame.keypoints[:, 0], frame.keypoints[:, 1]
    assert frame.box.as_list()[:2] == pytest.approx([max(x.min() - 60, 0), max(y.min() - 60, 0)])
    assert frame.box.x + frame.box.width == pytest.approx(x.max() + 60)


def test_human36m_splits_by_subject(tmp_path: Path) -> None:
    make_h36m(tmp_path)
    train, test = open_dataset(f"h36m:{tmp_path}"), open_dataset(f"h36m:{tmp_path}", "test")
    assert [(v.name, v.person) for v in train] == [("v0", "S1")]
    assert [(v.name, v.person) for v in test] == [("v1", "S9"), ("v2", "S11")]
    assert train[0].skeleton is H36M16


def test_coco_groups_by_video_and_person(tmp_path: Path) -> None:
    content = coco_content(tmp_path)
    content["images"].reverse()  # the frame id orders, not the file
    second = {**content["annotations"][0], "id": 99, "person_id": "b"}
    for entry in content["annotations"]:
        entry["person_id"] = "a"
    content["annotations"].append(second)
    (tmp_path / "people.json").write_text(json.dumps(content))
    videos = open_dataset(f"coco:{tmp_path / 'people.json'}")
    assert {(v.name, v.person, len(v)) for v in videos} == {("v0#a", "a", 3), ("v0#b", "b", 1), ("v1#a", "a", 3)}
    assert [frame.path.name for frame in videos[0].frames] == ["000.jpg", "001.jpg", "002.jpg"]
    assert videos[0].skeleton is COCO17


def test_coco_stills_are_videos_of_one_frame(tmp_path: Path) -> None:
    content = coco_content(tmp_path / "pictures", videos=1)
    for image in content["images"]:
        del image["video_id"]
    (tmp_path / "people.json").write_text(json.dumps(content))
    videos = open_dataset(f"coco:{tmp_path / 'people.json'}:{tmp_path / 'pictures'}")
    assert [len(video) for video in videos] == [1, 1, 1]


def test_coco_people_that_nothing_tells_apart_are_left_out(tmp_path: Path) -> None:
    content = coco_content(tmp_path)
    content["annotations"].append({**content["annotations"][0], "id": 99})
    (tmp_path / "people.json").write_text(json.dumps(content))
    notes = Notes()
    assert [video.name for video in open_dataset(f"coco:{tmp_path / 'people.json'}", progress=notes)] == ["v1"]
    assert "4 annotations without a person id" in notes.texts[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("images"), "no COCO annotation file"),
        (lambda c: c.update(categories=[]), "does not name its keypoints"),
        (lambda c: c["annotations"][1].pop("bbox"), 'annotation 1 has no numbers "bbox"'),
        (lambda c: c["annotations"][1]["keypoints"].pop(), "annotation 1 has 50 keypoint numbers"),
        (lambda c: c["annotations"][1]["keypoints"].__setitem__(2, 7), "visibility other than"),
        (lambda c: c["annotations"][0].update(image_id=1234), "annotation 0 has no image"),
        (lambda c: c.update(annotations=[]), "no keypoint annotation"),
    ],
)
def test_malformed_coco_names_the_fault(tmp_path: Path, change, message: str) -> None:
    content = coco_content(tmp_path)
    change(content)
    (tmp_path / "people.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=message) as caught:
        open_dataset(f"coco:{tmp_path / 'people.json'}")
    assert "\n" not in caught.value.message


def test_coco_skips_broken_boxes_and_missing_pictures(tmp_path: Path) -> None:
    content = coco_content(tmp_path)
    content["annotations"][0]["bbox"][2] = -4
    content["annotations"][1]["keypoints"][0] = float("nan")
    (tmp_path / "people.json").write_text(json.dumps(content))
    (tmp_path / "v1/001.jpg").unlink()
    notes = Notes()
    videos = open_dataset(f"coco:{tmp_path / 'people.json'}", progress=notes)
    assert [len(video) for video in videos] == [2, 2]
    counted = Counter({text.split(" 1 ")[1]: 1 for text in notes.texts})
    assert counted == Counter(
        ["frames whose box has no area", "joints that are not finite", "frames without a picture"]
    )


def test_clips_with_and_without_a_division(tmp_path: Path) -> None:
    make_clips(tmp_path / "all")
    assert [v.person for v in open_dataset(f"clips:{tmp_path / 'all'}", "test")] == ["person0", "person1"]
    make_clips(tmp_path / "two/train", clips=2)
    make_clips(tmp_path / "two/test", clips=1)
    assert len(open_dataset(f"clips:{tmp_path / 'two'}")) == 2
    assert len(open_dataset(f"clips:{tmp_path / 'two'}", "test")) == 1
    assert open_dataset(f"clips:{tmp_path / 'all'}")[0].skeleton is PENN13


@pytest.mark.parametrize("spec", ["penn", "penn:", "mpii:somewhere", "somewhere", ""])
def test_descriptions_of_another_form_are_refused(spec: str) -> None:
    with pytest.raises(UsageError, match="names no dataset"):
        open_dataset(spec)


@pytest.mark.parametrize("kind", ["penn", "bbc", "h36m", "coco", "clips"])
def test_missing_places_are_one_line(kind: str, tmp_path: Path) -> None:
    with pytest.raises(TTPoseError) as caught:
        open_dataset(f"{kind}:{tmp_path / 'nowhere'}")
    assert "nowhere" in caught.value.message
    assert "\n" not in caught.value.message


def test_coco_file_reads_from_a_path_with_a_colon(tmp_path: Path) -> None:
    path = make_coco(tmp_path / "a:b")
    assert len(open_dataset(f"coco:{path}")) == 2
