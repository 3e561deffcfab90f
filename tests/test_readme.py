"""What the pages for people promise is there."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from tests.sample import ROOT, environment
from ttpose.cli.app import app

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "benchmarks" / "README.md"]


@lru_cache
def options(command: str) -> set[str]:
    parameters = {param.name for param in get_command(app).commands[command].params}
    every = "--help-all" if "help_all" in parameters else "--help"
    shown = CliRunner().invoke(app, [command, every], env={"COLUMNS": "200"})
    assert shown.exit_code == 0, f"there is no command {command}"
    return set(re.findall(r"--?[a-z][a-z-]*", shown.stdout))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_commands_have_the_options_they_are_shown_with(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    commands = "|".join(get_command(app).commands)
    shown = re.findall(rf"(?:^|[`/ ])ttpose ({commands})\b([^`\n]*)", text)
    for command, rest in shown:
        unknown = set(re.findall(r"(?<=\s)--?[a-z][a-z-]*", rest)) - options(command)
        assert unknown == set(), f"ttpose {command}{rest}"


def test_every_package_it_stands_on_is_explained() -> None:
    tomllib = pytest.importorskip("tomllib", reason="Python 3.11 and newer")

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    table = (ROOT / "README.md").read_text(encoding="utf-8").split("## What it stands on")[1].split("Extras")[0]
    reference = set(re.split(r"[,\s|]+", table))
    assert {re.match(r"[\w-]+", line)[0] for line in project["dependencies"]} <= reference


def _written_reference() -> str:
    return (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")


def test_the_command_reference_is_up_to_date() -> None:
    if f"(Typer {typer.__version__})" not in _written_reference():
        pytest.skip("made with another version of Typer, which words things differently")
    for columns in ("40", "200"):
        shown = subprocess.run(
            [sys.executable, "tools/command_reference.py", "--check"], capture_output=True, text=True, check=False,
            env={**environment(), "COLUMNS": columns}, cwd=ROOT, timeout=60,
        )  # fmt: skip
        assert shown.returncode == 0, shown.stderr


def test_the_command_reference_has_every_option() -> None:
    sections = dict(re.findall(r"^## `ttpose ([\w-]+)`\n(.*?)(?=^## |\Z)", _written_reference(), re.S | re.M))
    for name, command in get_command(app).commands.items():
        written = set(re.findall(r"--[a-z][a-z-]*", sections[name]))
        parts = [command, *getattr(command, "commands", {}).values()]
        shown = [param for part in parts for param in part.params if not getattr(param, "hidden", False)]
        names = {name for param in shown for name in (*param.opts, *param.secondary_opts)}
        assert {name for name in names if name.startswith("--")} <= written, name


def _complete(*words: str) -> list[str]:
    """What the shell offers for the last word."""
    asked = {"_TTPOSE_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    shown = subprocess.run(
        [sys.executable, "-m", "ttpose"], capture_output=True, text=True, check=True, timeout=60,
        env={**environment(), **asked},
    )  # fmt: skip
    return shown.stdout.split()


def test_the_shell_completes_commands_and_options() -> None:
    assert _complete("ttpose", "pers") == ["personalize"]
    assert {"--subject", "--source", "--save", "--seconds"} <= set(_complete("ttpose", "live", "--s"))
    assert _complete("ttpose", "personalize", "--preset", "ba") == ["balanced"]
    shown = subprocess.run(
        [sys.executable, "-m", "ttpose", "--show-completion", "bash"], capture_output=True, text=True, check=True,
        env={**environment(), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}, timeout=60,
    )  # fmt: skip
    assert "complete -o default -F _ttpose_completion ttpose" in shown.stdout
