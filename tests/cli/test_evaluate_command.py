from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fake_api import FakeApi
from typer.testing import CliRunner

from ttpose.cli.app import app


class FakeReport:
    def __init__(self, personalized: bool) -> None:
        self._after = {"pck@0.1": 0.5, "pck@0.2": 0.75} if personalized else None

    def to_dict(self) -> dict[str, Any]:
        before = {"pck@0.1": 0.4, "pck@0.2": 0.8125}
        both = {"before": before, "after": self._after}
        empty = {"before": {"pck@0.1": float("nan"), "pck@0.2": 1.0}, "after": None}
        guard = "personalized" if self._after else None
        return {
            "clips": [{"clip": "court", "person": "player", "frames": 48, "guard": guard, **both}],
            "persons": [{"person": "player", **both}],
            "joints": [{"joint": "left_knee", **both}, {"joint": "nose", **empty}],
            "mean": both,
        }


@pytest.fixture
def asked(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = []

    def evaluate_clips(folder: Path, **how: Any) -> FakeReport:
        calls.append({"folder": folder, **how})
        return FakeReport(how["personalize"])

    monkeypatch.setattr(api, "evaluate_clips", evaluate_clips, raising=False)
    return calls


def run(*words: str) -> Any:
    return CliRunner().invoke(app, ["evaluate", "--device", "cpu", *words])


def row(text: str, name: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if name in line and "person " + name not in line]
    return [cell.strip() for cell in line.strip().strip("│").split("│")]


def test_before_only(asked: list[dict[str, Any]], tmp_path: Path) -> None:
    result = run("--clips", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert row(result.stdout, "court") == ["court", "player", "48", "40.0", "81.2"]
    assert "after" not in result.stdout
    assert asked[0]["personalize"] is False


def test_before_and_after_with_a_file(asked: list[dict[str, Any]], tmp_path: Path) -> None:
    result = run("--clips", str(tmp_path), "--personalize", "--preset", "fast", "--json", str(tmp_path / "r.json"))
    assert result.exit_code == 0, result.output
    assert row(result.stdout, "court") == [
        "court", "player", "48", "40.0", "50.0", "+10.0", "81.2", "75.0", "-6.2", "personalized",
    ]  # fmt: skip
    assert row(result.stdout, "left_knee") == ["left_knee", "40.0", "50.0", "+10.0", "81.2", "75.0", "-6.2"]
    assert row(result.stdout, "nose") == ["nose", "", "", "", "100.0", "", ""]
    assert "mean of person" in result.stdout
    assert (asked[0]["personalize"], asked[0]["preset"], asked[0]["folder"]) == (True, "fast", tmp_path)
    written = json.loads((tmp_path / "r.json").read_text())
    assert written["clips"][0]["after"] == {"pck@0.1": 0.5, "pck@0.2": 0.75}
    assert written["joints"][1]["before"]["pck@0.1"] is None


def test_quiet_prints_nothing(asked: list[dict[str, Any]], tmp_path: Path) -> None:
    assert run("--clips", str(tmp_path), "--quiet").output == ""


def test_wrong_use(asked: list[dict[str, Any]], tmp_path: Path) -> None:
    assert run().exit_code == 2
    assert run("--clips", str(tmp_path / "none")).exit_code == 2
    assert asked == []
