"""`ttpose convert`, and the same result files of predict and personalize."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from tests.cli.fake_api import FakeApi, made_result
from ttpose.cli.app import app
from ttpose.core.geometry import Box
from ttpose.core.skeleton import COCO17
from ttpose.results import FrameRecord, KeypointResult, PersonRecord, read_json, write_json


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200"})


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A keypoint file of 20 frames at 25 a second, one frame without the person."""
    monkeypatch.chdir(tmp_path)
    random, frames = np.random.default_rng(0), []
    for t in range(20):
        points = np.column_stack([np.linspace(100, 200, 17) + t, np.linspace(50, 400, 17), np.full(17, 0.9)])
        points[:, :2] += random.normal(0, 1, (17, 2))
        frames.append(FrameRecord(t, t / 25, () if t == 7 else (PersonRecord(1, Box(100, 50, 120, 350), points),)))
    source = {"path": "walk.mp4", "kind": "video", "width": 640, "height": 480, "frames": 20, "duration_s": 0.8}
    model = {"base": "mobile", "base_sha256": "ab" * 32, "person": None, "person_sha256": None, "guard": None}
    write_json(KeypointResult(source, model, COCO17, frames), tmp_path / "in" / "keypoints.json")
    return Path("in/keypoints.json")


def there(folder: str) -> set[str]:
    return {path.name for path in Path(folder).iterdir()}


def test_every_format_beside_the_file(file: Path) -> None:
    result = run("convert", file, "--to", "coco,openpose,csv,trc")
    assert result.exit_code == 0, result.output
    assert there("in") == {"keypoints.json", "keypoints.coco.json", "openpose", "keypoints.csv", "keypoints.trc"}
    assert len(there("in/openpose")) == 20
    assert "keypoints.trc" in result.stdout


def test_the_tables_asked_for_into_another_folder(file: Path) -> None:
    result = run("convert", file, "--to", "csv", "--csv", "wide,angles,angles-tidy", "-o", "out/deep")
    assert result.exit_code == 0, result.output
    assert there("out/deep") == {"keypoints.wide.csv", "angles.csv", "angles.tidy.csv"}
    assert len(Path("out/deep/angles.csv").read_text().splitlines()) == 21


def test_angles_are_a_table_and_a_motion_file(file: Path) -> None:
    result = run("convert", file, "--to", "angles", "-o", "out")
    assert result.exit_code == 0, result.output
    assert there("out") == {"angles.csv", "angles.mot"}
    assert "left_knee_deg,left_knee_score" in Path("out/angles.csv").read_text().splitlines()[0]
    assert "nRows=20" in Path("out/angles.mot").read_text()
    assert run("convert", file, "--to", "angles", "--smooth", "savgol", "-o", "smooth").exit_code == 0
    assert there("smooth") == {"angles.csv", "angles.mot", "angles_smoothed.mot"}
    photo = replace(read_json(file), source={**read_json(file).source, "kind": "image"})
    write_json(photo, "photo.json")
    assert run("convert", "photo.json", "--to", "angles", "-o", "still").exit_code == 0
    assert there("still") == {"angles.csv"}


def test_smoothing_goes_beside_the_raw_series(file: Path) -> None:
    result = run("convert", file, "--to", "json,trc,openpose", "--smooth", "savgol", "-o", "out")
    assert result.exit_code == 0, result.output
    assert there("out") == {
        "keypoints.json", "keypoints.trc", "keypoints_smoothed.trc", "openpose", "openpose_smoothed",
    }  # fmt: skip
    assert "savgol: jitter -" in result.stdout and "17 keypoints filled in" in result.stdout
    before, after = read_json(file), read_json("out/keypoints.json")
    assert after.smoothing is not None and after.frames[7].people[0].filled
    np.testing.assert_array_equal(before.frames[3].people[0].keypoints, after.frames[3].people[0].keypoints)
    people = [
        len(json.loads(Path(f"out/{folder}/walk_000000000007_keypoints.json").read_text())["people"])
        for folder in ("openpose", "openpose_smoothed")
    ]
    assert people == [0, 1]
    # What a file has is kept, unless it is taken away.
    assert run("convert", "out/keypoints.json", "--to", "trc", "-o", "kept").exit_code == 0
    assert there("kept") == {"keypoints.trc", "keypoints_smoothed.trc"}
    assert run("convert", "out/keypoints.json", "--to", "json,trc", "--smooth", "none", "-o", "raw").exit_code == 0
    assert there("raw") == {"keypoints.json", "keypoints.trc"}
    assert read_json("raw/keypoints.json").to_dict() == before.to_dict()


def test_gaps_are_filled_as_far_as_asked(file: Path) -> None:
    run("convert", file, "--to", "json", "--smooth", "one-euro", "--fill-gaps", "0.05", "-o", "out")
    assert read_json("out/keypoints.json").frames[7].people == ()


def test_metres(file: Path) -> None:
    assert run("convert", file, "--to", "trc", "--height-m", "1.75", "-o", "out").exit_code == 0
    assert "\tm\t" in Path("out/keypoints.trc").read_text().splitlines()[2]
    for scale in (("--height-m", "1.75"), ("--scale-px-per-m", "200")):
        assert run("convert", file, "--to", "csv", *scale, "-o", "out", "--overwrite").exit_code == 0
        assert "x,y,score,x_m,y_m,note" in Path("out/keypoints.csv").read_text()
        result = run("convert", file, "--to", "coco", *scale, "-o", "out")
        assert (result.exit_code, f"{scale[0]} is for TRC and CSV files" in result.stderr) == (2, True)
    both = run("convert", file, "--to", "csv", "--height-m", "1.75", "--scale-px-per-m", "200", "-o", "out")
    assert (both.exit_code, "leave one of them out" in both.stderr) == (2, True)


@pytest.mark.parametrize(
    "words", [("--height-m", "175"), ("--height-m", "0"), ("--scale-px-per-m", "0"), ("--scale-px-per-m", "nan")]
)
def test_what_is_no_scale(file: Path, words: tuple[str, ...]) -> None:
    result = run("convert", file, "--to", "trc", *words, "-o", "out")
    assert (result.exit_code, Path("out").exists()) == (2, False)


def test_marker_names_of_opensim(file: Path) -> None:
    assert run("convert", file, "--to", "trc", "--markers", "opensim", "-o", "out").exit_code == 0
    assert "\tLKnee\t" in Path("out/keypoints.trc").read_text().splitlines()[3]
    assert run("convert", file, "--to", "csv", "--markers", "opensim", "-o", "out").exit_code == 2


def test_nothing_is_replaced_unasked(file: Path) -> None:
    before = file.read_bytes()
    result = run("convert", file, "--to", "json")
    assert result.exit_code == 2
    assert "already there: in/keypoints.json" in result.stderr
    assert file.read_bytes() == before
    assert run("convert", file, "--to", "openpose").exit_code == 0
    assert run("convert", file, "--to", "openpose").exit_code == 2
    assert run("convert", file, "--to", "openpose", "--overwrite", "--openpose", "coco18").exit_code == 0
    one = json.loads(Path("in/openpose/walk_000000000000_keypoints.json").read_text())
    assert len(one["people"][0]["pose_keypoints_2d"]) == 18 * 3


def test_a_result_folder_stands_for_its_keypoint_file(file: Path) -> None:
    result = run("convert", "in", "--to", "coco")
    assert result.exit_code == 0, result.output
    assert there("in") == {"keypoints.json", "keypoints.coco.json"}
    Path("empty").mkdir()
    nothing = run("convert", "empty", "--to", "coco")
    assert nothing.exit_code == 1
    assert "empty holds no keypoints.json" in nothing.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--to", "csv,coca"), "there is no 'coca'; did you mean coco? use json, angles, coco, openpose, csv, trc"),
        (("--to", "OpenPose"), "there is no 'OpenPose'; did you mean openpose?"),
        (("--to", "bvh"), "there is no 'bvh'; use json, angles"),
        (
            ("--to", "csv", "--csv", "angle"),
            "there is no 'angle'; did you mean angles? use tidy, wide, angles, angles-tidy",
        ),
    ],
)
def test_a_wrong_name_gets_a_suggestion(file: Path, words: tuple[str, ...], said: str) -> None:
    result = run("convert", file, *words)
    assert result.exit_code == 2
    assert said in " ".join(result.output.replace("│", " ").split())


@pytest.mark.parametrize("words", [("--to", "bvh"), ("--to", "csv", "--csv", "narrow"), ()])
def test_wrong_use(file: Path, words: tuple[str, ...]) -> None:
    assert run("convert", file, *words).exit_code == 2


def test_a_file_that_is_no_keypoint_file(file: Path) -> None:
    Path("other.json").write_text("{}")
    result = run("convert", "other.json", "--to", "coco")
    assert result.exit_code == 1
    assert "other.json is not a ttpose.keypoints/2 file" in result.stderr
    assert run("convert", "none.json", "--to", "coco").exit_code == 1


def test_events_for_machines(file: Path) -> None:
    result = run("convert", file, "--to", "coco", "--json")
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [event["event"] for event in events] == ["start", "input", "result", "summary"]
    assert events[2]["files"] == ["keypoints.coco.json"]


def test_predict_writes_the_same_files_and_knows_when_they_are_there(api: FakeApi, clips: Path) -> None:
    words = (
        "predict",
        clips / "a.mp4",
        "--device",
        "cpu",
        "--no-overlay",
        "--format",
        "openpose,trc",
        "--csv",
        "angles",
    )
    assert run(*words).exit_code == 0
    assert there("a_ttpose") == {"openpose", "keypoints.trc", "angles.csv", "run.json", "log.txt"}
    assert "skipped" in run(*words).stdout
    assert len(api.calls) == 1
    again = run(*words, "--openpose", "coco18")
    assert "other settings (openpose: body25)" in again.stdout


def test_predict_smooths_after_predicting(api: FakeApi, clips: Path) -> None:
    result = run("predict", clips / "a.mp4", "--device", "cpu", "--no-overlay", "--smooth", "one-euro")
    assert result.exit_code == 0, result.output
    smoothing = read_json("a_ttpose/keypoints.json").smoothing
    assert smoothing is not None and smoothing["method"] == "one-euro"
    assert api.calls[0][2] == {"weights": None, "base": None, "subject": None, "device": "cpu"}


def test_personalize_writes_formats_smoothing_and_side_by_side(api: FakeApi, clips: Path) -> None:
    result = run(
        "personalize", clips / "a.mp4", clips / "photo.jpg", "--device", "cpu", "--format", "json,trc",
        "--smooth", "savgol", "--side-by-side",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert there("a_ttpose") == {
        "person.safetensors", "keypoints.json", "keypoints.trc", "keypoints_smoothed.trc", "overlay.mp4",
        "side_by_side.mp4", "report.html", "run.json", "log.txt",
    }  # fmt: skip
    assert Path("a_ttpose/side_by_side.mp4").read_text() == "a.mp4 before and after"
    assert Path("photo_ttpose/side_by_side.jpg").is_file()
    assert read_json("a_ttpose/keypoints.json").model["person"] == "person.safetensors"
    assert run("personalize", clips / "a.mp4", "--device", "cpu", "--overwrite").exit_code == 0
    assert not Path("a_ttpose/side_by_side.mp4").exists()  # it would show other keypoints


def test_keypoints_without_times_are_converted_with_a_note(tmp_path: Path) -> None:
    write_json(made_result(Path("a.mp4")), tmp_path / "k.json")
    data = json.loads((tmp_path / "k.json").read_text(encoding="utf-8"))
    for frame in data["frames"]:
        frame["time_s"] = None
    (tmp_path / "k.json").write_text("\ufeff" + json.dumps(data), encoding="utf-8")
    for number, words in enumerate((("--to", "trc"), ("--to", "csv", "--smooth", "one-euro"))):
        done = CliRunner().invoke(app, ["convert", str(tmp_path / "k.json"), *words, "-o", str(tmp_path / f"{number}")])
        assert done.exit_code == 0, done.output
        assert done.output.count("30 frames a second are assumed") == 1
    done = CliRunner().invoke(app, ["convert", str(tmp_path / "k.json"), "--to", "csv", "-o", str(tmp_path / "plain")])
    assert "assumed" not in done.output
