"""What `--help` and `--help-all` show."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from tests import sample
from ttpose.cli.app import app
from ttpose.cli.help_all import HelpAll, with_rare_options

COMMANDS = sorted(get_command(app).commands)  # type: ignore[attr-defined]
PEOPLE = [("people", name) for name in sorted(get_command(app).commands["people"].commands)]  # type: ignore[attr-defined]
#: Words of the code's first years; users read the field's words.
PRIVATE = re.compile(
    r"\b(looks?|looked|glances?|opinions?|verdicts?|hears?|settle[ds]?|teach\w*|taught|repaint\w*|painted|doubts?|judged?)\b",
    re.IGNORECASE,
)


def shown(*words: str) -> str:
    result = CliRunner().invoke(app, list(words), env={"COLUMNS": "100", "TERMINAL_WIDTH": "100"})
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("words", [(), *((name,) for name in COMMANDS), *PEOPLE], ids=" ".join)
def test_help_fits_a_screen_and_is_plain(words: tuple[str, ...]) -> None:
    text = shown(*words, "--help")
    assert len(text.splitlines()) <= 50
    assert max(map(len, text.splitlines())) <= 100
    assert PRIVATE.findall(text) == []


def test_help_in_a_pipe_is_as_short_as_on_a_screen(tmp_path: Path) -> None:
    environment = {name: value for name, value in sample.environment().items() if name != "COLUMNS"}
    line = [*sample.COMMAND, "personalize", "--help"]
    done = subprocess.run(line, capture_output=True, text=True, env=environment, cwd=tmp_path, check=True)
    assert len(done.stdout.splitlines()) <= 50


@pytest.mark.parametrize("command", ["personalize", "predict", "evaluate", "train"])
def test_help_all_shows_the_rest(command: str) -> None:
    options = {name: set(re.findall(r"--[a-z][\w-]+", shown(command, name))) for name in ("--help", "--help-all")}
    assert options["--help"] < options["--help-all"]
    declared = {
        name
        for param in get_command(app).commands[command].params  # type: ignore[attr-defined]
        if not getattr(param, "hidden", False)
        for name in (*param.opts, *param.secondary_opts)
        if name.startswith("--")
    }
    assert declared <= options["--help-all"]
    assert PRIVATE.findall(shown(command, "--help-all")) == []
    assert options["--help"] < set(re.findall(r"--[a-z][\w-]+", shown(command, "--help-all")))  # and once more
    assert set(re.findall(r"--[a-z][\w-]+", shown(command, "--help"))) == options["--help"]


def test_research_options_of_personalize_are_in_evaluate() -> None:
    for option in (
        "--method",
        "--learn",
        "--rate",
        "--min-score",
        "--perceptual",
        "--frame-steps",
        "--reset-per-frame",
    ):
        assert option not in shown("personalize", "--help-all")
        assert option in shown("evaluate", "--help-all")


def test_a_misspelt_rare_option_is_a_bug() -> None:
    own = typer.Typer()

    @own.command(cls=with_rare_options("ste"))
    def learn(steps: int = 1, help_all: HelpAll = False) -> None: ...

    with pytest.raises(ValueError, match="ste"):
        get_command(own)
