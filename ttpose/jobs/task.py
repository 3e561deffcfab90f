"""The work on one input as a plain description, and the one function that does it, in whatever process."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from ttpose.core.errors import InputError, OutputError, TTPoseError, UsageError
from ttpose.core.progress import Progress
from ttpose.core.version import __version__
from ttpose.jobs.folders import ResultFolder
from ttpose.jobs.log import LOG_NAME, FileLog, warnings_as_notes
from ttpose.jobs.outcome import Outcome, describe

Writer = Callable[[Path], None]

#: All names that an overlay can have.
OVERLAYS = ("overlay.mp4", "overlay.jpg", "side_by_side.mp4", "side_by_side.jpg")
REPORT = "report.html"


@dataclass(frozen=True)
class Product:
    """What was made of one input.

    Attributes:
        writers: For each file name a function that writes it; a file without one could not be made, which is in the
            notes, and stays unfinished.
        more: Names of further files that nobody could know before the work was done, such as one for each person.
        text: One line for people.
        details: More for machines, JSON-ready.
        optional: Files whose failing is worth a warning but not the other files.
        stale: Pictures that are removed where they are not written anew: they would show other keypoints.
    """

    writers: dict[str, Writer]
    text: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()
    more: tuple[str, ...] = ()
    stale: tuple[str, ...] = (*OVERLAYS, REPORT)


class Work(Protocol):
    """What a command does with each input; can be pickled, so that another process can do it."""

    @property
    def settings(self) -> dict[str, Any]:
        """What changes the results, JSON-ready; stored beside them."""

    def file_names(self, source: Path) -> tuple[str, ...]:
        """The files that will be written for an input."""

    def make(self, source: Path, progress: Progress) -> Product:
        """Do the work on one input, in memory."""


@dataclass(frozen=True)
class Task:
    """One input's share of a batch.

    Attributes:
        work: What to do.
        source: The input.
        folder: Where its results go.
        overwrite: Whether finished results are made again.
        debug: Whether libraries' warnings keep their own form.
        version: Of the ttpose that made the task.
    """

    work: Work
    source: Path
    folder: Path
    overwrite: bool = False
    debug: bool = False
    version: str = __version__

    @property
    def settings(self) -> dict[str, Any]:
        """The work's settings, and the input's size, which tells another file of the same name."""
        return {**self.work.settings, "input_bytes": self.source.stat().st_size if self.source.is_file() else None}


def overlay_name(source: Path) -> str:
    """`overlay.jpg` for a photo, `overlay.mp4` for anything else, judged by the file's first bytes."""
    return "overlay.jpg" if shows_photo(source) else "overlay.mp4"


def shows_photo(source: Path) -> bool:
    """Whether a file is a photo, judged by its first bytes."""
    from ttpose.media.images import is_photo

    with suppress(OSError), open(source, "rb") as handle:  # reading it will say what is wrong with the file
        return is_photo(source, handle.read(16))
    return False


def side_by_side_name(source: Path) -> str:
    """`side_by_side.jpg` or `.mp4`, like the overlay."""
    return f"side_by_side{Path(overlay_name(source)).suffix}"


def finished_before(task: Task) -> Outcome | None:
    """The outcome of a task that needs no work, because it is finished or cannot be begun; None for any other.

    Raises:
        TTPoseError: Something that no input is to blame for.
    """
    return _attempt(task, _skip)


def execute(task: Task, progress: Progress) -> Outcome:
    """Do a task, write its files and its log, and say how it went; a failure of this input is an outcome too.

    Raises:
        TTPoseError: Something that no input is to blame for and that would fail for all of them: weights, options, a
            full disk.
    """
    if task.version != __version__:
        raise UsageError(f"this ttpose is {__version__}, the one that sent the work {task.version}", "install the same")
    return _attempt(task, lambda task: _make(task, progress))


def check_places(tasks: Sequence[Task]) -> None:
    """Fail where results could not be written, before any work is done; raises OutputError."""
    for task in tasks:
        ResultFolder(task.folder, task.source).check_writable(task.work.file_names(task.source))


class _Failed(Exception):
    """One input's failure, with its log."""

    def __init__(self, log: str) -> None:
        self.log = log


def _attempt(task: Task, function: Callable[[Task], Outcome | None]) -> Any:
    start, log = time.monotonic(), ""
    try:
        return function(task)
    except Exception as raised:
        error: BaseException = raised
        if isinstance(raised, _Failed) and raised.__cause__ is not None:
            error, log = raised.__cause__, raised.log
        if isinstance(error, TTPoseError) and not isinstance(error, InputError):
            raise
        message, hint = describe(error)
        took, trace = time.monotonic() - start, "".join(traceback.format_exception(error))
        code = getattr(error, "exit_code", 1)
        return Outcome(task.source, "failed", task.folder, (), took, message, hint, {}, trace, log, code)


def _skip(task: Task) -> Outcome | None:
    if task.overwrite:
        return None
    names, folder = task.work.file_names(task.source), ResultFolder(task.folder, task.source)
    if folder.other_owner is not None:
        raise InputError(
            f"{task.folder} already holds the results of {folder.other_owner}", "choose another folder with -o"
        )
    if not folder.finished(names):
        return None
    why = _why_skipped(folder.differences(names, task.settings))
    names = (*names, *folder.more)
    return Outcome(task.source, "skipped", task.folder, names, 0.0, why, None, folder.details)


def _why_skipped(differences: list[str]) -> str:
    if differences:
        return f"finished before, with other settings ({', '.join(differences)}); --overwrite makes it again"
    return "finished before; --overwrite makes it again"


def _make(task: Task, progress: Progress) -> Outcome:
    from ttpose.results.records import plain

    start, settings, names = time.monotonic(), task.settings, task.work.file_names(task.source)
    folder = ResultFolder(task.folder, task.source)
    folder.check_writable(names)
    folder.sweep()
    log = FileLog(task.folder / LOG_NAME, progress)
    log.write(f"ttpose {__version__} on {task.source.resolve()}\n  {json.dumps(settings, default=str)}")
    try:
        with warnings_as_notes(log.note, task.debug):
            product = task.work.make(task.source, log)
            if product.more:  # among the others in the order of the writers, for some files name others' fingerprints
                wanted = {*names, *product.more}
                names = tuple(name for name in product.writers if name in wanted)
            more = {"more_files": list(product.more)} if product.more else {}
            product = replace(product, details=plain({**product.details, **more}))
            lost = _write(product, folder, names, settings, log.stages)
            names = tuple(name for name in names if name in product.writers)
            for name, error in lost.items():
                log.note(f"warning: {name} could not be made: {describe(error)[0]}")
    except Exception as error:
        log.write(f"failed in {time.monotonic() - start:.1f} s: {describe(error)[0]}\n{traceback.format_exc()}")
        if isinstance(error, TTPoseError) and not isinstance(error, InputError):
            raise
        raise _Failed(log.withdraw()) from error
    except BaseException:  # Ctrl-C, or asked to end
        log.write(f"stopped after {time.monotonic() - start:.1f} s")
        raise
    took = time.monotonic() - start
    trace = "".join(text for error in lost.values() for text in traceback.format_exception(error)) or None
    log.write(f"done in {took:.1f} s: {product.text}" + (f"\n{trace}" if trace else ""))
    kept = tuple(name for name in names if name not in lost)
    details = {**product.details, "stages": log.stages}
    return Outcome(task.source, "done", task.folder, kept, took, product.text, None, details, trace)


def _write(
    product: Product, folder: ResultFolder, names: Sequence[str], settings: dict[str, Any], stages: dict[str, float]
) -> dict[str, Exception]:
    """Write all files; whatever a kill interrupts is not on the folder's record and is made again next time.

    Returns:
        The optional files that could not be made, and why.
    """
    stale = [name for name in product.stale if name not in names]
    folder.forget([*names, *stale])
    for name in stale:
        with suppress(FileNotFoundError):
            (folder.path / name).unlink()
    lost: dict[str, Exception] = {}
    names = [name for name in names if name in product.writers]
    for name in names:
        try:
            product.writers[name](folder.path / name)
        except Exception as error:
            if name in product.optional:
                lost[name] = error
                with suppress(FileNotFoundError):
                    (folder.path / name).unlink()
            elif isinstance(error, OSError):  # a writer that does not go through ttpose.core.files
                raise OutputError(f"cannot write {folder.path / name}: {error.strerror or error}") from error
            else:
                raise
    folder.remember([name for name in names if name not in lost], settings, {**product.details, "stages": stages})
    return lost
