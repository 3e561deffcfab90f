"""How a run tells what it does: the interface, and the JSON lines for machines."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TextIO

from ttpose import __version__
from ttpose.cli.streams import drop_stdout
from ttpose.progress import Advance, Progress

# Seconds between two progress events of one stage: smooth for a display, few enough to store.
_JSON_INTERVAL = 0.5


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
        details: More for machines, JSON-ready.
    """

    source: Path
    status: Literal["done", "skipped", "failed"]
    folder: Path
    files: tuple[str, ...] = ()
    seconds: float = 0.0
    text: str = ""
    hint: str | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def problem(self) -> str:
        """The text of a failure, naming the input."""
        return self.text if str(self.source) in self.text else f"{self.source}: {self.text}"


class Reporter(Progress):
    """A listener that also hears of whole inputs and runs; this one says nothing (but see `failure`)."""

    def start(self, command: str, device: str, inputs: int) -> None:
        """A run begins."""

    def begin(self, source: Path, number: int, count: int) -> None:
        """Work on one input begins, the `number`-th of `count` from 1."""

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
        self._source: str | None = None
        self._notes: set[tuple[str | None, str]] = set()

    def start(self, command: str, device: str, inputs: int) -> None:
        """Event `start`."""
        self._emit("start", command=command, ttpose_version=__version__, device=device, inputs=inputs)

    def begin(self, source: Path, number: int, count: int) -> None:
        """Event `input`."""
        self._source = str(source)
        self._emit("input", input=self._source, number=number, count=count)

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
        if (self._source, text) not in self._notes:
            self._notes.add((self._source, text))
            self._emit("note", input=self._source, text=text)

    def end(self, outcome: Outcome) -> None:
        """Event `result`, or `error` for an input that failed."""
        source, self._source = str(outcome.source), None
        if outcome.status == "failed":
            self._emit("error", input=source, message=outcome.text, hint=outcome.hint)
            return
        from ttpose.results.records import plain

        self._emit(
            "result",
            input=source,
            status=outcome.status,
            folder=str(outcome.folder),
            files=list(outcome.files),
            seconds=round(outcome.seconds, 3),
            text=outcome.text,
            details=plain(outcome.details),
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
            print(json.dumps({"event": event, **values}, ensure_ascii=False), file=self._stream, flush=True)
        except BrokenPipeError:
            # Nobody reads on: end the run, by an exception that no handler of failing inputs or files takes.
            drop_stdout()
            raise SystemExit(1) from None


def print_error(message: str, hint: str | None = None) -> None:
    """Print one line on stderr, and the hint on a second."""
    print(f"ttpose: {message}", file=sys.stderr)
    if hint:
        print(f"  hint: {hint}", file=sys.stderr)
