"""The commands personalize and predict on a stand-in for `ttpose.api`."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.cli.fake_api import FakeApi
from ttpose.cli.app import app
from ttpose.core.errors import WeightsError
from ttpose.core.files import atomic_path, sha256_of
from ttpose.results import read_json


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200"})


def events(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_personalize_writes_everything_beside_the_working_directory(api: FakeApi, clips: Path) -> None:
    result = run("personalize", clips / "a.mp4", "--device", "cpu", "--preset", "fast", "--seed", "3")
    assert result.exit_code == 0, result.output
    folder = Path("a_ttpose")
    assert sorted(path.name for path in folder.iterdir()) == [
        "angles.csv", "angles.mot", "keypoints.json", "log.txt", "overlay.mp4", "person.safetensors", "report.html",
        "run.json",
    ]  # fmt: skip
    model = read_json(folder / "keypoints.json").model
    assert (model["person"], model["person_sha256"]) == (
        "person.safetensors", sha256_of(folder / "person.safetensors"),
    )  # fmt: skip
    assert api.calls == [
        (
            "personalize",
            clips / "a.mp4",
            {
                "mode": "offline",
                "preset": "fast",
                "steps": None,
                "subject": "auto",
                "seed": 3,
                "device": "cpu",
            },
        )
    ]
    assert "a_ttpose" in result.stdout
    assert result.stdout.splitlines()[-2:] == [
        "  personalizing moved the keypoints by 2.5 % of the torso; "
        "personalized weights used: test-time views agree better on held-out frames, 0.25 → 0.125",
        "open a_ttpose/report.html",
    ]
    assert result.stderr.count("frame 1 is damaged") == 1


def test_a_report_is_written_unless_it_is_not_wanted(api: FakeApi, clips: Path) -> None:
    report = Path("a_ttpose/report.html")
    assert run("personalize", clips / "a.mp4", "--device", "cpu").exit_code == 0
    assert report.read_text() == "report of a.mp4"
    assert run("personalize", clips / "a.mp4", "--device", "cpu", "--no-report", "--overwrite").exit_code == 0
    assert not report.exists()  # it would tell of other keypoints


def test_a_report_that_fails_costs_nothing_else(api: FakeApi, clips: Path) -> None:
    (clips / "a.mp4").rename(clips / "unreportable.mp4")
    result = run("personalize", clips / "unreportable.mp4", "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert "warning: report.html could not be made: unexpected ZeroDivisionError: no report today" in result.stderr
    assert sorted(path.name for path in Path("unreportable_ttpose").iterdir()) == [
        "angles.csv", "angles.mot", "keypoints.json", "log.txt", "overlay.mp4", "person.safetensors", "run.json",
    ]  # fmt: skip


def test_personalizing_that_changed_almost_nothing_says_so(api: FakeApi, clips: Path) -> None:
    (clips / "a.mp4").rename(clips / "unmoved.mp4")
    result = run("personalize", clips / "unmoved.mp4", "--device", "cpu", "--json")
    (done,) = (event for event in events(result) if event["event"] == "result")
    assert done["text"].startswith(
        "personalizing changed almost nothing; `ttpose predict --preset balanced` gives the same; "
    )
    assert done["details"]["moved_torsos"] == 0.0


def test_the_last_line_says_which_file_to_open(api: FakeApi, clips: Path) -> None:
    line = ("personalize", clips / "a.mp4", "--device", "cpu", "--save-as", "anna")
    assert run(*line).stdout.splitlines()[-1] == "open a_ttpose/report.html"
    assert run(*line[:-2]).stdout.splitlines()[-1] == "open a_ttpose/report.html"  # finished before
    assert (
        run("predict", clips / "photo.jpg", "--device", "cpu").stdout.splitlines()[-1]
        == "open photo_ttpose/overlay.jpg"
    )
    several = run("predict", clips, "-o", "out", "--device", "cpu")
    assert several.stdout.splitlines()[-1] == "open overlay.mp4 in each results folder"
    assert "open" not in run("predict", clips / "b.mp4", "--device", "cpu", "--no-overlay").stdout
    (clips / "a_empty.mp4").write_bytes(b"x")
    assert "open" not in run("predict", clips / "a_empty.mp4", "--device", "cpu").stdout


def test_a_preset_of_inference_is_another_result(api: FakeApi, clips: Path) -> None:
    first = ("predict", clips / "a.mp4", "--device", "cpu", "--no-overlay")
    assert run(*first).exit_code == 0 and "preset" not in api.calls[0][2]
    again = run(*first, "--preset", "balanced")
    assert "with other settings (preset: None" in again.stdout and len(api.calls) == 1
    assert run(*first, "--preset", "balanced", "--overwrite").exit_code == 0
    assert api.calls[-1][2]["preset"] == "balanced"
    assert run(*first, "--preset", "paper").exit_code == 2


def test_a_keypoint_set_can_be_chosen(api: FakeApi, clips: Path) -> None:
    first = ("clips/a.mp4", "--device", "cpu", "--no-overlay")
    assert run("predict", *first).exit_code == 0 and "skeleton" not in api.calls[-1][2]
    again = run("predict", *first, "--skeleton", "coco17")
    assert "with other settings (skeleton: None" in again.stdout and len(api.calls) == 1
    for command in ("predict", "personalize"):
        for name in ("coco17", "coco17_feet"):
            line = (command, *first, "--skeleton", name, "--overwrite")
            assert run(*line).exit_code == 0
            assert (api.calls[-1][0], api.calls[-1][2]["skeleton"]) == (command, name)
        refused = run(command, *first, "--skeleton", "coco17_feet", "--preset", "fast")
        assert refused.exit_code == 2 and "use --preset balanced" in refused.stderr
    assert run("personalize", *first, "--same-person", "--skeleton", "coco17", "--overwrite").exit_code == 0
    assert api.calls[-2][2]["skeleton"] == "coco17"


def test_the_former_second_opinion_is_the_balanced_preset_with_a_note(api: FakeApi, clips: Path) -> None:
    line = ("predict", clips / "a.mp4", "--device", "cpu", "--no-overlay", "--second-opinion")
    result = run(*line)
    assert result.exit_code == 0, result.output
    assert api.calls[-1][2]["preset"] == "balanced"
    assert "--second-opinion is part of --preset balanced now" in result.stderr
    assert run(*line, "--preset", "thorough", "--overwrite").exit_code == 0
    assert api.calls[-1][2]["preset"] == "thorough"
    assert "second-opinion" not in run("predict", "--help-all").output


def test_predict_takes_folders_and_writes_the_formats_asked_for(api: FakeApi, clips: Path) -> None:
    result = run("predict", clips, "-o", "out", "--format", "csv,coco,csv", "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert [source.name for _, source, _ in api.calls] == ["a.mp4", "b.mp4", "photo.jpg"]
    assert {path.relative_to("out").as_posix() for path in Path("out").rglob("*.*")} == {
        *(f"{name}_ttpose/{file}" for name in ("a", "b", "photo")
          for file in ("keypoints.csv", "keypoints.coco.json", "log.txt", "run.json")),
        "a_ttpose/overlay.mp4", "b_ttpose/overlay.mp4", "photo_ttpose/overlay.jpg", "summary.csv", "summary.json",
    }  # fmt: skip
    assert api.calls[0][2] == {"weights": None, "base": None, "subject": None, "device": "cpu"}
    assert "3 inputs" in result.stdout
    assert "1 person in 1 of 2 frames" in result.stdout


def test_finished_inputs_are_skipped_unless_overwritten(api: FakeApi, clips: Path) -> None:
    first = ("predict", clips / "a.mp4", "--device", "cpu", "--no-overlay")
    assert run(*first).exit_code == 0
    again = run(*first)
    assert (again.exit_code, len(api.calls)) == (0, 1)
    assert "skipped" in again.stdout
    assert "finished before; --overwrite" in again.stdout
    other = run(*first, "--subject", "largest")
    assert "with other settings (subject: None)" in other.stdout
    assert len(api.calls) == 1
    run(*first, "--overwrite")
    assert len(api.calls) == 2
    (clips / "a.mp4").write_bytes(b"another clip")
    assert "with other settings (input_bytes: 32)" in run(*first).stdout


def test_a_run_with_another_base_says_so(api: FakeApi, clips: Path) -> None:
    Path("mine.safetensors").write_text("weights")
    for command in ("predict", "personalize"):
        line = (command, clips / "a.mp4", "--device", "cpu", "--no-overlay", "-o", command)
        assert run(*line, "--base", "mine.safetensors").exit_code == 0
        assert api.calls[-1][2]["base"] == Path("mine.safetensors").absolute()
        assert "finished before; --overwrite" in run(*line, "--base", "mine.safetensors").stdout
        assert "with other settings (base_sha256: " in run(*line).stdout
        assert run(*line, "--base", "none.safetensors").exit_code == 2
    assert run("personalize", clips / "b.mp4", "--device", "cpu", "--weights", "mine.safetensors").exit_code == 2


def test_sure_keypoints_alone_can_be_drawn(api: FakeApi, clips: Path) -> None:
    for command in ("predict", "personalize"):
        line = (command, clips / "a.mp4", "--device", "cpu", "-o", command)
        assert run(*line, "--draw-min-score", "0.5").exit_code == 0
        assert (Path(command) / "a_ttpose/overlay.mp4").read_text() == "overlay of a.mp4, min_score 0.5"
        assert "with other settings (draw_min_score: 0.5)" in run(*line).stdout
        assert run(*line, "--draw-min-score", "2").exit_code == 2


def test_what_is_missing_is_made(api: FakeApi, clips: Path) -> None:
    run("predict", clips / "a.mp4", "--device", "cpu", "--no-overlay")
    run("predict", clips / "a.mp4", "--device", "cpu")
    assert len(api.calls) == 2
    assert Path("a_ttpose/overlay.mp4").is_file()
    run("predict", clips / "a.mp4", "--device", "cpu", "--no-overlay", "--overwrite")
    assert not Path("a_ttpose/overlay.mp4").exists()  # it would show other keypoints


def test_results_of_another_input_are_never_replaced_by_chance(api: FakeApi, clips: Path) -> None:
    (clips / "deep").mkdir()
    (clips / "deep" / "a.mp4").write_bytes(b"another")
    run("predict", clips / "a.mp4", "--device", "cpu")
    result = run("predict", clips / "deep" / "a.mp4", "--device", "cpu")
    assert result.exit_code == 1
    assert "already holds the results of" in result.stderr
    assert read_json("a_ttpose/keypoints.json").source["path"] == str(clips / "a.mp4")
    assert run("predict", clips / "deep" / "a.mp4", "--device", "cpu", "--overwrite").exit_code == 0


def test_inputs_with_one_name_get_folders_of_their_own(api: FakeApi, clips: Path) -> None:
    (clips / "deep").mkdir()
    (clips / "deep" / "a.mp4").write_bytes(b"another")
    assert run("predict", clips, "--device", "cpu", "--no-overlay").exit_code == 0
    assert sorted(path.name for path in Path(".").glob("*_ttpose")) == [
        "b_ttpose", "clips_a_mp4_ttpose", "deep_a_mp4_ttpose", "photo_ttpose",
    ]  # fmt: skip


def test_a_batch_goes_on_after_bad_files(api: FakeApi, clips: Path) -> None:
    (clips / "a_empty.mp4").write_bytes(b"x")
    (clips / "a_crash.mp4").write_bytes(b"x")
    result = run("personalize", clips, "--device", "cpu")
    assert result.exit_code == 1
    assert len(api.calls) == 5
    assert "nobody was found" in result.stderr
    assert "hint: try another clip" in result.stderr
    assert f"{clips / 'a_crash.mp4'}: unexpected ZeroDivisionError: division by zero" in result.stderr
    assert "Traceback" not in result.output
    assert "5 inputs" in result.stdout
    assert result.stdout.count("failed") == 2
    assert not Path("a_empty_ttpose").exists()
    log = Path("summary.log").read_text(encoding="utf-8")
    assert "nobody was found" in log and "division by zero" in log and "Traceback" in log


def test_debug_shows_the_traceback_of_the_unexpected(api: FakeApi, clips: Path) -> None:
    (clips / "a_crash.mp4").write_bytes(b"x")
    result = run("predict", clips / "a_crash.mp4", "--device", "cpu", "--debug")
    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    by_environment = CliRunner().invoke(
        app, ["predict", str(clips / "a_crash.mp4"), "--device", "cpu"], env={"TTPOSE_DEBUG": "1"}
    )
    assert "Traceback" in by_environment.stderr


def test_an_error_that_is_no_inputs_fault_ends_the_run(
    api: FakeApi, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise WeightsError("base.safetensors is damaged", "reinstall")

    monkeypatch.setattr(api, "predict", refuse)
    result = run("predict", clips, "--device", "cpu")
    assert result.exit_code == 1
    assert result.stderr.count("base.safetensors is damaged") == 1
    missing = run("predict", clips, "--device", "cpu", "--weights", "none.safetensors")
    assert missing.exit_code == 1
    assert "cannot read none.safetensors" in missing.stderr


def test_a_full_disk_is_one_line_and_leaves_nothing(api: FakeApi, clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: Path, result: Any, path: Path) -> None:
        with atomic_path(path) as partial:
            partial.write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(api, "write_overlay", full)
    result = run("predict", clips, "--device", "cpu")
    assert result.exit_code == 1
    assert result.stderr.count("No space left on device") == 1
    assert "Traceback" not in result.output
    assert sorted(path.name for path in Path("a_ttpose").iterdir()) == [
        "angles.csv", "angles.mot", "keypoints.json", "log.txt",
    ]  # fmt: skip
    assert len(api.calls) == 1


def test_an_unwritable_place_is_noticed_before_any_work(api: FakeApi, clips: Path) -> None:
    Path("taken").write_text("")
    result = run("predict", clips / "a.mp4", "--device", "cpu", "-o", "taken/below")
    assert result.exit_code == 1
    assert "taken is a file" in result.stderr
    assert api.calls == []


def test_interrupting_ends_with_130_and_one_line(api: FakeApi, clips: Path) -> None:
    (clips / "b_interrupt.mp4").write_bytes(b"x")
    result = run("predict", clips, "--device", "cpu")
    assert result.exit_code == 130
    assert result.stderr.count("interrupted") >= 1
    assert "Traceback" not in result.output
    assert Path("a_ttpose/keypoints.json").is_file()
    assert not Path("photo_ttpose").exists()
    assert list(Path(".").rglob("*.partial*")) == []


def test_json_lines_tell_everything(api: FakeApi, clips: Path) -> None:
    (clips / "a_empty.mp4").write_bytes(b"x")
    run("personalize", clips / "b.mp4", "--device", "cpu")
    result = run("personalize", clips, "--device", "cpu", "--json")
    assert result.exit_code == 1
    found = events(result)
    kinds = [event["event"] for event in found]
    assert kinds[0] == "start"
    assert kinds[-1] == "summary"
    assert found[0] | {"ttpose_version": ""} == {
        "event": "start", "command": "personalize", "ttpose_version": "", "device": "cpu", "inputs": 4, "jobs": 1,
    }  # fmt: skip
    assert found[-1] | {"seconds": 0} == {
        "event": "summary", "done": 2, "skipped": 1, "failed": 1, "seconds": 0, "exit_code": 1,
    }  # fmt: skip
    assert kinds.count("input") == 4
    assert kinds.count("note") == 3  # one in each of the three that were worked on, though said twice
    (error,) = [event for event in found if event["event"] == "error"]
    assert (error["input"], error["hint"]) == (str(clips / "a_empty.mp4"), "try another clip")
    done, skipped = (
        [event for event in found if event["event"] == "result" and event["status"] == status]
        for status in ("done", "skipped")
    )
    assert done[0]["files"] == [
        "person.safetensors", "keypoints.json", "angles.csv", "angles.mot", "overlay.mp4", "report.html",
    ]  # fmt: skip
    assert done[0]["details"]["guard"]["decision"] == "personalized"
    assert done[0]["details"]["timings"] == {"adapt": 0.5, "tta": None, "predict_s": 0.25}
    assert [event["input"] for event in skipped] == [str(clips / "b.mp4")]
    stages = [event for event in found if event["event"] == "stage" and event["input"] == str(clips / "a.mp4")]
    assert [(event["stage"], event["done"], event["total"], event["finished"]) for event in stages] == [
        ("predict", 0, 2, False), ("predict", 2, 2, True),
        ("draw the overlay", 0, None, False), ("draw the overlay", 0, None, True),
    ]  # fmt: skip


def test_a_run_that_is_cut_short_still_has_a_summary(api: FakeApi, clips: Path) -> None:
    (clips / "b_interrupt.mp4").write_bytes(b"x")
    result = run("predict", clips, "--device", "cpu", "--json")
    assert result.exit_code == 130
    *_, summary, error = events(result)
    assert (summary["event"], summary["done"], summary["exit_code"]) == ("summary", 2, None)
    assert (error["event"], error["input"]) == ("error", None)
    assert "interrupted" in error["message"]


def test_libraries_that_print_do_not_spoil_the_json(api: FakeApi, clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = api.predict

    def chatty(*args: Any, **how: Any) -> Any:
        print("hello from a library")
        return original(*args, **how)

    monkeypatch.setattr(api, "predict", chatty)
    result = run("predict", clips / "a.mp4", "--device", "cpu", "--json")
    assert events(result)[-1]["done"] == 1
    assert "hello from a library" in result.stderr


def test_quiet_says_nothing_but_errors(api: FakeApi, clips: Path) -> None:
    good = run("predict", clips, "--device", "cpu", "--quiet")
    assert (good.exit_code, good.output) == (0, "")
    (clips / "a_empty.mp4").write_bytes(b"x")
    bad = run("predict", clips, "--device", "cpu", "--quiet")
    assert bad.exit_code == 1
    assert bad.stdout == ""
    assert bad.stderr.splitlines() == [
        f"ttpose: nobody was found in {clips / 'a_empty.mp4'}",
        "  hint: try another clip",
    ]


def test_names_that_look_like_markup_are_shown_as_they_are(api: FakeApi, clips: Path) -> None:
    odd = clips / "[bold]walk [1].mp4"
    odd.write_bytes(b"x")
    result = run("predict", odd, "--device", "cpu")
    assert result.exit_code == 0
    assert "[bold]walk [1]_ttpose" in result.stdout


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--subject", "someone"),
        ("--subject", "12"),
        ("--skeleton", "body25"),
        ("--skeleton", "coco17_feet", "--preset", "fast"),
        ("--device", "gpu"),
        ("--device", "cuda:x"),
        ("--device", "cuda:99"),
        ("--format", "bvh"),
        ("--nonsense",),
    ],
)
def test_wrong_use_is_2(api: FakeApi, clips: Path, words: tuple[str, ...]) -> None:
    source = ("clips",) if words else ()
    result = run("predict", *source, *words)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    assert api.calls == []


@pytest.mark.parametrize("words", [("--steps", "0"), ("--preset", "best"), ("--mode", "live"), ("--seed", "-1")])
def test_wrong_use_of_personalize_is_2(api: FakeApi, clips: Path, words: tuple[str, ...]) -> None:
    assert run("personalize", "clips", *words).exit_code == 2


def test_an_input_that_does_not_exist_is_wrong_use(api: FakeApi, clips: Path) -> None:
    result = run("predict", "none.mp4")
    assert result.exit_code == 2
    assert "none.mp4" in result.stderr
