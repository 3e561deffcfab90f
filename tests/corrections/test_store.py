"""The corrections file while it is worked on: every change on the disk, whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from tests.corrections.examples import INFO, KNEES, coco_of, prediction
from tests.sample import environment
from ttpose.core.errors import InputError, OutputError, UsageError
from ttpose.core.skeleton import COCO17
from ttpose.corrections import HIDDEN, Corrections, read_corrections
from ttpose.corrections.records import json_schema
from ttpose.corrections.spans import frames_named, parts_named
from ttpose.corrections.store import CorrectionsFile
from ttpose.jobs.folders import sweep
from ttpose.media import SourceInfo


@pytest.fixture
def info(tmp_path: Path) -> SourceInfo:
    clip = tmp_path / "walk.mp4"
    clip.write_bytes(b"a clip")
    return SourceInfo(clip, "video", INFO.width, INFO.height, INFO.frames, None, None, 0)


@pytest.fixture
def file(tmp_path: Path, info: SourceInfo) -> CorrectionsFile:
    return CorrectionsFile(tmp_path / "corrections.json", COCO17, info)


def on_disk(file: CorrectionsFile, info: SourceInfo) -> Corrections:
    jsonschema.validate(json.loads(file.path.read_text(encoding="utf-8")), json_schema())
    return read_corrections(file.path, COCO17, info)


def test_every_change_is_on_the_disk(file: CorrectionsFile, info: SourceInfo) -> None:
    file.put({"index": 7, "joints": {"nose": {"x": 10, "y": 20, "state": "hidden"}}})
    assert on_disk(file, info).frames[7].keypoints[0].tolist() == [10, 20, HIDDEN]
    file.put({"index": 2, "joints": {"nose": {"x": 1, "y": 2}}, "note": "blurred"})
    assert list(on_disk(file, info).frames) == [2, 7]
    file.put({"index": 7, "joints": {}})
    assert list(on_disk(file, info).frames) == [2]
    again = CorrectionsFile(file.path, COCO17, info)
    assert again.records() == file.records()
    assert again.records()[0]["note"] == "blurred"


def test_a_wrong_change_changes_nothing(file: CorrectionsFile, info: SourceInfo) -> None:
    file.put({"index": 7, "joints": {"nose": {"x": 10, "y": 20}}})
    before = file.path.read_bytes()
    with pytest.raises(InputError, match="outside the picture"):
        file.put({"index": 7, "joints": {"nose": {"x": 1000, "y": 20}}})
    assert file.path.read_bytes() == before
    assert on_disk(file, info).frames[7].keypoints[0, 0] == 10


def test_a_change_that_cannot_be_saved_does_not_count(file: CorrectionsFile, monkeypatch: pytest.MonkeyPatch) -> None:
    file.put({"index": 7, "joints": {"nose": {"x": 10, "y": 20}}})

    def full(*_: object) -> None:
        raise OutputError("disk full")

    monkeypatch.setattr("ttpose.corrections.store.write_text", full)
    with pytest.raises(OutputError):
        file.put({"index": 8, "joints": {"nose": {"x": 10, "y": 20}}})
    assert list(file.corrections.frames) == [7]


def test_swaps_tell_the_sides_and_swap_corrected_joints(file: CorrectionsFile, info: SourceInfo) -> None:
    left, right = KNEES
    keypoints = prediction()
    file.put({"index": 5, "joints": {"left_knee": {"x": 90, "y": 91}}})
    assert file.swap(range(5, 7), ("legs",), keypoints) == []
    found = on_disk(file, info).frames
    assert found[6].sides[left].tolist() == keypoints[6, right, :2].tolist()
    assert found[6].sides[right].tolist() == keypoints[6, left, :2].tolist()
    assert np.isnan(found[6].sides[COCO17.index("left_wrist")]).all()
    assert found[5].keypoints[right].tolist() == [90, 91, 2]  # what was called left before
    assert not found[5].corrected[left]
    assert found[5].sides[left].tolist() == keypoints[5, right, :2].tolist()


def test_swapping_twice_is_told_and_changes_nothing(file: CorrectionsFile) -> None:
    file.swap([5], ("legs",), prediction())
    before = file.path.read_bytes()
    assert file.swap([5], ("legs",), prediction()) == [5]
    assert file.path.read_bytes() == before
    assert file.swap([5], ("legs", "arms"), prediction()) == []
    assert file.corrections.frames[5].swaps == ("legs", "arms")


def test_nobody_and_no_frame_cannot_be_swapped(file: CorrectionsFile) -> None:
    keypoints = prediction()
    keypoints[8] = np.nan
    with pytest.raises(InputError, match="frame 8: nobody was found"):
        file.swap([7, 8], ("legs",), keypoints)
    with pytest.raises(InputError, match="frame 40 is not in the clip"):
        file.swap([40], ("legs",), keypoints)
    assert not file.path.exists()


def test_another_file_is_taken_over(file: CorrectionsFile, info: SourceInfo, tmp_path: Path) -> None:
    file.put({"index": 3, "joints": {"nose": {"x": 1, "y": 2}}})
    other = tmp_path / "cvat.json"
    other.write_text(json.dumps(coco_of(3, 9)), encoding="utf-8")
    assert file.take(other) == 2
    found = on_disk(file, info).frames
    assert found[3].keypoints[0].tolist() == [10, 20, 2]
    assert found[9].corrected.all()
    assert file.clear(range(4)) == 1
    assert list(on_disk(file, info).frames) == [9]


_WRITER = """
import sys
from pathlib import Path
from ttpose.core.skeleton import COCO17
from ttpose.corrections.store import CorrectionsFile
from ttpose.media import SourceInfo
clip = Path(sys.argv[1])
info = SourceInfo(clip, "video", 160, 120, 100_000, None, None, 0)
file = CorrectionsFile(clip.with_name("corrections.json"), COCO17, info)
for i in range(100_000):
    file.put({"index": i, "joints": {"nose": {"x": 1 + i % 100, "y": 2}}})
    print(i, flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_kill_loses_nothing_that_was_saved(info: SourceInfo, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(info.path)], stdout=subprocess.PIPE, text=True, env=environment()
    )
    assert process.stdout is not None
    saved = [int(process.stdout.readline()) for _ in range(60)]
    process.send_signal(signal.SIGKILL)
    saved += [int(line) for line in process.communicate()[0].split()]
    whole = SourceInfo(info.path, "video", 160, 120, 100_000, None, None, 0)
    found = read_corrections(tmp_path / "corrections.json", COCO17, whole).frames
    assert set(saved) <= set(found)
    assert all(frame.keypoints[0].tolist() == [1 + i % 100, 2, 2] for i, frame in found.items())
    sweep(tmp_path)  # what personalizing does first
    assert {path.name for path in tmp_path.iterdir()} == {"walk.mp4", "corrections.json"}


def test_frames_and_parts_as_commands_name_them() -> None:
    assert frames_named("162-163, 7,7,9-9") == [162, 163, 7, 9]
    assert parts_named("all") == ("legs", "arms", "head")
    for wrong in ("", "a", "5-3", "1-2-3", "-4", "0-99999999", "١"):
        with pytest.raises(UsageError):
            frames_named(wrong)
    with pytest.raises(UsageError, match="use legs, arms, head or all"):
        parts_named("feet")
