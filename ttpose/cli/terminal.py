"""Progress and results for people: bars on stderr while work goes on, what came of it on stdout."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from ttpose.cli.reporting import Reporter, print_error
from ttpose.core.progress import Advance, Progress
from ttpose.core.text import one_line
from ttpose.core.version import __version__
from ttpose.jobs.outcome import Outcome

_COLOURS = {"done": "green", "skipped": "yellow", "failed": "red"}


def console(*, stderr: bool = False) -> Console:
    """A console that wraps at the terminal's width, and never when the output goes to a file or pipe."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else 160, highlight=False, soft_wrap=True)


class TerminalReporter(Reporter):
    """Bars with time left on a terminal, one line a stage elsewhere; a summary table of several inputs.

    Args:
        timings: Whether the stages of each input are shown as a table at its end.
    """

    def __init__(self, *, timings: bool = False) -> None:
        self._timings = timings
        self._out, self._err = console(), console(stderr=True)
        self._bars: Bars | None = None
        self._overall: TaskID | None = None
        self._at_once = False
        self._to_open: str | None = None
        self._shown: dict[Path, _Shown] = {}
        self._current: Progress = _Shown(None, self._say, None)  # before the first input, and where there is none

    def start(self, command: str, device: str, inputs: int, jobs: int | None = 1) -> None:
        """One line with version and device."""
        self._at_once = jobs != 1 and inputs > 1
        several = f", {inputs} inputs" if inputs > 1 else ""
        at_once = f", {min(jobs, inputs)} at the same time" if self._at_once and jobs is not None else ""
        self._say(f"ttpose {__version__} {command} on {device}{several}{at_once}", "dim")

    def begin(self, source: Path, number: int, count: int) -> Progress:
        """Name the input and draw its bars."""
        self._say(f"[{number}/{count}] {source}" if count > 1 else str(source), "bold")
        if self._err.is_terminal and self._bars is None:
            columns = (SpinnerColumn(finished_text="✓"), TextColumn("{task.description}", markup=False), BarColumn(24))
            times = (MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
            self._bars = Bars(*columns, *times, console=self._err, transient=True)
            self._bars.start()
            if self._at_once:
                self._overall = self._bars.add_task(f"{count} inputs", total=count)
        self._shown[source] = _Shown(self._bars, self._say, source.name if self._at_once else None)
        self._current = self._shown[source]
        return self._current

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Advance]:
        """A stage of the input begun last."""
        with self._current.stage(name, total) as advance:
            yield advance

    def note(self, text: str) -> None:
        """A note on the input begun last."""
        self._current.note(text)

    def end(self, outcome: Outcome) -> None:
        """Take the input's bars away and say what came of it."""
        shown = self._shown.pop(outcome.source, None)
        if shown is not None:
            shown.clear()
        if not self._at_once:
            self.close()
        elif self._bars is not None and self._overall is not None:
            self._bars.advance(self._overall)
        with self._without_bars():
            if outcome.status == "failed":
                print_error(outcome.problem, outcome.hint)
                return
            took = f" in {outcome.seconds:.1f} s" if outcome.status == "done" else ""
            self._out.print(Text(one_line(f"{outcome.status}: {outcome.folder}{took}"), style=_COLOURS[outcome.status]))
            if outcome.text:
                self._out.print(Text(f"  {one_line(outcome.text)}"))
            if self._timings and outcome.status == "done":
                self._out.print(_stage_table(outcome.details.get("stages", {}), outcome.seconds))

    @contextmanager
    def _without_bars(self) -> Iterator[None]:
        """Bars on stderr would be drawn over what goes to stdout."""
        if self._bars is None:
            yield
            return
        self._bars.stop()
        yield
        self._bars.start()

    def summary(self, outcomes: Sequence[Outcome], seconds: float, code: int | None) -> None:
        """A table of all inputs, if there are several."""
        self._to_open = None if code is None else _to_open(outcomes)
        if len(outcomes) < 2:
            return
        table = Table(title=f"{len(outcomes)} inputs in {seconds:.0f} s", title_justify="left")
        for column in ("input", "status", "seconds", "results", "what"):
            table.add_column(column, overflow="fold", justify="right" if column == "seconds" else "left")
        for outcome in outcomes:
            table.add_row(
                Text(one_line(outcome.source)),
                Text(outcome.status, style=_COLOURS[outcome.status]),
                f"{outcome.seconds:.1f}",
                Text(one_line(outcome.folder) if outcome.status != "failed" else ""),
                Text(one_line(outcome.text)),
            )
        self._out.print(table)

    def failure(self, message: str, hint: str | None) -> None:
        """Take the bars away before the error is shown."""
        self.close()
        super().failure(message, hint)

    def close(self) -> None:
        """Take the bars away, and say last which file to open."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = self._overall = None
        if self._to_open is not None:
            self._out.print(Text(f"open {self._to_open}"))
            self._to_open = None

    def _say(self, text: str, style: str = "") -> None:
        """Print above the bars on stderr; Text, because file names may look like rich's markup."""
        self._err.print(Text(one_line(text), style=style))


def _stage_table(stages: Mapping[str, float], seconds: float) -> Table:
    """Each stage's seconds and share, and what is left for everything between them."""
    table = Table("stage", show_edge=False)
    for column in ("seconds", "share"):
        table.add_column(column, justify="right")
    rest = max(seconds - sum(stages.values()), 0.0)
    for name, took in [*stages.items(), ("loading, writing and the rest", rest), ("all", seconds)]:
        table.add_row(Text(name), f"{took:.1f}", f"{took / seconds if seconds else 0:.0%}")
    return table


def _to_open(outcomes: Sequence[Outcome]) -> str | None:
    """The file that shows the result, of one input or of each; None where there is none."""
    for name in ("report.html", "overlay.mp4", "overlay.jpg"):
        folders = [outcome.folder for outcome in outcomes if outcome.status != "failed" and name in outcome.files]
        if folders:
            return str(folders[0] / name) if len(outcomes) == 1 else f"{name} in each results folder"
    return None


class _Shown(Progress):
    """What a terminal shows of one input.

    Args:
        bars: Where to draw, or None where nobody watches.
        say: Prints a line, in a style.
        name: Of the input, where several are worked on at the same time; each then has one bar, and without bars
            only its notes are shown.
    """

    def __init__(self, bars: Bars | None, say: Callable[[str, str], None], name: str | None) -> None:
        self._bars, self._say, self._name = bars, say, name
        self._tasks: list[TaskID] = []
        self._notes: set[str] = set()

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Advance]:
        """A bar on a terminal; elsewhere a line when the stage is over."""
        begin, done, bars = time.monotonic(), 0, self._bars
        task = None if bars is None else self._task(bars, name, total)

        def advance(steps: int = 1) -> None:
            nonlocal done
            done += steps
            if bars is not None and task is not None:
                bars.advance(task, steps)

        yield advance
        if bars is not None and task is not None:
            bars.update(task, total=max(done, 1), completed=max(done, 1))
        elif self._name is None:
            self._say(f"  {name}: {f'{done} in ' if done else ''}{time.monotonic() - begin:.1f} s", "")

    def note(self, text: str) -> None:
        """Show a line, each text once."""
        if text not in self._notes:
            self._notes.add(text)
            self._say(f"  {text}" if self._name is None else f"  {self._name}: {text}", "yellow")

    def clear(self) -> None:
        """Take the bars away."""
        for task in self._tasks:
            if self._bars is not None:
                self._bars.remove_task(task)
        self._tasks.clear()

    def _task(self, bars: Bars, name: str, total: int | None) -> TaskID:
        if self._name is None or not self._tasks:
            self._tasks.append(
                bars.add_task(name if self._name is None else one_line(f"{self._name}: {name}"), total=total)
            )
        else:
            bars.reset(self._tasks[0], total=total, description=one_line(f"{self._name}: {name}"))
        return self._tasks[-1]
