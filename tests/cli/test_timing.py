"""--capture-fps, --slow-motion, --time-range and --fps: what reaches the work, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.cli.fake_api import FakeApi
from tests.clips import write_clip
from ttpose.cli.app import app


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200"})


@pytest.mark.parametrize("command", ["predict", "personalize"])
@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        (("--capture-fps", "240"), {"capture_fps": 240.0}),
        (("--slow-motion", "8", "--time-range", "2.5", "7"), {"slow_motion": 8.0, "time_range": [2.5, 7.0]}),
        (("--fps", "25"), {"fps": 25.0}),
        ((), {}),
    ],
)
def test_they_reach_the_work(
    api: FakeApi, clips: Path, command: str, words: tuple[str, ...], arguments: dict[str, object]
) -> None:
    line = (command, clips / "a.mp4", "--device", "cpu", *words)
    result = run(*line)
    assert result.exit_code == 0, result.output
    asked = {"fps", "capture_fps", "slow_motion", "time_range"}
    assert {name: value for name, value in api.calls[0][2].items() if name in asked} == arguments
    settings = json.loads(Path("a_ttpose/run.json").read_text())["files"]["keypoints.json"]["settings"]
    assert {name: value for name, value in settings.items() if name in asked} == arguments
    assert "with other settings" not in run(*line).stdout  # the same command again
    if arguments:
        assert "with other settings" in run(command, clips / "a.mp4", "--device", "cpu").stdout


@pytest.mark.parametrize("command", ["predict", "personalize"])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--time-range", "7", "2.5"), "the range must end after it starts, not at 2.5 s after 7 s"),
        (("--time-range", "3", "3"), "the range must end after it starts"),
        (("--time-range", "nan", "3"), "give two times in seconds"),
        (("--time-range", "-1", "3"), "give two times in seconds"),
        (("--time-range", "90", "99"), "no frame is shown from 90 to 99 s in clip.mp4, which lasts 1.0 s"),
        (("--fps", "0"), "give frames a second, more than 0"),
        (("--fps", "nan"), "give frames a second, more than 0"),
        (("--capture-fps", "0"), "give frames a second, more than 0"),
        (("--capture-fps", "inf"), "give frames a second, more than 0"),
        (("--slow-motion", "0"), "say how many times slower than filmed the clip plays"),
        (("--slow-motion", "nan"), "say how many times slower than filmed the clip plays"),
        (("--slow-motion", "8", "--capture-fps", "240"), "say the same"),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_work(
    api: FakeApi, clips: Path, command: str, words: tuple[str, ...], said: str
) -> None:
    write_clip(Path("clip.mp4"), 30)
    result = run(command, "clip.mp4", "--device", "cpu", *words)
    assert result.exit_code == 2
    assert said in " ".join(result.output.replace("│", " ").split())
    assert api.calls == [] and not Path("clip_ttpose").exists()
