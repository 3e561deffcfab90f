"""`--same-person`, `--person` and `--save-as` on a stand-in for `ttpose.api`."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from typer.testing import CliRunner, Result

from tests.cli.fake_api import FakeApi, FakePerson
from ttpose.cli.app import app
from ttpose.core.files import sha256_of
from ttpose.people.library import DATA_VARIABLE, Library
from ttpose.results import read_json

METADATA = {"format": "ttpose.person/1", "base_sha256": "ab" * 32, "source": "a.mp4"}


@pytest.fixture(autouse=True)
def persons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library of its own, and person files that are some."""
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "data"))
    monkeypatch.setattr(
        FakePerson, "save", lambda self, path: save_file({"nothing": np.zeros(1, np.float32)}, path, METADATA)
    )


def run(*words: str | Path) -> Result:
    line = ["personalize", *map(str, words), "--device", "cpu"]
    return CliRunner().invoke(app, line, env={"COLUMNS": "200"})


def files(folder: str) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file()}


def test_one_person_file_and_the_results_of_each_input(api: FakeApi, clips: Path) -> None:
    result = run("--same-person", clips, "-o", "out", "--seed", "3")
    assert result.exit_code == 0, result.output
    assert files("out") == {
        "person.safetensors", "run.json", "log.txt", "summary.csv", "summary.json",
        *(f"{name}_ttpose/{file}" for name in ("a", "b", "photo")
          for file in ("keypoints.json", "angles.csv", "report.html", "run.json", "log.txt")),
        "a_ttpose/angles.mot", "a_ttpose/overlay.mp4", "b_ttpose/angles.mot", "b_ttpose/overlay.mp4",
        "photo_ttpose/overlay.jpg",
    }  # fmt: skip
    name, _, how = api.calls[0]
    assert name == "learn_person"
    assert [path.name for path in how["sources"]] == ["a.mp4", "b.mp4", "photo.jpg"]
    assert {key: how[key] for key in how if key != "sources"} == {
        "preset": "balanced", "steps": None, "subject": "auto", "seed": 3, "device": "cpu",
    }  # fmt: skip
    model = read_json("out/a_ttpose/keypoints.json").model
    assert (model["person"], model["person_sha256"]) == ("../person.safetensors", sha256_of("out/person.safetensors"))
    assert "one person from 3 inputs; personalized weights used: test-time views agree better on" in result.stdout
    rows = list(csv.DictReader(Path("out/summary.csv").read_text().splitlines()))
    assert [(Path(row["input"]).name, row["status"]) for row in rows] == [
        ("a.mp4", "done"), ("b.mp4", "done"), ("photo.jpg", "done"),
    ]  # fmt: skip


def test_it_is_skipped_when_finished_and_made_again_with_one_more_input(api: FakeApi, clips: Path) -> None:
    words = ("--same-person", clips, "-o", "out")
    assert run(*words).exit_code == 0
    calls = len(api.calls)
    again = run(*words)
    assert (again.exit_code, len(api.calls)) == (0, calls)
    assert "skipped" in again.stdout
    (clips / "c.mp4").write_bytes(b"another")
    assert run(*words).exit_code == 0
    assert len(api.calls) > calls
    assert Path("out/c_ttpose/keypoints.json").is_file()


def test_after_a_stop_only_what_is_missing_is_made(api: FakeApi, clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(source: Path, result: Any, path: Path) -> None:
        if source.name == "b.mp4":
            raise KeyboardInterrupt
        path.write_text("overlay")

    words = ("--same-person", clips, "-o", "out")
    with monkeypatch.context() as patch:
        patch.setattr(api, "write_overlay", stop)
        assert run(*words).exit_code == 130
    before = Path("out/a_ttpose/run.json").read_bytes()
    api.calls.clear()
    again = run(*words)
    assert again.exit_code == 0, again.output
    assert [(name, path.name) for name, path, _ in api.calls] == [
        ("learn_person", "a.mp4"), ("personalize", "b.mp4"), ("personalize", "photo.jpg"),
    ]  # fmt: skip
    assert api.calls[0][2]["learned"] == Path("out/person.safetensors")
    assert "the person was learned before; 2 of 3 inputs predicted now" in again.stdout
    assert Path("out/a_ttpose/run.json").read_bytes() == before
    rows = json.loads(Path("out/summary.json").read_text())["files"]
    assert [row["status"] for row in rows] == ["skipped", "done", "done"]


def test_what_another_person_file_made_is_made_again(
    api: FakeApi, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("--same-person", clips, "-o", "out")
    assert run(*words).exit_code == 0
    Path("out/photo_ttpose/keypoints.json").unlink()
    api.calls.clear()
    other = run(*words, "--preset", "fast")  # with other settings it is another person
    assert other.exit_code == 0
    assert "learned" not in api.calls[0][2]
    assert [row["status"] for row in json.loads(Path("out/summary.json").read_text())["files"]] == ["done"] * 3
    Path("out/photo_ttpose/keypoints.json").unlink()
    save_file({"nothing": np.ones(1, np.float32)}, Path("out/person.safetensors"), METADATA)
    api.calls.clear()
    assert run(*words, "--preset", "fast").exit_code == 0
    assert [path.name for name, path, _ in api.calls if name == "personalize"] == ["a.mp4", "b.mp4", "photo.jpg"]


def test_files_of_ones_own_stay(api: FakeApi, clips: Path) -> None:
    for name in ("overlay.mp4", "report.html"):
        Path(name).write_text("mine")
    assert run("--same-person", clips).exit_code == 0
    assert Path("overlay.mp4").read_text() == Path("report.html").read_text() == "mine"


def test_a_bad_input_is_left_out(api: FakeApi, clips: Path) -> None:
    (clips / "a_empty.mp4").write_bytes(b"x")
    result = run("--same-person", clips, "-o", "out", "--save-as", "anna")
    assert result.exit_code == 1
    assert "a_empty.mp4 is left out: nobody was found" in result.stderr
    assert Path("out/person.safetensors").is_file()
    assert not Path("out/a_empty_ttpose").exists()
    assert Library().names() == ["anna"]
    statuses = {
        Path(row["input"]).name: row["status"] for row in json.loads(Path("out/summary.json").read_text())["files"]
    }
    assert statuses == {"a.mp4": "done", "a_empty.mp4": "failed", "b.mp4": "done", "photo.jpg": "done"}
    calls = len(api.calls)
    again = run("--same-person", clips, "-o", "out")
    assert (again.exit_code, len(api.calls)) == (1, calls)  # it is no better now
    (clips / "a_empty.mp4").unlink()
    assert run("--same-person", clips, "-o", "out").exit_code == 0


@pytest.mark.parametrize("stopped", [True, False])
def test_a_person_learned_before_is_kept_though_an_input_was_left_out(
    api: FakeApi, clips: Path, monkeypatch: pytest.MonkeyPatch, stopped: bool
) -> None:
    def stop(source: Path, result: Any, path: Path) -> None:
        path.write_text("overlay")
        if source.name == "b.mp4":
            raise KeyboardInterrupt

    (clips / "a_empty.mp4").write_bytes(b"x")
    words = ("--same-person", clips, "-o", "out")
    if stopped:
        with monkeypatch.context() as patch:
            patch.setattr(api, "write_overlay", stop)
            assert run(*words, "--save-as", "anna").exit_code == 130
    else:
        assert run(*words).exit_code == 1
    assert Library().names() == []
    made = Path("out/person.safetensors").read_bytes()
    again = run(*words, "--save-as", "anna")
    assert again.exit_code == 1  # an input is left out
    assert "kept as anna: " in again.stderr
    assert Library().get("anna").path.read_bytes() == made


def test_an_earlier_person_is_not_kept_where_learning_failed(api: FakeApi, clips: Path) -> None:
    assert run("--same-person", clips, "-o", "out").exit_code == 0
    (clips / "empty.mp4").write_bytes(b"x")  # nobody in it
    failed = run("--same-person", clips / "empty.mp4", "-o", "out", "--save-as", "anna")
    assert failed.exit_code == 1
    assert "nothing was made that could be kept as anna" in failed.stderr
    assert Library().names() == []


def test_nobody_in_any_input_is_one_failure(api: FakeApi, clips: Path) -> None:
    only = clips / "a_empty.mp4"
    only.write_bytes(b"x")
    result = run("--same-person", only, "-o", "out", "--save-as", "anna")
    assert result.exit_code == 1
    assert "nobody in any of them" in result.stderr
    assert not Path("out").exists()
    assert Library().names() == []


def test_results_of_another_input_are_not_touched(api: FakeApi, clips: Path) -> None:
    (clips / "deep").mkdir()
    (clips / "deep" / "a.mp4").write_bytes(b"another")
    assert run(clips / "deep" / "a.mp4", "-o", "out").exit_code == 0
    before = Path("out/a_ttpose/keypoints.json").read_bytes()
    result = run("--same-person", clips / "a.mp4", clips / "b.mp4", "-o", "out")
    assert result.exit_code == 1
    assert "already holds the results of" in result.stderr
    assert Path("out/a_ttpose/keypoints.json").read_bytes() == before


def test_pictures_of_other_keypoints_go(api: FakeApi, clips: Path) -> None:
    assert run("--same-person", clips, "-o", "out").exit_code == 0
    assert run("--same-person", clips, "-o", "out", "--no-overlay", "--no-report", "--overwrite").exit_code == 0
    assert not list(Path("out").rglob("overlay.*")) + list(Path("out").rglob("report.html"))


def test_a_person_is_kept_and_continued_by_name(api: FakeApi, clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(clips / "a.mp4", "--save-as", "anna")
    assert first.exit_code == 0, first.output
    assert "kept as anna" in first.stderr
    kept = Library().find("anna")
    assert kept is not None
    assert kept.read_bytes() == Path("a_ttpose/person.safetensors").read_bytes()
    assert run(clips / "a.mp4", "--save-as", "anna").exit_code == 0  # skipped, and the same person already
    monkeypatch.setitem(METADATA, "source", "b.mp4")
    taken = run(clips / "b.mp4", "--save-as", "Anna")
    assert taken.exit_code == 2
    assert "already" in taken.stderr
    calls = len(api.calls)
    continued = run(clips / "b.mp4", "--person", "anna", "--name", "anna")
    assert continued.exit_code == 0, continued.output
    how: dict[str, Any] = api.calls[calls][2]
    assert how["person"] == kept.absolute()
    assert Library().get("anna").notes["source"] == "b.mp4"
    settings = json.loads(Path("b_ttpose/run.json").read_text())["files"]["person.safetensors"]["settings"]
    assert len(settings["person_sha256"]) == 64


def test_a_person_on_another_base_is_kept_with_a_word_about_it(api: FakeApi, clips: Path) -> None:
    Path("mine.safetensors").write_text("weights")
    made = run(clips / "a.mp4", "--save-as", "anna", "--base", "mine.safetensors")
    assert made.exit_code == 0, made.output
    assert "kept as anna: ttpose predict INPUT --weights anna --base mine.safetensors" in made.stderr


def test_predict_by_name(api: FakeApi, clips: Path) -> None:
    run(clips / "a.mp4", "--save-as", "anna")
    line = ["predict", str(clips / "b.mp4"), "--weights", "anna", "--device", "cpu"]
    assert CliRunner().invoke(app, line).exit_code == 0
    assert api.calls[-1][2]["weights"] == Library().find("anna")
    line[3] = "ana"
    missing = CliRunner().invoke(app, line)
    assert missing.exit_code == 1
    assert "did you mean anna?" in missing.stderr


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--same-person", "--mode", "online"), "online"),
        (("--same-person", "--jobs", "2"), "one piece of work"),
        (("--save-as", "anna"), "--same-person"),
        (("--same-person", "--save-as", "a/b"), "cannot be"),
    ],
)
def test_wrong_use(api: FakeApi, clips: Path, words: tuple[str, ...], why: str) -> None:
    result = run(clips, *words)
    assert result.exit_code == 2, result.output
    assert why in result.stderr
    assert api.calls == []


def test_json_lines_of_all_inputs_together(api: FakeApi, clips: Path) -> None:
    result = run("--same-person", clips, "-o", "out", "--json")
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [event["event"] for event in found if event["event"] in ("start", "input", "result", "summary")] == [
        "start", "input", "result", "summary",
    ]  # fmt: skip
    (made,) = [event for event in found if event["event"] == "result"]
    assert made["input"] == made["folder"] == "out"
    assert {"person.safetensors", "a_ttpose/keypoints.json"} <= set(made["files"])
    assert found[-1]["done"] == 3
