"""Progress and results for people: bars on stderr while work goes on, what came of it on stdout."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from ttpose import __version__
from ttpose.cli.reporting import Outcome, Reporter, print_error
from ttpose.progress import Advance

_COLOURS = {"done": "green", "skipped": "yellow", "failed": "red"}


def console(*, stderr: bool = False) -> Console:
    """A console that wraps at the terminal's width, and never when the output goes to a file or pipe."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else 160, highlight=False, soft_wrap=True)


class TerminalReporter(Reporter):
    """Bars with time left on a terminal, one line a stage elsewhere; a summary table of several inputs."""

    def __init__(self) -> None:
        self._out, self._err = console(), console(stderr=True)
        self._bars: Bars | None = None
        self._notes: set[str] = set()

    def start(self, command: str, device: str, inputs: int) -> None:
        """One line with version and device."""
        several = f", {inputs} inputs" if inputs > 1 else ""
        self._say(f"ttpose {__version__} {command} on {device}{several}", "dim")

    def begin(self, source: Path, number: int, count: int) -> None:
        """Name the input and draw its bars."""
        self._notes.clear()
        self._say(f"[{number}/{count}] {source}" if count > 1 else str(source), "bold")
        if self._err.is_terminal:
            columns = (SpinnerColumn(finished_text="✓"), TextColumn("{task.description}"), BarColumn(24))
            times = (MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
            self._bars = Bars(*columns, *times, console=self._err, transient=True)
            self._bars.start()

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Advance]:
        """A bar on a terminal; elsewhere a line when the stage is over."""
        begin, done, bars = time.monotonic(), 0, self._bars
        task = bars.add_task(name, total=total) if bars else None

        def advance(steps: int = 1) -> None:
            nonlocal done
            done += steps
            if bars is not None and task is not None:
                bars.advance(task, steps)

        yield advance
        if bars is not None and task is not None:
            bars.update(task, total=max(done, 1), completed=max(done, 1))
        else:
            self._say(f"  {name}: {f'{done} in ' if done else ''}{time.monotonic() - begin:.1f} s")

    def note(self, text: str) -> None:
        """Show a line, each text once an input."""
        if text not in self._notes:
            self._notes.add(text)
            self._say(f"  {text}", "yellow")

    def end(self, outcome: Outcome) -> None:
        """Take the bars away and say what came of the input."""
        self.close()
        if outcome.status == "failed":
            print_error(outcome.problem, outcome.hint)
            return
        took = f" in {outcome.seconds:.1f} s" if outcome.status == "done" else ""
        self._out.print(Text(f"{outcome.status}: {outcome.folder}{took}", style=_COLOURS[outcome.status]))
        if outcome.text:
            self._out.print(Text(f"  {outcome.text}"))

    def summary(self, outcomes: Sequence[Outcome], seconds: float, code: int | None) -> None:
        """A table of all inputs, if there are several."""
        if len(outcomes) < 2:
            return
        table = Table(title=f"{len(outcomes)} inputs in {seconds:.0f} s", title_justify="left")
        for column in ("input", "status", "seconds", "results", "what"):
            table.add_column(column, overflow="fold", justify="right" if column == "seconds" else "left")
        for outcome in outcomes:
            table.add_row(
                Text(str(outcome.source)),
                Text(outcome.status, style=_COLOURS[outcome.status]),
                f"{outcome.seconds:.1f}",
                Text(str(outcome.folder) if outcome.status != "failed" else ""),
                Text(outcome.text),
            )
        self._out.print(table)

    def failure(self, message: str, hint: str | None) -> None:
        """Take the bars away before the error is shown."""
        self.close()
        super().failure(message, hint)

    def close(self) -> None:
        """Take the bars away."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    def _say(self, text: str, style: str = "") -> None:
        """Print above the bars on stderr; Text, because file names may look like rich's markup."""
        self._err.print(Text(text, style=style))
