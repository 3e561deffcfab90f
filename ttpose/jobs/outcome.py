"""What became of an input, in words and for machines."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ttpose.core.errors import TTPoseError

DEBUG_HINT = "this should not happen; repeat it with --debug and report what that shows"


@dataclass(frozen=True)
class Outcome:
    """What became of one input.

    Attributes:
        source: The input.
        status: `done`, `skipped` (was finished before) or `failed`.
        folder: Where its results are or would be.
        files: Names of the result files in the folder.
        seconds: How long it took.
        text: One line: what came out, or why it was skipped or failed.
        hint: What to try after a failure, or None.
        details: More for machines, JSON-ready; of a skipped input what was recorded when it was done.
        trace: Tracebacks of what went wrong, or None.
        log: Of a failed input its log, which has no folder to lie in; else "".
        exit_code: Of a failed input: 1, or 2 where the options do not fit it.
    """

    source: Path
    status: Literal["done", "skipped", "failed"]
    folder: Path
    files: tuple[str, ...] = ()
    seconds: float = 0.0
    text: str = ""
    hint: str | None = None
    details: dict[str, Any] = field(default_factory=dict)
    trace: str | None = None
    log: str = ""
    exit_code: int = 1

    @property
    def problem(self) -> str:
        """The text of a failure, naming the input."""
        return self.text if str(self.source) in self.text else f"{self.source}: {self.text}"


def describe(error: BaseException) -> tuple[str, str | None]:
    """The line and the hint for an error; whatever is no `TTPoseError` is called unexpected."""
    if isinstance(error, TTPoseError):
        return error.message, error.hint
    first_line = next(iter(str(error).splitlines()), "")
    return f"unexpected {type(error).__name__}: {first_line}", DEBUG_HINT
