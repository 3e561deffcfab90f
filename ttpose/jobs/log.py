"""The log of one input, beside its results: stages with their times, warnings, and how it ended."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ttpose.core.progress import Advance, Progress
from ttpose.core.text import readable

LOG_NAME = "log.txt"


class FileLog(Progress):
    """Writes a line with the time for each event that it receives, and passes everything on.

    A line that cannot be written is left out: the log must not cost the result.

    Args:
        path: The log; an earlier one is replaced.
        listener: Receives the same.

    Attributes:
        stages: Seconds by stage, of those that are over.
    """

    def __init__(self, path: Path, listener: Progress) -> None:
        self._path, self._listener = path, listener
        self.stages: dict[str, float] = {}
        self._notes: set[str] = set()
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("", encoding="utf-8")

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Advance]:
        """A line when the stage is over."""
        begin, done = time.monotonic(), 0
        with self._listener.stage(name, total) as pass_on:

            def advance(steps: int = 1) -> None:
                nonlocal done
                done += steps
                pass_on(steps)

            yield advance
        took = time.monotonic() - begin
        self.stages[name] = round(self.stages.get(name, 0.0) + took, 3)
        self.write(f"{name}: {f'{done} in ' if done else ''}{took:.1f} s")

    def note(self, text: str) -> None:
        """A line, each text once."""
        if text not in self._notes:
            self._notes.add(text)
            self.write(text)
        self._listener.note(text)

    def write(self, text: str) -> None:
        """Add a line, or several, that only the log gets; kept at once, so that a kill loses none."""
        with suppress(OSError), open(self._path, "a", encoding="utf-8") as handle:
            handle.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {readable(text).rstrip()}\n")

    def withdraw(self) -> str:
        """Take the log away, and its folder where nothing else is in it; returns what it held."""
        text = ""
        with suppress(OSError):
            text = self._path.read_text(encoding="utf-8")
            if [path.name for path in self._path.parent.iterdir()] == [self._path.name]:
                self._path.unlink()
                self._path.parent.rmdir()
        return text


@contextmanager
def warnings_as_notes(note: Callable[[str], None], debug: bool = False) -> Iterator[None]:
    """Give `note` a library's warnings as one line, once; with `debug` they keep Python's own form and place."""
    if debug:
        yield
        return
    seen: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *_place: Any, **_more: Any) -> None:
        text = next(iter(str(message).splitlines()), "")
        if issubclass(category, (UserWarning, RuntimeWarning)) and text not in seen:
            seen.add(text)
            note(f"warning: {text}")

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield
