"""`ttpose correct`: corrections without a page, the ways to name clip and folder, and how the page ends."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from tests import sample
from tests.cli.fake_api import FakeApi
from tests.clips import write_clip
from tests.corrections.examples import coco_of
from tests.report.examples import figure, result_of
from ttpose.cli.app import app
from ttpose.cli.correct_learning import learner_for
from ttpose.core.progress import Progress
from ttpose.core.skeleton import COCO17
from ttpose.corrections import Corrections, read_corrections
from ttpose.corrections.records import json_schema
from ttpose.media import open_source
from ttpose.results import write_json

KNEES = [COCO17.index("left_knee"), COCO17.index("right_knee")]


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200"})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Results of `walk.mp4` beside the clip; nobody is in frame 20."""
    monkeypatch.chdir(tmp_path)
    write_clip(Path("walk.mp4"), 40)
    people = [None if i == 20 else figure(0.5 * i) for i in range(40)]
    write_json(result_of(Path("walk.mp4"), people), "walk_ttpose/keypoints.json")
    return Path("walk_ttpose")


def written(folder: Path) -> Corrections:
    jsonschema.validate(json.loads((folder / "corrections.json").read_text(encoding="utf-8")), json_schema())
    return read_corrections(folder / "corrections.json", COCO17, open_source("walk.mp4").info)


def test_swaps_are_written_without_a_page(folder: Path) -> None:
    result = run("correct", folder, "--swap", "legs", "2-3", "--swap", "all", "7,9")
    assert result.exit_code == 0, result.output
    found = written(folder).frames
    assert {index: frame.swaps for index, frame in found.items()} == {
        2: ("legs",), 3: ("legs",), 7: ("legs", "arms", "head"), 9: ("legs", "arms", "head"),
    }  # fmt: skip
    left, right = KNEES
    np.testing.assert_allclose(found[3].sides[left], figure(1.5)[right, :2])
    assert "swapped (legs) in 2 frames of 2-3" in result.stdout
    assert "corrections of 4 frames" in result.stdout


def test_swaps_are_cleared_and_not_made_twice(folder: Path) -> None:
    run("correct", folder, "--swap", "legs", "2-4")
    again = run("correct", folder, "--swap", "legs", "4-5")
    assert "swapped (legs) in 1 frame of 4-5; 1 frame had that before" in again.stdout
    assert "2 frames of 0-3 cleared" in run("correct", folder, "--clear", "0-3").stdout
    assert list(written(folder).frames) == [4, 5]


def test_files_of_annotation_tools_are_taken_over(folder: Path) -> None:
    Path("cvat.json").write_text(json.dumps(coco_of(3, 9)), encoding="utf-8")
    result = run("correct", folder, "--import", "cvat.json", "--swap", "arms", "4")
    assert result.exit_code == 0, result.output
    found = written(folder).frames
    assert list(found) == [3, 4, 9]
    assert found[9].corrected.all()


def test_the_folder_is_found_by_the_clip_or_the_keypoints(folder: Path) -> None:
    for name in ("walk.mp4", "walk_ttpose/keypoints.json", "walk_ttpose"):
        assert run("correct", name, "--swap", "legs", "2").exit_code == 0
    assert list(written(folder).frames) == [2]


def test_a_clip_that_was_moved_is_named(folder: Path) -> None:
    Path("walk.mp4").rename("moved.mp4")
    result = run("correct", folder, "--swap", "legs", "2")
    assert (result.exit_code, "--clip FILE" in result.stderr) == (1, True)
    assert run("correct", folder, "--clip", "moved.mp4", "--swap", "legs", "2").exit_code == 0
    write_clip(Path("other.mp4"), 41)
    result = run("correct", folder, "--clip", "other.mp4", "--swap", "legs", "2")
    assert (result.exit_code, "41 frames, the results have 40" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--swap", "feet", "2"), 2, "left and right of 'feet' cannot be swapped"),
        (("--swap", "legs", "a"), 2, "'a' names no frames"),
        (("--swap", "legs", "40"), 1, "frame 40 is not in the clip, which has the frames 0 to 39"),
        (("--swap", "legs", "19-21"), 1, "frame 20: nobody was found there"),
        (("--swap", "legs"), 2, "--swap legs says no frames"),
        (("--import", "walk.mp4"), 1, "walk.mp4 is not a corrections file"),
    ],
)
def test_wrong_use_is_one_line_and_writes_nothing(
    folder: Path, words: tuple[str, ...], code: int, message: str
) -> None:
    result = run("correct", folder, *words)
    assert (result.exit_code, message in result.stderr) == (code, True), result.output
    assert "Traceback" not in result.output
    assert not (folder / "corrections.json").exists()


def test_folders_without_results_are_told(folder: Path) -> None:
    for name, code, message in (
        ("nothing_ttpose", 2, "no such folder"), (".", 2, "not a result folder"), ("cvat.json", 2, "no such folder"),
    ):  # fmt: skip
        result = run("correct", name)
        assert (result.exit_code, message in result.stderr) == (code, True), result.output
    write_clip(Path("new.mp4"), 3)
    assert "run `ttpose personalize new.mp4` first" in run("correct", "new.mp4").stderr


def record(folder: Path, *names: str, **settings: object) -> None:
    entry = {"ttpose_version": "0.1.0", "settings": {"command": "personalize", "preset": "fast", **settings}}
    files = dict.fromkeys(("keypoints.json", *names), entry)
    content = {"schema": "ttpose.run/1", "input": str(Path("walk.mp4").resolve()), "files": files, "details": {}}
    (folder / "run.json").write_text(json.dumps(content), encoding="utf-8")


def test_learning_makes_the_files_anew_that_are_there(folder: Path, api: FakeApi) -> None:
    names = ("keypoints.trc", "angles.csv", "overlay.mp4", "person.safetensors")
    record(folder, *names, steps=3, seed=7, smooth="savgol", fill_gaps=0.5)
    run("correct", folder, "--swap", "legs", "2")
    learner, why_not = learner_for(Path("walk.mp4"), folder, "cpu")
    assert learner is not None and why_not is None
    learned = learner(folder / "corrections.json", Progress())
    [(_, source, how)] = api.calls
    assert source == Path("walk.mp4")
    assert Path(how["corrections"]) == (folder / "corrections.json").absolute()
    assert (how["preset"], how["steps"], how["seed"], how["mode"]) == ("fast", 3, 7, "offline")
    there = {path.name for path in folder.iterdir()}
    assert {*names, "keypoints.json", "keypoints_smoothed.trc"} <= there
    assert not there & {"report.html", "keypoints.csv", "side_by_side.mp4"}
    assert learned.result.smoothing is not None and learned.result.smoothing["method"] == "savgol"


def test_learning_keeps_the_results_keypoint_set(folder: Path, api: FakeApi) -> None:
    record(folder)
    run("correct", folder, "--swap", "legs", "2")
    for skeleton in (None, "coco17"):
        learner, _ = learner_for(Path("walk.mp4"), folder, "cpu", skeleton)
        assert learner is not None
        learner(folder / "corrections.json", Progress())
        assert api.calls[-1][2].get("skeleton") == skeleton


@pytest.mark.parametrize("more", ["base_sha256", "person_sha256", "same_person"])
def test_results_made_of_more_than_the_clip_say_how_to_learn(folder: Path, more: str) -> None:
    record(folder, **{more: "ab"})
    learner, why_not = learner_for(Path("walk.mp4"), folder, "cpu")
    assert learner is None
    assert why_not is not None and "--corrections walk_ttpose/corrections.json" in why_not


@pytest.fixture
def page(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """A running page: its process, address and token."""
    process = subprocess.Popen(
        [*sample.COMMAND, "correct", str(folder), "--no-browser", *sample.CPU],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=sample.environment(),
    )  # fmt: skip
    assert process.stdout is not None
    line = process.stdout.readline()
    told = re.fullmatch(r"walk\.mp4: correct it at http://(127\.0\.0\.1:\d+)/\?token=(\S+)\n", line)
    assert told is not None, line
    yield process, told[1], told[2]
    process.kill()
    process.communicate()


def ask(page: tuple[subprocess.Popen[str], str, str], method: str, path: str, body: str | None = None) -> bytes:
    connection = http.client.HTTPConnection(page[1], timeout=20)
    connection.request(method, path, body, {"X-Token": page[2]})
    answer = connection.getresponse()
    assert answer.status == 200
    return answer.read()


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize(("end", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143), (signal.SIGKILL, -9), (None, 0)])
def test_the_page_ends_and_what_was_said_is_kept(
    folder: Path, page: tuple[subprocess.Popen[str], str, str], end: signal.Signals | None, code: int
) -> None:
    ask(page, "PUT", "/frame/5", json.dumps({"index": 5, "joints": {"nose": {"x": 10, "y": 20}}}))
    if end is None:
        ask(page, "POST", "/quit")
    else:
        page[0].send_signal(end)
    out, errors = page[0].communicate(timeout=30)
    assert (page[0].returncode, errors) == (code, "")
    assert ("corrections of 1 frame" in out) == (code >= 0)
    assert written(folder).frames[5].keypoints[0].tolist() == [10, 20, 2]
