from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from typer.testing import CliRunner

from tests.cli.fake_api import made_result
from ttpose import __version__
from ttpose.cli.app import app
from ttpose.results import write_json


def test_this_machine() -> None:
    values = json.loads(CliRunner().invoke(app, ["info", "--json"]).stdout)
    assert values["ttpose"] == __version__
    assert "cpu" in values["devices"]
    assert values["cores"] >= 1
    assert values["packages"]["torch"]
    text = CliRunner().invoke(app, ["info"]).stdout
    for word in ("devices:", "cpu:", "torch:", "models:", __version__):
        assert word in text


def test_a_keypoints_file(tmp_path: Path) -> None:
    path = tmp_path / "keypoints.json"
    write_json(made_result(tmp_path / "walk.mp4"), path)
    values = json.loads(CliRunner().invoke(app, ["info", str(path), "--json"]).stdout)
    assert values["holds"] == "keypoints"
    assert (values["frames"], values["frames_with_people"], values["people"]) == (2, 1, 1)
    assert values["mean_score"] == 0.5
    assert values["notes"] == {"nobody found": 1}
    short = CliRunner().invoke(app, ["info", str(path)]).stdout.splitlines()
    assert short == [
        f"file: {path}",
        "holds: keypoints",
        f"source: {tmp_path / 'walk.mp4'}, 64 x 48",
        "model: mobile",
        "skeleton: coco17, 17 keypoints",
        "frames: 2",
        "frames_with_people: 1",
        "people: 1",
        "mean_score: 0.5",
        "frames_with_notes: 1",
    ]
    full = CliRunner().invoke(app, ["info", str(path), "--full"]).stdout.splitlines()
    assert "  nobody found: 1" in full and "  base_sha256: " + "ab" * 32 in full


def test_a_weights_file_and_a_damaged_one(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file({"a": np.zeros(5, np.float32), "b": np.zeros((2, 2), np.int8)}, path, {"note": "hello", "n": "3"})
    text = CliRunner().invoke(app, ["info", str(path), "--full"]).stdout
    for line in ("tensors: 2", "  F32: 5", "  I8: 4", "  note: hello", "  n: 3"):
        assert line in text.splitlines()
    short = CliRunner().invoke(app, ["info", str(path)]).stdout.splitlines()
    assert [line.split(":")[0] for line in short] == ["file", "holds", "sha256", "megabytes", "parameters"]
    assert short[-1] == "parameters: 9"
    path.write_bytes(path.read_bytes()[:-3])
    result = CliRunner().invoke(app, ["info", str(path)])
    assert result.exit_code == 1
    assert "w.safetensors is a damaged weights file" in result.stderr


@pytest.mark.parametrize(
    "guard", [{"decision": "base", "reason": "worse"}, {"verdict": "base", "reason": "worse", "figures": {}}]
)
def test_a_person_file_in_a_few_lines(tmp_path: Path, guard: dict[str, object]) -> None:
    path = tmp_path / "person.safetensors"
    settings = {"preset": "fast", **{f"setting_{number}": number for number in range(30)}}
    notes = {"guard": json.dumps(guard), "settings": json.dumps(settings), "source": "walk.mp4", "base": "mobile"}
    save_file({"a": np.zeros(5, np.float32)}, path, notes)
    short = CliRunner().invoke(app, ["info", str(path)]).stdout.splitlines()
    assert short[-5:] == ["base: mobile", "source: walk.mp4", "preset: fast", "decision: base", "reason: worse"]
    assert len(short) == 10


@pytest.mark.parametrize("content", [b"", b"hello", b'{"schema": "coco"}', b"\x89PNG\r\n\x1a\n"])
def test_a_file_that_is_neither(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.bin"
    path.write_bytes(content)
    result = CliRunner().invoke(app, ["info", str(path)])
    assert result.exit_code == 1
    assert "mine.bin" in result.stderr
    assert "Traceback" not in result.output


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["info", str(tmp_path / "none")])
    assert result.exit_code == 1
    assert "cannot read" in result.stderr
    assert CliRunner().invoke(app, ["info", str(tmp_path)]).exit_code == 1
