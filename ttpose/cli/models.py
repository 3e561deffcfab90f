"""`ttpose models`: the bases that `--base NAME` means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ttpose.cli import options
from ttpose.cli.library import add_to, remove_from
from ttpose.cli.session import session

if TYPE_CHECKING:
    from ttpose.people.library import Person

models = typer.Typer(
    no_args_is_help=True,
    help="Keep bases by name, for --base of other commands.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@models.command("list")
def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False, debug: options.Debug = False
) -> None:
    """Show the shipped base and those in the library."""
    with session(quiet=True, debug=debug):
        from ttpose.models.store import model_path
        from ttpose.people.library import SHIPPED_BASE, SUFFIX, BaseLibrary

        rows = [_shipped(model_path(f"{SHIPPED_BASE}{SUFFIX}")), *map(described, BaseLibrary().people())]
        if as_json:
            print(json.dumps(rows, ensure_ascii=False))
        else:
            _print_table(rows)


@models.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False, help="What to call it.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False, help="A base's .safetensors file.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a base of that name.")] = False,
    debug: options.Debug = False,
) -> None:
    """Copy a base into the library."""
    with session(quiet=True, debug=debug):
        from ttpose.people.library import BaseLibrary

        add_to(BaseLibrary(), name, file, overwrite=overwrite)


@models.command()
def remove(
    names: Annotated[list[str], typer.Argument(metavar="NAME", show_default=False, help="Bases of the library.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    debug: options.Debug = False,
) -> None:
    """Delete bases from the library; persons that were made on them need them."""
    with session(quiet=True, debug=debug):
        from ttpose.people.library import BaseLibrary

        remove_from(BaseLibrary(), names, ask=not yes)


def described(base: Person) -> dict[str, Any]:
    """What a base's file says of itself, as JSON-ready values."""
    from ttpose.cli.contents import count_parameters, describe_config

    readable = "config" in base.notes
    return {
        "name": base.name,
        "file": str(base.path),
        "bytes": base.path.stat().st_size,
        "readable": readable,
        "parameters": count_parameters(base.path) if readable else None,
        **describe_config(base.notes.get("config", "")),
        "imported_from": base.notes.get("imported_from"),
    }


def _shipped(path: Path) -> dict[str, Any]:
    from ttpose.people.library import Library, Person

    notes = Library(path.parent).get(path.stem).notes
    return described(Person(path.stem, path, notes)) | {"imported_from": "shipped with ttpose"}


def _print_table(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    from ttpose.cli.terminal import console

    table = Table()
    for column in ("name", "kind", "input", "M parameters", "MB", "from"):
        right = column in ("M parameters", "MB")
        table.add_column(column, overflow="fold", justify="right" if right else "left")
    for row in rows:
        millions = "" if row["parameters"] is None else f"{row['parameters'] / 1e6:.1f}"
        kind = (row["kind"] or "") if row["readable"] else "damaged"
        cells = (
            row["name"],
            kind,
            row["input"] or "",
            millions,
            f"{row['bytes'] / 1e6:.1f}",
            row["imported_from"] or "",
        )
        table.add_row(*map(Text, cells))
    console().print(table)
