"""`ttpose people`: the library of persons whose weights are used by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ttpose.cli import options
from ttpose.cli.library import add_to, remove_from
from ttpose.cli.session import session
from ttpose.core.text import json_text

if TYPE_CHECKING:
    from ttpose.people.library import Person

people = typer.Typer(
    no_args_is_help=True,
    help="Keep persons by name, for --weights and --person of other commands.",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Name = Annotated[str, typer.Argument(metavar="NAME", show_default=False, help="A person of the library.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@people.command("list")
def list_people(as_json: AsJson = False, debug: options.Debug = False) -> None:
    """Show everybody in the library."""
    with session(quiet=True, debug=debug):
        from ttpose.people.library import Library

        library = Library()
        rows = [described(person) for person in library.people()]
        if as_json:
            print(json_text(rows))
        elif not rows:
            print(f"nobody yet in {library.folder}; `ttpose personalize clip.mp4 --save-as NAME` adds somebody")
        else:
            _print_table(rows)


@people.command()
def show(name: Name, as_json: AsJson = False, debug: options.Debug = False) -> None:
    """Show what is known of one person."""
    with session(quiet=True, debug=debug):
        from ttpose.cli.info import lines
        from ttpose.people.library import Library

        values = described(Library().get(name))
        print(json_text(values) if as_json else "\n".join(lines(values)))


@people.command()
def add(
    name: Name,
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False, help="A person.safetensors file.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a person of that name.")] = False,
    debug: options.Debug = False,
) -> None:
    """Copy a person file into the library."""
    with session(quiet=True, debug=debug):
        from ttpose.people.library import Library

        add_to(Library(), name, file, overwrite=overwrite)


@people.command()
def remove(
    names: Annotated[list[str], typer.Argument(metavar="NAME", show_default=False, help="Persons of the library.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    debug: options.Debug = False,
) -> None:
    """Delete persons from the library."""
    with session(quiet=True, debug=debug):
        from ttpose.people.library import Library

        remove_from(Library(), names, ask=not yes)


def described(person: Person) -> dict[str, Any]:
    """What a person file says of itself, as JSON-ready values."""
    from ttpose.results.former import current_guard

    notes = {key: _unpacked(value) for key, value in person.notes.items()}
    guard, settings = (notes[key] if isinstance(notes.get(key), dict) else {} for key in ("guard", "settings"))
    guard = current_guard(guard)
    sources = notes.get("sources") or notes.get("source") or []
    return {
        "name": person.name,
        "file": str(person.path),
        "bytes": person.path.stat().st_size,
        "saved": person.saved.isoformat(timespec="seconds"),
        "readable": bool(notes),
        "sources": [sources] if isinstance(sources, str) else sources,
        "preset": settings.get("preset"),
        "decision": guard.get("decision"),
        "reason": guard.get("reason"),
        "base": notes.get("base"),
        "base_sha256": notes.get("base_sha256"),
        "continues": notes.get("continues"),
    }


def _unpacked(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _print_table(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    from ttpose.cli.terminal import console

    table = Table()
    for column in ("name", "saved", "from", "preset", "weights", "MB"):
        table.add_column(column, overflow="fold", justify="right" if column == "MB" else "left")
    for row in rows:
        sources = row["sources"]
        made_from = ", ".join(sources[:3]) + (f" and {len(sources) - 3} more" if len(sources) > 3 else "")
        saved, preset, decision = row["saved"][:16].replace("T", " "), row["preset"] or "", row["decision"] or ""
        cells = (row["name"], saved, made_from, preset, decision)
        shown = cells if row["readable"] else (*cells[:4], "damaged")
        table.add_row(*map(Text, shown), f"{row['bytes'] / 1e6:.1f}")
    console().print(table)
