from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.cli.fake_api import FakeApi
from ttpose.cli.app import app


def run(folder: Path, *words: str) -> Any:
    return CliRunner().invoke(
        app, ["personalize", str(folder / "a.mp4"), "-o", str(folder), "--device", "cpu", "--no-report", *words]
    )


def test_nothing_is_said_of_methods_unless_asked(api: FakeApi, clips: Path) -> None:
    assert run(clips).exit_code == 0
    assert "settings" not in api.calls[0][2] and "base" not in api.calls[0][2]


def test_a_baseline_with_changes(api: FakeApi, clips: Path) -> None:
    words = ("--method", "tent", "--mode", "online", "--rate", "0.01", "--frame-steps", "2", "--reset-per-frame")
    result = run(clips, *words, "--learn", "norms, encoder", "--seed", "4")
    assert result.exit_code == 0, result.output
    how = api.calls[0][2]
    settings = how["settings"]
    assert (settings.preset, settings.mode, settings.seed, settings.pose_rate) == ("tent", "online", 4, 0.01)
    assert (settings.trainable, settings.frame_steps, settings.reset_per_frame) == (("norms", "encoder."), 2, True)
    assert set(how) == {"subject", "settings", "device"}


def test_ours_with_changes_keeps_its_preset_and_another_base(api: FakeApi, clips: Path) -> None:
    weights = clips / "penn.safetensors"
    weights.write_bytes(b"weights")
    result = run(clips, "--preset", "fast", "--steps", "7", "--learn", "self_head", "--weights", str(weights))
    assert result.exit_code == 0, result.output
    how = api.calls[0][2]
    assert (how["settings"].preset, how["settings"].steps, how["settings"].trainable) == ("fast", 7, ("self_head.",))
    assert how["base"] == weights.absolute()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--method", "magic"), "no personalization method"),
        (("--learn", "head"), "no model has a part head"),
        (("--reset-per-frame",), "--mode online"),
        (("--method", "paper", "--mode", "online", "--steps", "3"), "one step a frame"),
    ],
)
def test_wrong_use_is_told_before_any_work(api: FakeApi, clips: Path, words: tuple[str, ...], said: str) -> None:
    result = run(clips, *words)
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())
    assert api.calls == []


def test_a_baseline_has_no_presets(api: FakeApi, clips: Path) -> None:
    result = run(clips, "--method", "tent", "--preset", "fast")
    assert result.exit_code == 2
    assert "has no presets" in result.stderr
