from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from tests.cli.fake_api import FakeApi
from ttpose.adaptation.guard.metrics import GuardReport
from ttpose.cli.app import app
from ttpose.cli.corrections_files import corrections_by_source
from ttpose.core.files import sha256_of
from ttpose.report.words import guard_words

SENTENCE = "on the 5 frames you corrected, each predicted by a model that had not seen it: 14.0 px → 8.0 px (-43 %)"
CLIPS = [Path("a/run.mp4"), Path("b/jump.mp4")]


def _file(folder: Path, name: str, clip: str) -> Path:
    content = {"schema": "ttpose.corrections/1", "clip": {"name": clip}}
    (folder / name).write_text(json.dumps(content))
    return folder / name


def test_one_input_takes_its_file_whatever_it_names(tmp_path):
    file = _file(tmp_path, "c.json", "renamed.mp4")
    assert corrections_by_source([file], CLIPS[:1]) == {"a/run.mp4": str(file)}


def test_personalize_hands_the_file_on_and_records_what_it_holds(api: FakeApi, clips: Path) -> None:
    file = _file(clips, "corrections.json", "a.mp4")
    words = ["personalize", str(clips / "a.mp4"), "--corrections", str(file), "--device", "cpu"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    ((_, _, how),) = api.calls
    assert how["corrections"] == str(file)
    settings = json.loads(Path("a_ttpose/run.json").read_text())["files"]["keypoints.json"]["settings"]
    assert settings["corrections_sha256"] == [sha256_of(file)]


def test_the_console_says_what_was_measured() -> None:
    guard = GuardReport("personalized", SENTENCE, {}, {"frames": 5})
    assert guard_words(guard) == f"personalized weights used: {SENTENCE}"
