"""The real commands on the sample clip, from pixels to files, as processes of their own."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from jsonschema import Draft202012Validator
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner

import ttpose
from tests import sample
from ttpose.cli.app import app
from ttpose.core.files import sha256_of
from ttpose.core.geometry import Box
from ttpose.core.skeleton import COCO17
from ttpose.data.labelled_clip import write_clip
from ttpose.media import open_source, read_image, write_image
from ttpose.models.checkpoint import load_model, save_model
from ttpose.models.store import model_path
from ttpose.results import json_schema, read_json

PARTS = range(0, 26)  # enough for the time estimate
BARE = ("--no-overlay", "--no-report")
FILES = {
    "person.safetensors", "keypoints.json", "angles.csv", "angles.mot", "overlay.mp4", "report.html", "run.json",
    "log.txt",
}  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A clip, what personalizing it wrote, and what the command said."""

    clip: Path
    folder: Path
    events: list[dict[str, Any]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    home = tmp_path_factory.mktemp("made")
    clip = sample.write_part(home / "dance.mp4", PARTS)
    done = sample.ttpose("personalize", clip.name, *sample.LEAST, "--json", cwd=home)
    assert done.returncode == 0, done.stderr
    return Made(clip, home / "dance_ttpose", [json.loads(line) for line in done.stdout.splitlines()])


def run(*words: str | Path) -> Any:
    """The command inside this process, which already has torch."""
    return CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200"})


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_personalize_writes_every_file(made: Made) -> None:
    assert names(made.folder) == FILES
    assert (made.folder / "person.safetensors").stat().st_size < 10e6  # a few MB, not a whole model


def test_the_keypoints_follow_the_schema_and_have_every_frame(made: Made) -> None:
    written = json.loads((made.folder / "keypoints.json").read_text(encoding="utf-8"))
    assert [error.message for error in Draft202012Validator(json_schema()).iter_errors(written)] == []
    assert [frame["index"] for frame in written["frames"]] == list(PARTS)
    assert [frame["time_s"] for frame in written["frames"]] == pytest.approx([i / 30 for i in PARTS], abs=1e-3)
    source = written["source"]
    assert (source["path"], source["kind"], source["width"], source["height"]) == ("dance.mp4", "video", 384, 512)
    assert written["model"]["person"] == "person.safetensors"
    assert written["model"]["person_sha256"] == sha256_of(made.folder / "person.safetensors")
    assert written["model"]["guard"]["decision"] in ("personalized", "interpolated", "base")


def test_the_keypoints_are_where_the_joints_are(made: Made) -> None:
    assert sample.share_right(read_json(made.folder / "keypoints.json"), sample.truth()[PARTS]) > 0.9


def test_the_overlay_is_the_clip_with_a_drawing_on_it(made: Made) -> None:
    frames = list(open_source(made.folder / "overlay.mp4").frames())
    assert len(frames) == len(PARTS)
    plain = sample.images()[PARTS[5]].astype(int)
    changed = np.abs(frames[5].image.astype(int) - plain).max(axis=2) > 60
    knee = read_json(made.folder / "keypoints.json").frames[5].people[0].keypoints[13].round().astype(int)
    assert changed[knee[1], knee[0]]
    assert 0.002 < changed.mean() < 0.1


def test_the_person_file_names_its_base_and_settings(made: Made) -> None:
    with safe_open(made.folder / "person.safetensors", framework="np") as weights:
        notes = weights.metadata()
    keypoints = read_json(made.folder / "keypoints.json")
    assert notes["base_sha256"] == keypoints.model["base_sha256"]
    settings = json.loads(notes["settings"])
    assert (settings["preset"], settings["steps"], settings["seed"]) == ("fast", 2, 0)
    assert json.loads(notes["guard"])["decision"] == keypoints.model["guard"]["decision"]


def test_machines_hear_every_stage(made: Made) -> None:
    kinds = [event["event"] for event in made.events]
    assert (kinds[0], kinds[1], kinds[-1]) == ("start", "input", "summary")
    stages = [event["stage"] for event in made.events if event["event"] == "stage" and event["finished"]]
    assert {"predict with nothing learned", "adapt", "draw the overlay"} <= set(stages)
    assert any("about" in event["text"] for event in made.events if event["event"] == "note")  # the time estimate
    (result,) = [event for event in made.events if event["event"] == "result"]
    assert set(result["files"]) == FILES - {"run.json", "log.txt"}
    assert made.events[-1]["exit_code"] == 0


def test_a_finished_clip_is_skipped_and_the_same_seed_repeats_every_byte(made: Made) -> None:
    repeated = FILES - {"report.html", "log.txt", "run.json"}  # which tell how long it took
    before = {name: sha256_of(made.folder / name) for name in repeated}
    again = sample.ttpose("personalize", made.clip.name, *sample.LEAST, cwd=made.clip.parent)
    assert again.returncode == 0
    assert "skipped" in again.stdout
    assert "adapt" not in again.stderr
    anew = sample.ttpose("personalize", made.clip.name, *sample.LEAST, "--overwrite", cwd=made.clip.parent)
    assert anew.returncode == 0, anew.stderr
    assert "done" in anew.stdout
    after = {name: sha256_of(made.folder / name) for name in repeated}
    assert after == before


def test_another_seed_gives_another_person(tmp_path: Path) -> None:
    clip = sample.write_part(tmp_path / "short.mp4", range(40, 43))
    for seed in ("0", "1"):
        done = run("personalize", clip, *sample.LEAST, "--seed", seed, *BARE, "-o", tmp_path / seed)
        assert done.exit_code == 0, done.output
        assert names(tmp_path / seed / "short_ttpose") == FILES - {"overlay.mp4", "report.html"}
    people = [sha256_of(tmp_path / seed / "short_ttpose/person.safetensors") for seed in ("0", "1")]
    assert people[0] != people[1]


def test_predicting_with_the_person_file_repeats_the_keypoints(made: Made, tmp_path: Path) -> None:
    person = made.folder / "person.safetensors"
    done = sample.ttpose(
        "predict", made.clip, "--weights", person, *sample.CPU, "--format", "json,csv,coco", "-o", "out", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "out/dance_ttpose"
    made_now = {"keypoints.json", "keypoints.csv", "keypoints.coco.json", "overlay.mp4", "run.json", "log.txt"}
    assert names(folder) == made_now
    again, first = read_json(folder / "keypoints.json"), read_json(made.folder / "keypoints.json")
    assert again.model["person_sha256"] == sha256_of(person)
    for mine, theirs in zip(again.frames, first.frames, strict=True):
        np.testing.assert_allclose(mine.people[0].keypoints, theirs.people[0].keypoints, atol=2)
        # Crops are cut once here, and twice to learn from: the same picture to a rounding of its pixels.


def test_a_person_of_a_base_of_ones_own(tmp_path: Path) -> None:
    clip, mine = sample.write_part(tmp_path / "short.mp4", range(40, 43)), tmp_path / "mine.safetensors"
    base = load_model(model_path("mobile.safetensors"))
    with torch.no_grad():
        for weight in base.parameters():
            weight.mul_(0.999)
    save_model(base, mine)
    done = run("personalize", clip, *sample.LEAST, *BARE, "--base", mine, "-o", tmp_path)
    assert done.exit_code == 0, done.output
    first, person = read_json(tmp_path / "short_ttpose/keypoints.json"), tmp_path / "short_ttpose/person.safetensors"
    line = ("predict", clip, "--weights", person, *sample.CPU, "--no-overlay", "-o", tmp_path / "again")
    refused = run(*line)
    assert refused.exit_code == 1
    assert "person.safetensors was made on another base (mine, sha256 " in refused.stderr
    done = run(*line, "--base", mine)
    assert done.exit_code == 0, done.output
    again = read_json(tmp_path / "again/short_ttpose/keypoints.json")
    assert (again.model["base"], again.model["base_sha256"]) == ("mine", sha256_of(mine))
    assert again.model["person_sha256"] == sha256_of(person)
    for one, other in zip(again.frames, first.frames, strict=True):
        np.testing.assert_allclose(one.people[0].keypoints, other.people[0].keypoints, atol=2)
    by_hand = ttpose.load_model(person, "cpu", base=mine).loaded
    assert (by_hand.base_sha256, by_hand.person_sha256) == (sha256_of(mine), sha256_of(person))


def test_a_person_of_another_base_is_refused(made: Made, tmp_path: Path) -> None:
    with safe_open(made.folder / "person.safetensors", framework="np") as weights:
        notes = {**weights.metadata(), "base_sha256": "ab" * 32}
    stranger = tmp_path / "stranger.safetensors"
    save_file(load_file(made.folder / "person.safetensors"), stranger, notes)
    refused = run("predict", made.clip, "--weights", stranger, *sample.CPU, "-o", tmp_path)
    assert refused.exit_code == 1
    assert "stranger.safetensors was made on another base" in refused.stderr
    assert refused.stderr.count("\n") <= 4  # device, input, the error, its hint
    assert {path.name for path in tmp_path.rglob("*.*")} == {"stranger.safetensors", "log.txt"}


def test_online_adapts_as_it_goes(made: Made, tmp_path: Path) -> None:
    clip = sample.write_part(tmp_path / "short.mp4", range(30, 34))
    done = run("personalize", clip, *sample.CPU, "--preset", "fast", "--mode", "online", *BARE, "-o", tmp_path)
    assert done.exit_code == 0, done.output
    keypoints = read_json(tmp_path / "short_ttpose/keypoints.json")
    assert sample.share_right(keypoints, sample.truth()[30:34]) > 0.8


def test_a_photo(tmp_path: Path) -> None:
    write_image(tmp_path / "photo.png", sample.images()[0])
    done = sample.ttpose("predict", "photo.png", *sample.CPU, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "photo_ttpose"
    assert names(folder) == {"keypoints.json", "angles.csv", "overlay.jpg", "run.json", "log.txt"}
    result = read_json(folder / "keypoints.json")
    assert (result.source["kind"], result.source["duration_s"], len(result.frames)) == ("image", None, 1)
    assert sample.share_right(result, sample.truth()[:1]) > 0.9
    assert read_image(folder / "overlay.jpg").shape == (512, 384, 3)


def test_a_photo_can_be_personalized_on(tmp_path: Path) -> None:
    write_image(tmp_path / "photo.png", sample.images()[0])
    done = run("personalize", tmp_path / "photo.png", *sample.LEAST, "-o", tmp_path)
    assert done.exit_code == 0, done.output
    assert names(tmp_path / "photo_ttpose") == (FILES - {"overlay.mp4", "angles.mot"}) | {"overlay.jpg"}


def test_a_folder_goes_on_after_bad_files_and_exits_1(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    (folder / "deep").mkdir(parents=True)
    (folder / "a_empty.mp4").write_bytes(b"")
    (folder / "b_text.mp4").write_text("no video", encoding="utf-8")
    sample.write_part(folder / "c10.mp4", range(4))
    sample.write_part(folder / "c9.mp4", range(4, 8))
    write_image(folder / "deep/photo.jpg", sample.images()[9])
    (folder / "notes.txt").write_text("no input", encoding="utf-8")
    done = sample.ttpose("predict", "clips", *sample.CPU, "--no-overlay", "-o", "out", cwd=tmp_path)
    assert done.returncode == 1
    made = {path.parent.name for path in (tmp_path / "out").glob("*/keypoints.json")}
    assert made == {"c9_ttpose", "c10_ttpose", "photo_ttpose"}
    assert not (tmp_path / "out/a_empty_ttpose").exists(), "what failed is told in the batch's own log"
    assert {path.name for path in (tmp_path / "out").glob("summary.*")} == {
        "summary.csv", "summary.json", "summary.log",
    }  # fmt: skip
    order = [line.split("] ")[1] for line in done.stderr.splitlines() if line.startswith("[")]
    assert order == [f"clips/{name}" for name in ("a_empty.mp4", "b_text.mp4", "c9.mp4", "c10.mp4", "deep/photo.jpg")]
    for name in ("a_empty.mp4", "b_text.mp4"):
        assert sum(line.startswith("ttpose: ") and name in line for line in done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert "5 inputs" in done.stdout
    assert done.stdout.count("failed") == 2


def test_evaluate_measures_labelled_clips(tmp_path: Path) -> None:
    picked = list(range(0, 100, 25))
    true = sample.truth()[picked]
    boxes = [Box.around(points[:, :2]).scaled(1.2) for points in true]
    write_clip(
        tmp_path / "clips/dance", sample.images()[picked], true, boxes, joints=COCO17.keypoints, name="dance",
        person="dancer", source="rendered",
    )  # fmt: skip
    done = run("evaluate", "--clips", tmp_path / "clips", "--json", tmp_path / "report.json", *sample.CPU)
    assert done.exit_code == 0, done.output
    assert "dance" in done.stdout
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["clips"][0]["base"]["pck@0.2"] > 0.85


def test_the_demo_does_the_main_job_on_the_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ttpose.sample
    from ttpose.adaptation.settings import PRESETS

    (tmp_path / "there").mkdir()
    short = sample.write_part(tmp_path / "there/dance.mp4", range(6))
    monkeypatch.setattr(ttpose.sample, "sample_clip", lambda: short)
    monkeypatch.setitem(PRESETS, "fast", replace(PRESETS["fast"], steps=1))
    done = run("demo", "-o", tmp_path / "demo", *sample.CPU)
    assert done.exit_code == 0, done.output
    assert names(tmp_path / "demo") == {"dance.mp4", "dance_ttpose"}
    assert names(tmp_path / "demo/dance_ttpose") == FILES
    assert str(tmp_path / "demo/dance_ttpose/overlay.mp4") in done.stdout
    assert "skipped" in run("demo", "-o", tmp_path / "demo", *sample.CPU).stdout
    (tmp_path / "demo/dance.mp4").write_bytes(b"mine")
    refused = run("demo", "-o", tmp_path / "demo", *sample.CPU)
    assert refused.exit_code == 2
    assert "dance.mp4 is another file" in refused.stderr


def test_the_shipped_sample_is_small_and_whole() -> None:
    from ttpose.sample import sample_clip

    assert sample_clip().stat().st_size < 400_000
    info = open_source(sample_clip()).info
    assert (info.width, info.height, info.frames, round(info.fps or 0)) == (384, 512, 100, 30)
    assert sample.images().shape == (100, 512, 384, 3)
    assert sample.truth().shape == (100, 17, 3)
