"""What can go wrong, in the user's words: one line that says what, one hint that says what to do."""

from __future__ import annotations


class TTPoseError(Exception):
    """An expected failure. The command line prints it as one line and a hint, never as a traceback.

    Args:
        message: One line: what is wrong, naming the file or option.
        hint: One line: what to try next, or None.
    """

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message} ({self.hint})"


class UsageError(TTPoseError):
    """The command or function was called wrongly (unknown option value, nothing to do): exit code 2."""


class InputError(TTPoseError):
    """One input cannot be used (missing, empty, damaged, not a video): the rest of a batch goes on, exit code 1."""

    #: 2 where the options do not fit this input.
    exit_code = 1


class NoPersonError(InputError):
    """Nobody was found in the whole input."""


class WeightsError(TTPoseError):
    """A weights file is missing, damaged, of another architecture, or belongs to another base."""


class OutputError(TTPoseError):
    """The result could not be written (disk full, no permission); nothing half-written was left behind."""
