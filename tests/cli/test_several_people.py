"""`--people`, and `--subject` by input: which files are written, what the API is asked, and wrong use."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.cli.fake_api import FakeApi
from ttpose.cli.app import app
from ttpose.core.files import sha256_of
from ttpose.results import read_json


def run(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


def names(folder: str) -> set[str]:
    return {path.name for path in Path(folder).iterdir()} - {"log.txt", "run.json"}


def test_predict_writes_a_trc_file_for_each_person(api: FakeApi, clips: Path) -> None:
    line = ("predict", clips / "a.mp4", "--people", "all", "--format", "json,csv,trc,openpose", "--device", "cpu")
    result = run(*line)
    assert result.exit_code == 0, result.output
    assert api.calls[0][2]["people"] == "all"
    trc = {f"keypoints_person_{n}.trc" for n in (1, 2, 3)}
    assert names("a_ttpose") == {"keypoints.json", "keypoints.csv", "openpose", "overlay.mp4", *trc}
    assert len({Path("a_ttpose", name).read_text().splitlines()[6] for name in trc}) == 3
    with open("a_ttpose/keypoints.csv", encoding="utf-8") as table:
        assert {row["person"] for row in csv.DictReader(table)} == {"1", "2", "3", ""}
    people = json.loads(min(Path("a_ttpose/openpose").iterdir()).read_text())["people"]
    assert [person["person_id"] for person in people] == [[1], [2], [3]]
    assert "people in 1 of 2 frames" in result.stdout and "3" in result.stdout


def test_files_of_each_person_count_for_being_finished(api: FakeApi, clips: Path) -> None:
    line = ("predict", clips / "a.mp4", "--people", "all", "--format", "trc", "--device", "cpu")
    assert run(*line).exit_code == 0
    assert "skipped" in run(*line).stdout and len(api.calls) == 1
    Path("a_ttpose/keypoints_person_3.trc").unlink()
    assert "done" in run(*line).stdout and len(api.calls) == 2
    assert "done" in run(*line[:-4], "--format", "trc,json", "--device", "cpu").stdout, "a new format is made"


def test_one_of_several_people_has_a_file_with_a_number_too(api: FakeApi, clips: Path) -> None:
    assert run("predict", clips / "a.mp4", "--people", "1", "--format", "trc", "--device", "cpu").exit_code == 0
    assert names("a_ttpose") == {"keypoints_person_1.trc", "overlay.mp4"}


def test_without_the_option_the_api_is_asked_as_before(api: FakeApi, clips: Path) -> None:
    assert run("predict", clips / "a.mp4", "--format", "trc", "--device", "cpu").exit_code == 0
    assert "people" not in api.calls[0][2] and names("a_ttpose") == {"keypoints.trc", "overlay.mp4"}


def test_convert_writes_a_trc_file_for_each_person(api: FakeApi, clips: Path) -> None:
    assert run("predict", clips / "a.mp4", "--people", "2", "--device", "cpu").exit_code == 0
    assert run("convert", "a_ttpose", "--to", "trc", "-o", "files", "--height-m", "1.75").exit_code == 0
    assert names("files") == {"keypoints_person_1.trc", "keypoints_person_2.trc"}


def test_personalize_writes_a_person_file_and_a_page_for_each_who_was_learned(api: FakeApi, clips: Path) -> None:
    result = run("personalize", clips / "a.mp4", "--people", "all", "--device", "cpu", "--format", "json,trc", "--json")
    assert result.exit_code == 0, result.output
    name, _, how = api.calls[0]
    assert name == "personalize_people" and how["people"] == "all" and how["subject"] == "auto"
    assert names("a_ttpose") == {
        "keypoints.json", "overlay.mp4", "person_1.safetensors", "person_2.safetensors",
        "report.html", "report_person_2.html", "report_person_3.html",
        "keypoints_person_1.trc", "keypoints_person_2.trc", "keypoints_person_3.trc",
    }  # fmt: skip
    found = read_json("a_ttpose/keypoints.json")
    assert [person.id for person in found.frames[0].people] == [1, 2, 3] and found.model["person"] is None
    one, two, three = found.people
    assert two.weights["person_sha256"] == sha256_of("a_ttpose/person_2.safetensors")
    assert one.weights["person"] == "person_1.safetensors" and one.weights["guard"]["decision"] == "personalized"
    assert three.weights is None
    assert Path("a_ttpose/report_person_2.html").read_text() == "report of a.mp4, person 2 of 3"
    (done,) = (event for event in map(json.loads, result.stdout.splitlines()) if event["event"] == "result")
    assert done["details"]["guards"] == {"1": "personalized", "2": "personalized"}
    assert set(done["files"]) == names("a_ttpose")
    assert "3 people; person 1: " in done["text"] and "not personalized: 3" in done["text"]


def test_several_people_are_asked_for_in_a_keypoint_set(api: FakeApi, clips: Path) -> None:
    result = run("personalize", clips / "a.mp4", "--people", "all", "--skeleton", "coco17", "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert api.calls[0][0] == "personalize_people" and api.calls[0][2]["skeleton"] == "coco17"


def test_personalize_for_one_person_is_what_it_always_was(api: FakeApi, clips: Path) -> None:
    assert run("personalize", clips / "a.mp4", "--people", "1", "--device", "cpu").exit_code == 0
    assert api.calls[0][0] == "personalize" and "person.safetensors" in names("a_ttpose")


def test_more_people_than_there_are_is_wrong_use_but_others_are_done(api: FakeApi, clips: Path) -> None:
    result = run("predict", clips / "a.mp4", "--people", "4", "--device", "cpu")
    assert result.exit_code == 2
    assert "only 3 people were seen" in result.stderr and "--people all" in result.stderr
    assert not Path("a_ttpose/keypoints.json").exists()
    (clips / "b.mp4").rename(clips / "b_empty.mp4")  # fails too, but is not used wrongly
    assert run("predict", clips, "--people", "4", "--device", "cpu", "-o", "out").exit_code == 2
    assert [call[1].name for call in api.calls[1:]] == ["a.mp4", "b_empty.mp4", "photo.jpg"]


@pytest.mark.parametrize("people", ["0", "-1", "two", "1.5", "all,1", ""])
@pytest.mark.parametrize("command", ["predict", "personalize"])
def test_what_is_no_number_of_people_is_wrong_use(api: FakeApi, clips: Path, command: str, people: str) -> None:
    result = run(command, clips / "a.mp4", "--people", people)
    assert result.exit_code == 2 and "number from 1, or all" in " ".join(result.stderr.split())
    assert not api.calls


@pytest.mark.parametrize(
    "others", [("--same-person",), ("--person", "x"), ("--save-as", "anna")], ids=lambda words: words[0]
)
def test_options_about_one_person_do_not_go_with_people(api: FakeApi, clips: Path, others: tuple[str, ...]) -> None:
    (clips.parent / "x").write_text("weights")
    result = run("personalize", clips / "a.mp4", "--people", "all", *others)
    assert result.exit_code == 2
    assert f"{others[0]} is about one person" in result.stderr
    assert not api.calls


def test_whom_to_follow_is_said_once_or_once_an_input(api: FakeApi, clips: Path) -> None:
    a, b = clips / "a.mp4", clips / "b.mp4"
    assert run("predict", a, b, "--subject", "largest", "--subject", "10, 20", "--device", "cpu").exit_code == 0
    assert [how["subject"] for _, _, how in api.calls] == ["largest", "10,20"]
    assert run("personalize", a, b, "--subject", "center", "--device", "cpu", "-o", "out").exit_code == 0
    assert [how["subject"] for _, _, how in api.calls[2:]] == ["center", "center"]
    both = ("personalize", a, b, "--subject", "auto", "--subject", "1,2", "--device", "cpu")
    assert run(*both, "-o", "each").exit_code == 0
    assert [how["subject"] for _, _, how in api.calls[4:]] == ["auto", "1,2"]
    assert run(*both, "--same-person", "-o", "same").exit_code == 0
    assert api.calls[6][2]["subject"] == {str(a): "auto", str(b): "1,2"}
    wrong = run("predict", a, "--subject", "auto", "--subject", "largest")
    assert wrong.exit_code == 2 and "given 2 times for 1 input" in wrong.stderr
