"""What the pages for people promise is there."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.sample import ROOT
from ttpose.cli.app import app

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "benchmarks" / "README.md"]


@lru_cache
def options(command: str) -> set[str]:
    shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"})
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
    commands = "personalize|predict|demo|evaluate|convert|export|synth|train"
    shown = re.findall(rf"(?:^|[`/ ])ttpose ({commands})\b([^`\n]*)", text)
    for command, rest in shown:
        unknown = set(re.findall(r"(?<=\s)--?[a-z][a-z-]*", rest)) - options(command)
        assert unknown == set(), f"ttpose {command}{rest}"


def test_every_package_it_stands_on_is_explained() -> None:
    tomllib = pytest.importorskip("tomllib", reason="Python 3.11 and newer")

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    table = (ROOT / "README.md").read_text(encoding="utf-8").split("## What it stands on")[1].split("Extras")[0]
    named = set(re.split(r"[,\s|]+", table))
    assert {re.match(r"[\w-]+", line)[0] for line in project["dependencies"]} <= named
