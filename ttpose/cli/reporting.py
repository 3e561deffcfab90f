"""How a run tells what it does: the interface, and the JSON lines for machines."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from ttpose.cli.streams import drop_stdout, is_unicode
from ttpose.core.progress import Advance, Progress
from ttpose.core.text import json_text, one_line
from ttpose.core.version import __version__
from ttpose.jobs.outcome import Outcome

# Seconds between two progress events of one stage: smooth for a display, few enough to store.
_JSON_INTERVAL = 0.5


class Reporter(Progress):
    """Receives the progress of whole inputs and runs too; this one prints nothing (but see `failure`).

    What it receives itself, as a `Progress`, is about the input that was begun last.
    """

    def start(self, command: str, device: str, inputs: int, jobs: int | None = 1) -> None:
        """A run begins, with work on `jobs` inputs at the same time; None: as many as a cluster takes."""

    def begin(self, source: Path, number: int, count: int) -> Progress:
        """Work on one input begins, the `number`-th of `count` from 1; gives what receives that input's progress."""
        return Progress()

    def end(self, outcome: Outcome) -> None:
        """Work on that input is over."""

    def summary(self, outcomes: Sequence[Outcome], seconds: float, code: int | None) -> None:
        """The run is over and will exit with `code`; None if it was cut short, then `failure` follows."""

    def failure(self, message: str, hint: str | None) -> None:
        """The whole run fails."""
        print_error(message, hint)

    def close(self) -> None:
        """Put the terminal back as it was, also after an error."""


class QuietReporter(Reporter):
    """Says nothing but what went wrong, on stderr."""

    def end(self, outcome: Outcome) -> None:
        """Show a failure."""
        if outcome.status == "failed":
            print_error(outcome.problem, outcome.hint)


class JsonReporter(Reporter):
    """Prints one JSON object a line: start, input, stage, note, result, error, summary (docs/json-events.md)."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._current = _JsonInput(self._emit, None)

    def start(self, command: str, device: str, inputs: int, jobs: int | None = 1) -> None:
        """Event `start`."""
        self._emit("start", command=command, ttpose_version=__version__, device=device, inputs=inputs, jobs=jobs)

    def begin(self, source: Path, number: int, count: int) -> Progress:
        """Event `input`."""
        self._emit("input", input=str(source), number=number, count=count)
        self._current = _JsonInput(self._emit, str(source))
        return self._current

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Advance]:
        """Events `stage` of the input begun last."""
        with self._current.stage(name, total) as advance:
            yield advance

    def note(self, text: str) -> None:
        """Event `note` of the input begun last."""
        self._current.note(text)

    def end(self, outcome: Outcome) -> None:
        """Event `result`, or `error` for an input that failed."""
        source, self._current = str(outcome.source), _JsonInput(self._emit, None)
        if outcome.status == "failed":
            self._emit("error", input=source, message=outcome.text, hint=outcome.hint)
            return
        self._emit(
            "result",
            input=source,
            status=outcome.status,
            folder=str(outcome.folder),
            files=list(outcome.files),
            seconds=round(outcome.seconds, 3),
            text=outcome.text,
            details=outcome.details,
        )

    def summary(self, outcomes: Sequence[Outcome], seconds: float, code: int | None) -> None:
        """Event `summary`."""
        counts = {status: sum(o.status == status for o in outcomes) for status in ("done", "skipped", "failed")}
        self._emit("summary", **counts, seconds=round(seconds, 3), exit_code=code)

    def failure(self, message: str, hint: str | None) -> None:
        """Event `error` without an input, and the line for people on stderr."""
        self._emit("error", input=None, message=message, hint=hint)
        super().failure(message, hint)

    def _emit(self, event: str, **values: Any) -> None:
        try:
            line = json_text({"event": event, **values}, ascii_only=not is_unicode(self._stream))
            print(line, file=self._stream, flush=True)
        except BrokenPipeError:
            # Nobody reads on: end the run, by an exception that no handler of failing inputs or files takes.
            drop_stdout()
            raise SystemExit(1) from None


class _JsonInput(Progress):
    """The events of one input, or (None) of the run."""

    def __init__(self, emit: Callable[..., None], source: str | None) -> None:
        self._emit, self._source = emit, source
        self._notes: set[str] = set()

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Advance]:
        """Events `stage`: at the start, at most two a second, and at the end."""
        done, begin = 0, time.monotonic()
        shown = begin

        def emit(finished: bool) -> None:
            seconds = round(time.monotonic() - begin, 3)
            self._emit(
                "stage", input=self._source, stage=name, done=done, total=total, finished=finished, seconds=seconds
            )

        def advance(steps: int = 1) -> None:
            nonlocal done, shown
            done += steps
            if time.monotonic() - shown >= _JSON_INTERVAL:
                shown = time.monotonic()
                emit(False)

        emit(False)
        yield advance
        emit(True)

    def note(self, text: str) -> None:
        """Event `note`, each text once an input."""
        if text not in self._notes:
            self._notes.add(text)
            self._emit("note", input=self._source, text=text)


def print_error(message: str, hint: str | None = None) -> None:
    """Print one line on stderr, and the hint on a second."""
    print(f"ttpose: {one_line(message)}", file=sys.stderr)
    if hint:
        print(f"  hint: {one_line(hint)}", file=sys.stderr)
