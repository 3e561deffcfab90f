"""One run of a command: whom it reports to, and how each way of failing ends (one line, and an exit code)."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

import typer

from ttpose.cli.reporting import JsonReporter, QuietReporter, Reporter
from ttpose.cli.streams import drop_stdout
from ttpose.core.errors import UsageError
from ttpose.core.stopping import ends_when_asked
from ttpose.jobs.log import warnings_as_notes
from ttpose.jobs.outcome import describe


@contextmanager
def session(
    *, quiet: bool = False, json_lines: bool = False, debug: bool = False, timings: bool = False
) -> Iterator[Reporter]:
    """Give the reporter that the options ask for, and turn exceptions into one line and an exit code.

    Exit codes: 1 for failures, 2 for wrong use, 130 for Ctrl-C, 143 for a polite kill.
    """
    reporter = _reporter(quiet, json_lines, timings)
    try:
        _check_working_directory()
        with ends_when_asked(), warnings_as_notes(reporter.note, debug), _own_stdout(json_lines):
            yield reporter
    except KeyboardInterrupt:
        reporter.failure("interrupted; nothing half-written was left, finished results are kept", None)
        raise typer.Exit(130) from None
    except BrokenPipeError:
        drop_stdout()
        raise typer.Exit(1) from None
    except typer.Exit:
        raise
    except Exception as error:
        if debug:
            traceback.print_exc()
        message, hint = _no_output(error) or describe(error)
        reporter.failure(message, hint)
        raise typer.Exit(2 if isinstance(error, UsageError) else 1) from None
    finally:
        reporter.close()


def _reporter(quiet: bool, json_lines: bool, timings: bool) -> Reporter:
    if json_lines:
        return JsonReporter(sys.stdout)
    if quiet:
        return QuietReporter()
    from ttpose.cli.terminal import TerminalReporter

    return TerminalReporter(timings=timings)


def _no_output(error: Exception) -> tuple[str, str | None] | None:
    """The line and hint where our own stdout or stderr cannot be written, such as on a full disk; else None."""
    if isinstance(error, OSError) and error.filename is None and error.errno in (errno.ENOSPC, errno.EBADF, errno.EIO):
        return f"the output cannot be written: {error.strerror}", "look where it is redirected to"
    return None


def _check_working_directory() -> None:
    """Relative names mean nothing without it, and libraries end the process over it."""
    try:
        os.getcwd()
    except OSError:
        raise UsageError("the working directory is not there any more", "change to another one first") from None


@contextmanager
def _own_stdout(json_lines: bool) -> Iterator[None]:
    """Keep stdout for the JSON lines alone: what a library prints goes to stderr."""
    if not json_lines:
        yield
        return
    with redirect_stdout(sys.stderr):
        yield
