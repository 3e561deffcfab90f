from __future__ import annotations

from pathlib import Path

from tests.sample import ttpose, write_part
from ttpose.models.checkpoint import load_model, save_model
from ttpose.models.store import model_path
from ttpose.results import read_json


def test_the_command_without_a_window(tmp_path: Path) -> None:
    write_part(tmp_path / "dance.mp4", range(24))
    save_model(load_model(model_path("mobile.safetensors")), tmp_path / "mine.safetensors")
    done = ttpose(
        "live", "--source", "dance.mp4", "--no-display", "--output", "live.json", "--base", "mine.safetensors",
        "--save", "me.safetensors", "--device", "cpu", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("24 frames")
    assert "the person in 24" in done.stdout
    saved = (tmp_path / "me.safetensors").exists()  # a slow machine may not have come to a first step
    assert ("saved me.safetensors" if saved else "nothing was learned so far") in done.stderr
    made = read_json(tmp_path / "live.json")
    assert (len(made.frames), made.model["base"]) == (24, "mine")
    again = ttpose("live", "--source", "dance.mp4", "--no-display", "--output", "live.json", cwd=tmp_path)
    assert again.returncode == 2
    assert "--overwrite" in again.stderr


def test_wrong_use_and_missing_cameras(tmp_path: Path) -> None:
    both = ttpose("live", "--camera", "0", "--source", "a.mp4", cwd=tmp_path)
    assert (both.returncode, "give one of them" in both.stderr) == (2, True)
    part = ttpose("live", "--time-range", "1", "2", cwd=tmp_path)
    assert (part.returncode, "--time-range is for video files" in part.stderr) == (2, True)
    (tmp_path / "me_2.safetensors").write_bytes(b"weights")
    people = ("live", "--source", "a.mp4", "--people", "all", "--save", "me.safetensors")
    there = ttpose(*people, cwd=tmp_path)
    assert (there.returncode, "me_2.safetensors exists already" in there.stderr) == (2, True)
    none = ttpose("live", "--source", "a.mp4", "--people", "0", cwd=tmp_path)
    assert (none.returncode, "number from 1, or all" in " ".join(none.stderr.split())) == (2, True)
    missing = ttpose("live", "--camera", "987", "--no-display", "--device", "cpu", cwd=tmp_path)
    assert missing.returncode == 1
    assert missing.stderr.startswith("ttpose: camera 987 cannot be opened\n  hint: ")
    assert missing.stdout == ""
