"""Write docs/commands.md: every command with its arguments and options, as Typer itself documents them.

python tools/command_reference.py [--check]
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import typer
from typer.cli import get_docs_for_click
from typer.main import get_command

from ttpose.cli.app import app

PAGE = Path(__file__).parents[1] / "docs" / "commands.md"
_HEAD = """\
# Commands

Made by `python tools/command_reference.py` from the program itself (Typer {version}); `ttpose COMMAND --help` shows the
same. Completion of these names in your shell: [quickstart.md](quickstart.md#completion).

| command | what it does |
|---|---|
{table}
"""


def main() -> None:
    """Write the page, or say whether it is up to date."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only exit with 1 where the page is out of date")
    text = reference()
    if not parser.parse_args().check:
        PAGE.write_text(text, encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != text:
        sys.exit(f"{PAGE} is out of date: run python tools/command_reference.py")


def reference() -> str:
    """The page; the width of the terminal has no part in it."""
    group = get_command(app)
    context = typer.Context(group, info_name="ttpose")
    commands = group.list_commands(context)  # type: ignore[attr-defined]
    rows, parts = [], []
    for name in commands:
        command = group.get_command(context, name)  # type: ignore[attr-defined]
        if command.hidden:
            continue
        rows.append(f"| [`ttpose {name}`](#ttpose-{name}) | {_escaped(_first_line(command.help))} |")
        docs = get_docs_for_click(obj=command, ctx=context, indent=1, name=name, call_prefix="ttpose")
        parts.append("\n".join(_escaped(line) for line in docs.strip().splitlines()))
    head = _HEAD.format(version=typer.__version__, table="\n".join(rows))
    return head + "\n" + "\n\n".join(parts) + "\n"


def _first_line(help_text: str | None) -> str:
    """The first paragraph's first sentence, in one line."""
    paragraph = " ".join((help_text or "").strip().split("\n\n")[0].split())
    return re.split(r"(?<=\.)\s", paragraph)[0]


def _escaped(line: str) -> str:
    """Angle brackets outside of code would be taken for HTML."""
    pieces = re.split(r"(`[^`]*`)", line)
    return "".join(p if p.startswith("`") else p.replace("<", "&lt;").replace(">=", "≥") for p in pieces).rstrip()


if __name__ == "__main__":
    main()
