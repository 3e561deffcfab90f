from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from tests.cli.fake_api import FakeApi
from tests.data.miniatures import make_clips, make_coco, make_penn
from tests.small_models import small_model
from ttpose.adaptation.methods import METHODS, PARTS
from ttpose.cli.app import app
from ttpose.cli.evaluation_tables import tables
from ttpose.cli.method_options import METHOD_NAMES, PART_NAMES
from ttpose.cli.terminal import console
from ttpose.core.files import sha256_of
from ttpose.evaluation.clips import evaluate_clips as real_evaluate_clips
from ttpose.evaluation.protocol_report import JointCount, ProtocolReport, VideoScore
from ttpose.models.checkpoint import save_model
from ttpose.models.person import PersonDelta
from ttpose.people.weights import load_base


class FakeReport:
    measure = "PCK@0.2"

    def __init__(self, personalized: bool) -> None:
        self._personalized = personalized

    def to_dict(self) -> dict[str, Any]:
        stages = {"base": {"pck@0.05": 0.1, "pck@0.1": 0.4, "pck@0.2": 0.8125}}
        if self._personalized:
            stages["refined"] = {"pck@0.05": 0.2, "pck@0.1": 0.5, "pck@0.2": 0.75}
            stages["personalized"] = {"pck@0.05": 0.3, "pck@0.1": 0.6, "pck@0.2": 0.7}
        unlabelled = {"base": {"pck@0.05": None, "pck@0.1": None, "pck@0.2": 1.0}}
        guard = "personalized" if self._personalized else None
        return {
            "clips": [{"clip": "court", "person": "player", "frames": 48, "guard": guard, **stages}],
            "persons": [{"person": "player", **stages}],
            "joints": [{"joint": "left_knee", **stages}, {"joint": "nose", **unlabelled}],
            "mean": stages,
        }

    def write_json(self, path: Path) -> None:
        path.write_text("figures")


@pytest.fixture
def asked(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = []

    def evaluate_clips(folder: Path, **how: Any) -> FakeReport:
        calls.append({"folder": folder, **how})
        return FakeReport(how["personalize"])

    real = create_autospec(real_evaluate_clips, side_effect=evaluate_clips)
    monkeypatch.setattr(api, "evaluate_clips", real, raising=False)
    return calls


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files of small models for Penn Action's joints, as `ttpose train --method` leaves them."""
    folder = tmp_path_factory.mktemp("weights")
    kinds: dict[str, dict[str, str]] = {
        "joint": {},
        "rotation": {"pose_head": "separate", "self_task": "rotation"},
        "imm": {"pose_head": "linear"},
        "coco": {"skeleton": "coco17"},
    }
    for name, changes in kinds.items():
        save_model(small_model(**{"skeleton": "penn13", **changes}), folder / f"{name}.safetensors")
    return {name: folder / f"{name}.safetensors" for name in kinds}


@pytest.fixture(scope="module")
def penn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_penn(tmp_path_factory.mktemp("penn"), videos=6, frames=3)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The methods with two views a step instead of 32."""
    for name, method in METHODS.items():
        if method.settings is not None:
            small = replace(method.settings, batch=2, reconstruction_batch=2)
            monkeypatch.setitem(METHODS, name, replace(method, settings=small))


def run(*words: str | Path) -> Any:
    return CliRunner().invoke(app, ["evaluate", "--device", "cpu", *map(str, words)])


def row(text: str, name: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if name in line and "person " + name not in line]
    return [cell.strip() for cell in line.strip().strip("│").split("│")]


def test_the_base_alone_has_one_column_a_measure(asked: list[dict[str, Any]], tmp_path: Path) -> None:
    result = run("--clips", tmp_path)
    assert result.exit_code == 0, result.output
    assert row(result.stdout, "court") == ["court", "player", "48", "10.0", "40.0", "81.2"]
    assert "refined" not in result.stdout and "used" not in result.stdout
    assert asked[0]["personalize"] is False


def test_base_refined_and_personalized_with_a_file(asked: list[dict[str, Any]], tmp_path: Path) -> None:
    result = run("--clips", tmp_path, "--personalize", "--preset", "fast", "--json", tmp_path / "r.json")
    assert result.exit_code == 0, result.output
    assert row(result.stdout, "court") == [
        "court", "player", "48", "10.0", "20.0", "30.0", "40.0", "50.0", "60.0", "81.2", "75.0", "70.0", "personalized",
    ]  # fmt: skip
    figures = ["10.0", "20.0", "30.0", "40.0", "50.0", "60.0", "81.2", "75.0", "70.0"]
    assert row(result.stdout, "left_knee") == ["left_knee", *figures]
    assert row(result.stdout, "nose") == ["nose", *[""] * 6, "100.0", "", ""]
    assert "mean of person" in result.stdout
    assert (asked[0]["personalize"], asked[0]["folder"]) == (True, tmp_path)
    assert (asked[0]["settings"].preset, asked[0]["settings"].mode) == ("fast", "offline")
    assert (tmp_path / "r.json").read_text() == "figures"


def test_quiet_prints_nothing(asked: list[dict[str, Any]], tmp_path: Path) -> None:
    assert run("--clips", tmp_path, "--quiet").output == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--data KIND:PLACE or --clips DIR"),
        (("--clips", "none"), "none"),
        (("--clips", ".", "--data", "penn:."), "--data KIND:PLACE or --clips DIR"),
        (("--data", "mpii:."), "names no dataset"),
        (("--data", "penn:.", "--split", "all"), "no split all"),
        (("--data", "penn:.", "--mode", "after"), "no list of columns"),
        (("--data", "penn:.", "--mode", "online,online"), "no list of columns"),
        (("--data", "penn:.", "--mode", ","), "names nothing"),
        (("--data", "penn:.", "--method", "magic"), "no personalization method"),
        (("--data", "penn:.", "--method", "tent", "--preset", "fast"), "no presets"),
        (("--data", "penn:.", "--learn", "head"), "no model has a part head"),
        (("--clips", ".", "--mode", "online,offline"), "one mode"),
    ],
)
def test_wrong_use(asked: list[dict[str, Any]], words: tuple[str, ...], said: str) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())
    assert asked == []


def test_help_names_what_there_is() -> None:
    assert (tuple(METHODS), tuple(PARTS)) == (METHOD_NAMES, PART_NAMES)


def test_a_whole_table_of_a_dataset(penn: Path, weights: dict[str, Path], tmp_path: Path, quick: None) -> None:
    out = tmp_path / "out"
    words = ("--data", f"penn:{penn}", "--weights", weights["joint"], "--method", "paper", "--perceptual", "none")
    result = run(*words, "--learn", "encoder", "--rate", "1e-3", "--seed", 3, "-o", out)
    assert result.exit_code == 0, result.output
    report = json.loads((out / "evaluation.json").read_text())
    settings = report["settings"]
    assert (report["methods"], [v["video"] for v in report["videos"]]) == (
        ["before", "online", "offline"],
        ["0002", "0004", "0006"],
    )
    assert (settings["rule"]["name"], settings["split"], settings["seed"]) == ("penn", "test", 3)
    assert settings["model"]["file"] == "joint.safetensors"
    for mode in ("online", "offline"):
        how = settings["methods"][mode]
        assert (how["mode"], how["seed"], how["trainable"], how["pose_rate"]) == (mode, 3, ["encoder."], 1e-3)
    assert row(result.stdout, "left_knee")[1] == str(report["joints"][9]["labels"])
    mean = report["mean"]["before"]
    assert row(result.stdout, "│ all")[2] == f"{100 * mean:.1f}"
    with open(out / "evaluation.csv", newline="") as handle:
        rows = list(csv.DictReader(handle))
    (cell,) = [r["pck"] for r in rows if (r["part"], r["method"]) == ("mean", "before")]
    assert float(cell) == pytest.approx(mean, abs=1e-6)
    assert (out / "gains.png").read_bytes().startswith(b"\x89PNG")
    assert len((out / "videos.jsonl").read_text().splitlines()) == 4
    again = run(*words, "--learn", "encoder", "--rate", "1e-3", "--seed", 3, "-o", out)
    assert "going on after 3 of 3 videos" in again.output
    assert json.loads((out / "evaluation.json").read_text()) == report
    other = run(*words, "-o", out)
    assert other.exit_code == 2
    assert "another seed: 3, now 0" in " ".join(other.output.split())


def test_the_base_alone(penn: Path, weights: dict[str, Path], tmp_path: Path) -> None:
    words = ("--data", f"penn:{penn}", "--weights", weights["rotation"], "--mode", "before", "--split", "train")
    result = run(*words, "--json", tmp_path / "r.json", "-o", tmp_path)
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "r.json").read_text())["methods"] == ["before"]
    assert not (tmp_path / "gains.png").exists()
    assert "gain" not in result.stdout.split("3 videos")[0]


def test_a_person_on_the_base_it_was_made_on(penn: Path, weights: dict[str, Path], tmp_path: Path) -> None:
    person, file = tmp_path / "person.safetensors", tmp_path / "r.json"
    change = torch.full_like(load_base(weights["joint"]).model.state_dict()["encoder.conv1.weight"], 0.5)
    PersonDelta(sha256_of(weights["joint"]), {"encoder.conv1.weight": change}, {"base": "joint"}).save(person)
    clips = make_clips(tmp_path / "clips", clips=1)

    def measured(data: tuple[str | Path, ...], *words: str | Path) -> tuple[dict[str, Any], Any]:
        result = run(*data, "--mode", "before", "--json", file, *words)
        assert result.exit_code == 0, result.output
        report = json.loads(file.read_text())
        videos = report.get("videos") or report["clips"]
        return report["settings"]["model"], [video["jitter"] for video in videos]

    for data in (("--data", f"penn:{penn}"), ("--clips", clips)):
        for base in ((), ("--base", weights["imm"])):
            refused = run(*data, "--weights", person, *base)
            assert refused.exit_code == 1
            assert "was made on another base (joint" in " ".join(refused.output.split())
        model, seen = measured(data, "--weights", person, "--base", weights["joint"])
        assert (model["file"], model["sha256"]) == ("person.safetensors", sha256_of(person))
        assert (model["base"], model["base_sha256"]) == ("joint.safetensors", sha256_of(weights["joint"]))
        alone = measured(data, "--base", weights["joint"])
        assert alone == measured(data, "--weights", weights["joint"])
        assert (alone[0]["file"], "base" in alone[0]) == ("joint.safetensors", False)
        assert alone[1] != seen
    assert run("--clips", clips, "--base", person).exit_code == 2


@pytest.mark.parametrize(
    ("method", "model"), [("tent", "joint"), ("rotation", "rotation"), ("confident", "imm"), ("paper", "imm")]
)
def test_baselines_on_models_of_other_heads(
    penn: Path, weights: dict[str, Path], tmp_path: Path, quick: None, method: str, model: str
) -> None:
    words = ("--data", f"penn:{penn}", "--weights", weights[model], "--method", method, "--min-score", "-9")
    online = ("--mode", "online", "--reset-per-frame", "--frame-steps", "2", "--perceptual", "none")
    result = run(*words, *online, "--json", tmp_path / "r.json")
    assert result.exit_code == 0, result.output
    how = json.loads((tmp_path / "r.json").read_text())["settings"]["methods"]["online"]
    assert (how["preset"], how["frame_steps"], how["reset_per_frame"]) == (method, 2, True)


def test_what_does_not_fit_the_model_ends_at_once(penn: Path, weights: dict[str, Path], tmp_path: Path) -> None:
    result = run("--data", f"penn:{penn}", "--weights", weights["joint"], "--method", "rotation", "-o", tmp_path / "o")
    assert result.exit_code == 2
    assert "train it with --method rotation" in result.output
    assert not (tmp_path / "o").exists()


def test_oks_ap_of_a_coco_file(weights: dict[str, Path], tmp_path: Path) -> None:
    pytest.importorskip("pycocotools", reason="pycocotools is not installed")
    file = make_coco(tmp_path / "data")
    result = run("--data", f"coco:{file}", "--weights", weights["coco"], "--mode", "before", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "AP50" in result.stdout
    assert 0 <= json.loads((tmp_path / "out" / "evaluation.json").read_text())["oks_ap"]["before"]["AP"] <= 1


def test_labels_that_a_dataset_gets_wrong_are_skipped_and_counted(
    weights: dict[str, Path], tmp_path: Path, quick: None
) -> None:
    def spoil(number: int, variables: dict[str, Any]) -> None:
        if number == 2:
            variables["visibility"][:] = 0  # nobody visible
        if number == 4:
            variables["bbox"] = variables["bbox"][:2]  # one box short
            variables["x"][1, 3] = np.nan
        if number == 6:
            variables["bbox"][1] = 0  # no area

    folder = make_penn(tmp_path / "penn", videos=8, frames=3, change=spoil)
    (folder / "frames" / "0008" / "000001.jpg").unlink()
    (folder / "frames" / "0008" / "000002.jpg").unlink()
    words = ("--data", f"penn:{folder}", "--weights", weights["joint"], "--perceptual", "none", "--method", "paper")
    result = run(*words, "--mode", "offline", "--steps", "1", "--json", tmp_path / "r.json")
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "r.json").read_text())
    assert [(video["video"], video["frames"]) for video in report["videos"]] == [("0004", 3), ("0006", 2)]
    assert sorted(report["left_out"]) == [
        "left out 1 videos of one frame, which cannot be reconstructed from another",
        "penn: left out 1 frames whose box has no area",
        "penn: left out 1 joints that are not finite",
        "penn: left out 1 videos without a visible joint",
        "penn: left out 2 frames without a picture",
    ]


def test_many_videos_show_those_that_changed_most() -> None:
    def score(number: int) -> VideoScore:
        joint = JointCount("left_knee", 100, {"before": 50, "offline": number})
        nan = float("nan")
        return VideoScore(f"v{number:03d}", "p", 100, 0, 0, (joint,), {"before": nan, "offline": 0.01})

    rule = {"average": "counts", "threshold": 0.2, "reference": "torso"}
    report = ProtocolReport({"rule": rule}, ("before", "offline"), tuple(score(n) for n in range(100)))
    out = console()
    with out.capture() as caught:
        for table in tables(report):
            out.print(table)
    text = caught.get()
    assert row(text, "v000")[-2:] == ["0.0", "-50.0"]
    assert row(text, "v099")[-2:] == ["99.0", "+49.0"]
    assert "v019" in text and "v020" not in text and "v080" in text
    assert row(text, "│ offline")[:6] == ["offline", "49.5", "-0.5", "", "49", "50"]


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_killed_evaluation_goes_on(penn: Path, weights: dict[str, Path], tmp_path: Path) -> None:
    clips = make_clips(tmp_path / "clips", clips=12, frames=3)
    words = ["--data", f"clips:{clips}", "--weights", str(weights["joint"]), "--method", "tent", "--mode", "offline"]
    words += ["--steps", "1", "--device", "cpu", "--quiet"]
    command, out = [sys.executable, "-m", "ttpose", "evaluate", *words], tmp_path / "killed"
    process = subprocess.Popen([*command, "-o", str(out)])
    journal, until = out / "videos.jsonl", time.monotonic() + 300
    while not (journal.exists() and journal.read_bytes().count(b"\n") >= 3) and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 3 <= journal.read_bytes().count(b"\n") <= 12
    assert not (out / "evaluation.json").exists()
    assert run(*words, "-o", out).exit_code == 0
    assert run(*words, "-o", tmp_path / "whole").exit_code == 0
    resumed, whole = (json.loads((tmp_path / n / "evaluation.json").read_text()) for n in ("killed", "whole"))
    for report in (resumed, whole):
        report.pop("seconds")
        for video in report["videos"]:
            video.pop("seconds")
    assert resumed == whole
