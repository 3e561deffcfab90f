"""What real people's files do to the real commands: each gets a right result, or one line that says what is wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner

from tests import clips, sample
from ttpose.cli.app import app
from ttpose.core.errors import InputError
from ttpose.media import open_source, write_image
from ttpose.results import KeypointResult, read_json

COMMANDS = ("personalize", "predict")
FRAMES = range(30, 38)
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX signals and limits")


def run(*words: str | Path) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200"})


def predicted(clip: Path, *words: str) -> KeypointResult:
    """Predict beside the clip; it must succeed."""
    done = run("predict", clip, *sample.CPU, "--no-overlay", "-o", clip.parent, *words)
    assert done.exit_code == 0, done.output
    return read_json(clip.parent / f"{clip.stem}_ttpose/keypoints.json")


def refused(command: str, path: Path) -> str:
    """Run a command that must fail with exit code 1, one line and perhaps a hint, and no result; returns the line."""
    words = sample.LEAST if command == "personalize" else sample.CPU
    done = run(command, path, *words, "--quiet", "-o", path.parent)
    assert done.exit_code == 1, done.output
    assert done.stdout == ""
    line, *hint = done.stderr.splitlines()
    assert line.startswith("ttpose: ")
    assert path.name in line
    assert "unexpected" not in line
    assert len(hint) <= 1
    assert not list(path.parent.glob("*_ttpose"))
    return line


@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_file_is_wrong_use(command: str, tmp_path: Path) -> None:
    done = run(command, tmp_path / "none.mp4")
    assert done.exit_code == 2
    assert "none.mp4" in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_an_empty_file(command: str, tmp_path: Path) -> None:
    assert "is empty" in refused(command, clips.write_empty(tmp_path / "empty.mp4"))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_text_that_is_called_a_video(command: str, tmp_path: Path) -> None:
    refused(command, clips.write_text(tmp_path / "text.mp4"))


@pytest.mark.parametrize("command", COMMANDS)
def test_sound_alone(command: str, tmp_path: Path) -> None:
    refused(command, clips.write_audio_only(tmp_path / "song.m4a"))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_cut_before_its_index(command: str, tmp_path: Path) -> None:
    whole = sample.write_part(tmp_path / "whole.mp4", FRAMES)
    refused(command, clips.truncated(whole, tmp_path / "cut.mp4"))


@pytest.mark.parametrize("command", COMMANDS)
def test_nobody_in_a_video(command: str, tmp_path: Path) -> None:
    assert "no person was found" in refused(command, clips.write_clip(tmp_path / "noise.mp4", 8))


@pytest.mark.parametrize("command", COMMANDS)
def test_nobody_in_a_photo(command: str, tmp_path: Path) -> None:
    write_image(tmp_path / "grey.png", np.full((200, 300, 3), 128, np.uint8))
    assert "no person was found" in refused(command, tmp_path / "grey.png")


def test_one_black_pixel(tmp_path: Path) -> None:
    write_image(tmp_path / "dot.png", np.zeros((1, 1, 3), np.uint8))
    refused("predict", tmp_path / "dot.png")


def test_a_cut_file_with_its_index_gives_what_is_there(tmp_path: Path) -> None:
    images = sample.images()[range(30, 54)]
    whole = clips.write_clip(tmp_path / "whole.mp4", images=images, frames=24, gop=6, faststart=True)
    cut = clips.truncated(whole, tmp_path / "cut.mp4", 0.7)
    done = run("predict", cut, *sample.CPU, "-o", tmp_path)
    assert done.exit_code == 0, done.output
    assert "missing from the file" in done.stderr
    result = read_json(tmp_path / "cut_ttpose/keypoints.json")
    there = len(result.frames)
    assert 8 <= there < 24
    seen = [frame for frame in result.frames if frame.people]
    assert len(seen) >= 8
    assert len(list(open_source(tmp_path / "cut_ttpose/overlay.mp4").frames())) == there


def test_a_damaged_stretch_is_marked_and_the_rest_goes_on(tmp_path: Path) -> None:
    whole = clips.write_clip(tmp_path / "whole.mp4", images=sample.images()[range(30, 54)], frames=24, gop=6)
    damaged = clips.corrupted(whole, tmp_path / "damaged.mp4", 0.4, 0.5)
    done = run("personalize", damaged, *sample.LEAST, "--no-report", "-o", tmp_path)
    assert done.exit_code == 0, done.output
    assert "damaged" in done.stderr
    result = read_json(tmp_path / "damaged_ttpose/keypoints.json")
    assert [frame.index for frame in result.frames] == list(range(24))
    assert any("damaged" in (frame.note or "") for frame in result.frames)
    unharmed = [frame for frame in result.frames if frame.note is None and frame.people]
    assert len(unharmed) >= 10


def test_a_clip_on_its_side_is_turned_upright(tmp_path: Path) -> None:
    lying = [np.ascontiguousarray(np.rot90(image)) for image in sample.images()[FRAMES]]
    clip = clips.write_clip(tmp_path / "lying.mp4", images=lying, frames=len(FRAMES), rotation=90)
    result = predicted(clip)
    assert (result.source["width"], result.source["height"]) == (384, 512)
    assert sample.share_right(result, sample.truth()[FRAMES]) > 0.85


def test_variable_frame_rate_keeps_its_times(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.05, 0.2, 0.21, 0.4, 0.7, 0.75]
    clip = sample.write_part(tmp_path / "phone.mp4", FRAMES, times_s=times)
    done = run("predict", clip, *sample.CPU, "-o", tmp_path)
    assert done.exit_code == 0, done.output
    result = read_json(tmp_path / "phone_ttpose/keypoints.json")
    assert [frame.time_s for frame in result.frames] == pytest.approx(times, abs=2e-3)
    drawn = [frame.time_s for frame in open_source(tmp_path / "phone_ttpose/overlay.mp4").frames()]
    assert drawn == pytest.approx(times, abs=2e-3)
    assert sample.share_right(result, sample.truth()[FRAMES]) > 0.85


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of two people: the dancer as filmed on the left, and at other times, smaller, on the right."""
    import cv2

    shown = []
    for index in FRAMES:
        left, right = sample.images()[index], sample.images()[(index + 50) % 100]
        small = np.full_like(right, 150)
        small[128:, 48:336] = cv2.resize(right, (288, 384), interpolation=cv2.INTER_AREA)
        shown.append(np.concatenate([left, small], axis=1))
    return clips.write_clip(tmp_path_factory.mktemp("pair") / "pair.mp4", images=shown, frames=len(shown))


def middle_x(result: KeypointResult) -> list[float]:
    assert all(len(frame.people) == 1 for frame in result.frames)
    return [frame.people[0].box.center[0] for frame in result.frames]


def test_of_several_people_one_is_followed(pair: Path) -> None:
    assert max(middle_x(predicted(pair))) < 384
    assert max(middle_x(predicted(pair, "--subject", "largest", "--overwrite"))) < 384


def test_the_point_of_the_subject_chooses_who(pair: Path) -> None:
    there = predicted(pair, "--overwrite").frames[0].people[0].box.center
    assert max(middle_x(predicted(pair, "--subject", f"{there[0]:.0f},{there[1]:.0f}", "--overwrite"))) < 384
    assert min(middle_x(predicted(pair, "--subject", "576,350", "--overwrite"))) > 384


def test_nobody_at_the_point_fails_that_clip_alone(pair: Path, tmp_path: Path) -> None:
    alone = sample.write_part(tmp_path / "alone.mp4", FRAMES)
    done = run("predict", alone, pair, *sample.CPU, "--subject", "576,350", "--no-overlay", "-o", tmp_path)
    assert done.exit_code == 1
    assert "nobody is there" in done.stderr
    assert min(middle_x(read_json(tmp_path / "pair_ttpose/keypoints.json"))) > 384
    assert not (tmp_path / "alone_ttpose").exists()
    assert "nobody is there" in (tmp_path / "summary.log").read_text(encoding="utf-8")


def test_everybody_in_a_photo(pair: Path, tmp_path: Path) -> None:
    write_image(tmp_path / "pair.png", next(iter(open_source(pair).frames())).image)
    (frame,) = predicted(tmp_path / "pair.png").frames
    assert [person.id for person in frame.people] == [1, 2]
    assert sorted(person.box.center[0] > 384 for person in frame.people) == [False, True]


def test_a_frame_without_the_subject_has_an_empty_record_that_says_so(tmp_path: Path) -> None:
    empty = np.full_like(sample.images()[0], 130)
    shown = [*sample.images()[range(12)], *[empty] * 30]
    result = predicted(clips.write_clip(tmp_path / "leaves.mp4", images=shown, frames=len(shown)))
    assert len(result.frames) == 42
    assert all(frame.people for frame in result.frames[:10])  # people are looked for in every third frame
    last = result.frames[-1]
    assert (last.people, bool(last.note)) == ((), True)


def made_person(folder: Path) -> Path:
    """A person file for the shipped base."""
    clip = sample.write_part(folder / "short.mp4", range(3))
    done = run("personalize", clip, *sample.LEAST, "--no-overlay", "--no-report", "-o", folder)
    assert done.exit_code == 0, done.output
    return folder / "short_ttpose/person.safetensors"


def test_weights_that_hold_nan_or_are_cut_are_refused(tmp_path: Path) -> None:
    person = made_person(tmp_path)
    tensors = load_file(person)
    with safe_open(person, framework="np") as weights:
        notes = weights.metadata()
    scale = next(name for name in tensors if name.endswith("|scale"))
    tensors[scale] = np.full_like(tensors[scale], np.nan)
    save_file(tensors, tmp_path / "nan.safetensors", notes)
    (tmp_path / "cut.safetensors").write_bytes(person.read_bytes()[:-100])
    (tmp_path / "text.safetensors").write_text("hello", encoding="utf-8")
    for name in ("nan", "cut", "text"):
        done = run(
            "predict", tmp_path / "short.mp4", "--weights", tmp_path / f"{name}.safetensors", *sample.CPU, "--quiet",
            "-o", tmp_path / "out",
        )  # fmt: skip
        assert done.exit_code == 1
        line, *hint = done.stderr.splitlines()
        assert f"{name}.safetensors" in line
        assert "unexpected" not in line
        assert len(hint) <= 1
    assert {path.name for path in (tmp_path / "out").rglob("*.*")} == {"log.txt"}


def test_a_loss_of_nan_leaves_the_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    import ttpose
    from ttpose.adaptation.losses.distillation import Distillation

    clip = sample.write_part(tmp_path / "short.mp4", range(3))
    monkeypatch.setattr(Distillation, "loss", lambda self, step: step.output.supervised.mean() * torch.nan)
    made = ttpose.personalize(clip, preset="fast", steps=2, device="cpu")
    assert made.person.changes == {}
    assert all(np.isfinite(frame.people[0].keypoints).all() for frame in made.keypoints.frames)


def test_images_and_boxes_of_nan_are_refused() -> None:
    import ttpose

    model = ttpose.load_model(device="cpu")
    with pytest.raises(InputError, match="uint8"):
        model.predict(np.full((64, 64, 3), np.nan))
    with pytest.raises(InputError, match="box"):
        model.predict(sample.images()[0], box=(float("nan"), 0, 10, 10))
    with pytest.raises(InputError, match="box"):
        model.predict(sample.images()[0], box=(5, 5, 0, 10))


@posix
@pytest.mark.parametrize(
    ("most", "unwritten", "kept"),
    [
        (2_000, "keypoints.json", ["log.txt"]),
        (9_000, "overlay.mp4", ["angles.csv", "angles.mot", "keypoints.json", "log.txt"]),
    ],
)
def test_a_full_disk_is_one_line_and_leaves_no_part(most: int, unwritten: str, kept: list[str], tmp_path: Path) -> None:
    import resource

    clip = sample.write_part(tmp_path / "dance.mp4", FRAMES)
    done = subprocess.run(
        [*sample.COMMAND, "predict", clip.name, *sample.CPU, "--quiet"], cwd=tmp_path, env=sample.environment(),
        capture_output=True, text=True, timeout=300, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)),
    )  # fmt: skip
    assert done.returncode == 1
    line, hint = done.stderr.splitlines()
    assert line.startswith(f"ttpose: cannot write dance_ttpose/{unwritten}: ")
    assert "free space" in hint
    assert sorted(path.name for path in (tmp_path / "dance_ttpose").iterdir()) == kept


@posix
def test_a_person_file_that_does_not_fit(tmp_path: Path) -> None:
    import resource

    from ttpose.core.errors import OutputError
    from ttpose.models.person import PersonDelta

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    import torch

    person = PersonDelta("ab" * 32, {"encoder.a": torch.ones(200, 200)})
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(OutputError, match=r"cannot write .*person\.safetensors"):
            person.save(tmp_path / "person.safetensors")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def stages(stream: Iterator[str]) -> Iterator[str]:
    """The names of stages as they begin, from a run with --json."""
    for line in stream:
        event = json.loads(line)
        if event["event"] == "stage" and event["done"] == 0 and not event["finished"]:
            yield event["stage"]


@posix
@pytest.mark.parametrize("when", ["adapt", "draw the overlay"])
def test_ctrl_c_leaves_whole_files_or_none(when: str, tmp_path: Path) -> None:
    clip = sample.write_part(tmp_path / "dance.mp4", range(60) if when != "adapt" else range(6))
    words = ("personalize", clip.name, *sample.LEAST) if when == "adapt" else ("predict", clip.name, *sample.CPU)
    process = subprocess.Popen(
        [*sample.COMMAND, *words, *(("--steps", "500") if when == "adapt" else ()), "--json"],
        cwd=tmp_path, env=sample.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # A shell's background job ignores Ctrl-C, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert process.stdout is not None
    assert when in stages(iter(process.stdout.readline, ""))
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "interrupted" in err
    assert "Traceback" not in err
    assert json.loads(out.splitlines()[-1])["event"] == "error"
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    made = {f"dance_ttpose/{name}" for name in ("keypoints.json", "angles.csv", "angles.mot")}
    whole = {"dance.mp4", "dance_ttpose/log.txt"} | (made if when != "adapt" else set())
    assert left == whole
    if when != "adapt":
        read_json(tmp_path / "dance_ttpose/keypoints.json")
