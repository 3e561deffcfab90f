"""Standard input, output and error as they are found: closed, not Unicode, or with a reader that has left."""

from __future__ import annotations

import io
import os
import sys
from typing import Any

from ttpose.core.text import ESCAPE

_PIPED_WIDTH = 100  # columns


def prepare_streams() -> None:
    """Make output always possible: what the encoding lacks is escaped, and what is closed swallows everything.

    A service or cron may start us with closed streams. Their numbers are taken at once, because a result file that got
    number 1 or 2 would get libraries' messages as well.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
        stream: Any = getattr(sys, name)
        if stream is None:
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115  open as long as the process
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
        if mode == "w" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ESCAPE)
    if "COLUMNS" not in os.environ and not sys.stdout.isatty():
        # Help that goes to a file or pager, whose width nobody knows, would be wrapped at 80 columns into two screens.
        os.environ.setdefault("TERMINAL_WIDTH", str(_PIPED_WIDTH))


def is_unicode(stream: Any) -> bool:
    """Whether a stream takes every character."""
    return str(getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "").startswith("utf")


def drop_stdout() -> None:
    """Point stdout at nothing, so that flushing it while the interpreter shuts down does not complain again."""
    if sys.__stdout__ is not None:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.__stdout__.fileno())
        os.close(nothing)
