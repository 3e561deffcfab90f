from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from ttpose.core.errors import InputError, OutputError
from ttpose.core.geometry import Box
from ttpose.data.labelled_clip import find_clips, read_clip, write_clip
from ttpose.media.images import read_image


@pytest.fixture
def clip_folder(tmp_path: Path) -> Path:
    return _write(tmp_path / "clips" / "walk")


def _write(folder: Path, frames: int = 2) -> Path:
    images = np.zeros((frames, 24, 32, 3), np.uint8)
    images[..., 0] = 200  # red: a mix-up of the colour order would show
    keypoints = np.array([[[1.25, 2.5, 2], [-3.0, 40.0, 0]]] * frames)
    masks = np.full((frames, 24, 32), 255, np.uint8)
    return write_clip(
        folder,
        images,
        keypoints,
        [Box(0.5, 1, 20, 10)] * frames,
        joints=("nose", "left_eye"),
        person="ann",
        source="test",
        masks=masks,
    )


def _edit(folder: Path, change) -> None:
    path = folder / "labels.json"
    labels = json.loads(path.read_text())
    change(labels)
    path.write_text(json.dumps(labels))


def test_what_is_written_is_read_back(clip_folder: Path) -> None:
    clip = read_clip(clip_folder)
    assert (clip.name, clip.person, clip.joints, len(clip)) == ("walk", "ann", ("nose", "left_eye"), 2)
    np.testing.assert_allclose(clip.keypoints[1], [[1.25, 2.5, 2], [-3.0, 40.0, 0]])
    assert clip.frames[0].box == Box(0.5, 1, 20, 10)
    image = clip.frames[0].read()
    assert image.shape == (24, 32, 3)
    assert image[..., 0].mean() > 190
    assert image[..., 2].mean() < 10
    mask = read_image(clip.frames[1].mask)
    assert mask is not None
    assert (mask == 255).all()


def test_writing_again_replaces_the_whole_clip(clip_folder: Path) -> None:
    _write(clip_folder, frames=1)
    assert len(read_clip(clip_folder)) == 1
    assert sorted(p.name for p in clip_folder.iterdir()) == ["0000.jpg", "0000.mask.png", "labels.json"]
    assert [p.name for p in clip_folder.parent.iterdir()] == ["walk"]


def test_a_folder_of_something_else_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="no labelled clip"):
        _write(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_short_joint_names_are_spelled_out(clip_folder: Path) -> None:
    _edit(clip_folder, lambda d: d.update(joints=["r_wrist", "l_eye"], scored_joints=["l_eye"]))
    clip = read_clip(clip_folder)
    assert clip.joints == ("right_wrist", "left_eye")
    assert clip.scored.tolist() == [False, True]


def test_find_clips_sorts_and_skips_hidden(clip_folder: Path) -> None:
    root = clip_folder.parent
    _write(root / "deep" / "run")
    _write(root / ".hidden" / "sit")
    assert [p.name for p in find_clips(root)] == ["run", "walk"]
    assert find_clips(clip_folder) == [clip_folder]


def test_find_clips_says_when_there_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no labelled clip"):
        find_clips(tmp_path)
    with pytest.raises(InputError, match="not a folder"):
        find_clips(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("joints"), "joints"),
        (lambda d: d.pop("frames"), "frames"),
        (lambda d: d.update(scored_joints=["tail"]), "tail"),
        (lambda d: d["frames"][1].pop("bbox"), 'frame 1 has no "bbox"'),
        (lambda d: d["frames"][0]["keypoints"].pop(), "keypoints"),
        (lambda d: d["frames"][0]["keypoints"][0].__setitem__(0, float("nan")), "not finite"),
        (lambda d: d["frames"][0]["keypoints"][0].__setitem__(0, None), "keypoints"),
        (lambda d: d["frames"][0]["keypoints"][0].__setitem__(2, 3), "visibility"),
        (lambda d: d["frames"][0].update(bbox=[0, 0, -5, 10]), "-5 wide"),
        (lambda d: d["frames"][0].update(bbox=[0, 0, float("inf"), 10]), "not finite"),
        (lambda d: d["frames"][0].update(frame="0099.jpg"), "0099.jpg is missing"),
        (lambda d: d["frames"].__setitem__(0, 7), "not an object"),
    ],
)
def test_malformed_labels_name_the_fault(clip_folder: Path, change, message: str) -> None:
    _edit(clip_folder, change)
    with pytest.raises(InputError, match=message) as caught:
        read_clip(clip_folder)
    assert "\n" not in caught.value.message


def test_missing_and_broken_files(clip_folder: Path) -> None:
    (clip_folder / "0000.jpg").write_bytes(b"no jpeg")
    with pytest.raises(InputError, match="damaged"):
        read_clip(clip_folder).frames[0].read()
    (clip_folder / "labels.json").write_text("{")
    with pytest.raises(InputError, match="not valid JSON"):
        read_clip(clip_folder)
    (clip_folder / "labels.json").unlink()
    with pytest.raises(InputError, match="has no labels"):
        read_clip(clip_folder)


def test_real_clips_read(request: pytest.FixtureRequest) -> None:
    data = os.environ.get("TTPOSE_DEV_DATA")
    if not data:
        pytest.skip("TTPOSE_DEV_DATA is not set: no real labelled clips at hand")
    folders = find_clips(Path(data) / "real_dev")
    assert len(folders) >= 6
    for clip in map(read_clip, folders):
        assert clip.person
        assert clip.frames[0].read().ndim == 3
    stills = read_clip(Path(data) / "parse_train")
    assert stills.person is None
    assert len(stills) == 100
