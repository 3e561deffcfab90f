"""Commands whose `--help` fits a screen: options that few users need are shown by `--help-all` only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, ClassVar

import typer
from typer.core import TyperCommand, TyperOption

_ALL = "ttpose.help_all"


def _show_all(ctx: typer.Context, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        ctx.meta[_ALL] = True
        typer.echo(ctx.get_help())
        ctx.exit()


#: The option, for commands of the class that `with_rare_options` gives.
HelpAll = Annotated[
    bool,
    typer.Option(
        "--help-all", callback=_show_all, is_eager=True, expose_value=False, help="Show all options, rare ones too."
    ),
]


def with_rare_options(*names: str) -> type[TyperCommand]:
    """The class of a command whose options of these parameter names are rare; for `app.command(cls=...)`."""

    class Command(_RareOptions):
        rare = frozenset(names)

    return Command


class _RareOptions(TyperCommand):
    rare: ClassVar[frozenset[str]]

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        unknown = self.rare - {param.name for param in self.params}
        if unknown:
            raise ValueError(f"{self.name} has no parameters {sorted(unknown)}")

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """As any command does, without the rare options unless all are asked for."""
        with self._hidden(() if ctx.meta.get(_ALL) else self.rare):
            super().format_help(ctx, formatter)

    @contextmanager
    def _hidden(self, names: Any) -> Iterator[None]:
        rare = [param for param in self.params if param.name in names and isinstance(param, TyperOption)]
        before = [param.hidden for param in rare]
        for param in rare:
            param.hidden = True
        try:
            yield
        finally:
            for param, hidden in zip(rare, before, strict=True):
                param.hidden = hidden
