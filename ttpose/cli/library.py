"""What `ttpose people` and `ttpose models` do alike: add a file to a library under a name, and remove files from it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from ttpose.people.library import Library


def add_to(library: Library, name: str, file: Path, *, overwrite: bool) -> None:
    """Copy a file into a library and print where it is; raises as `Library.add`."""
    added = library.add(name, file, replace=overwrite)
    print(f"{added.name}: {added.path}")


def remove_from(library: Library, names: Sequence[str], *, ask: bool) -> None:
    """Remove all of the names, or none: raises UsageError for an unknown one, and Abort where the user says no."""
    found = [library.get(name) for name in names]
    if ask:
        typer.confirm(f"delete {', '.join(one.name for one in found)}?", abort=True)
    for one in found:
        print(f"removed {library.remove(one.name)}")
