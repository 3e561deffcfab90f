"""Many inputs, one after the other: skip what is finished, go on after a bad file, say at the end how it went."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ttpose.cli.outputs import ResultFolder, output_folders
from ttpose.cli.reporting import Outcome, Reporter
from ttpose.cli.session import describe
from ttpose.errors import InputError, OutputError, TTPoseError

Writer = Callable[[Path], None]

#: All names that an overlay can have.
OVERLAYS = ("overlay.mp4", "overlay.jpg", "side_by_side.mp4", "side_by_side.jpg")
REPORT = "report.html"


@dataclass(frozen=True)
class Product:
    """What a job made of one input.

    Attributes:
        writers: For each file name a function that writes it, in the order to write.
        text: One line for people.
        details: More for machines, JSON-ready.
        optional: Files whose failing is worth a warning but not the other files.
    """

    writers: dict[str, Writer]
    text: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Job:
    """What a command does with each input.

    Attributes:
        file_names: The files that will be written for an input.
        make: Do the work on one input, in memory.
        settings: What changes the results, JSON-ready; stored beside them.
    """

    file_names: Callable[[Path], tuple[str, ...]]
    make: Callable[[Path, Reporter], Product]
    settings: dict[str, Any]


def overlay_name(source: Path) -> str:
    """`overlay.jpg` for a photo, `overlay.mp4` for anything else, judged by the file's first bytes."""
    from ttpose.media.images import is_image

    with suppress(OSError), open(source, "rb") as handle:  # reading it will say what is wrong with the file
        return "overlay.jpg" if is_image(handle.read(16)) else "overlay.mp4"
    return "overlay.mp4"


def side_by_side_name(source: Path) -> str:
    """`side_by_side.jpg` or `.mp4`, like the overlay."""
    return f"side_by_side{Path(overlay_name(source)).suffix}"


def run_batch(
    job: Job, inputs: Sequence[Path], root: Path, reporter: Reporter, *, overwrite: bool = False, debug: bool = False
) -> int:
    """Do a job on every input and return the exit code: 0, or 1 if an input failed.

    Raises:
        TTPoseError: Something that no input is to blame for and that would fail for all of them: weights, options,
            a full disk.
    """
    begin, folders = time.monotonic(), output_folders(inputs, root)
    outcomes: list[Outcome] = []
    code = None
    try:
        for number, source in enumerate(inputs, start=1):
            reporter.begin(source, number, len(inputs))
            start = time.monotonic()
            try:
                outcome = _run_one(job, source, folders[source], reporter, overwrite, debug)
            except Exception as error:
                if isinstance(error, TTPoseError) and not isinstance(error, InputError):
                    raise
                if debug:
                    traceback.print_exc()
                message, hint = describe(error)
                seconds = time.monotonic() - start
                outcome = Outcome(source, "failed", folders[source], (), seconds, message, hint)
            outcomes.append(outcome)
            reporter.end(outcome)
        code = int(any(outcome.status == "failed" for outcome in outcomes))
        return code
    finally:
        if outcomes:
            reporter.close()
            reporter.summary(outcomes, time.monotonic() - begin, code)


def _run_one(job: Job, source: Path, path: Path, reporter: Reporter, overwrite: bool, debug: bool) -> Outcome:
    start = time.monotonic()
    names = job.file_names(source)
    settings = {**job.settings, "input_bytes": source.stat().st_size if source.is_file() else None}
    folder = ResultFolder(path, source)
    if not overwrite:
        if folder.other_owner is not None:
            raise InputError(
                f"{path} already holds the results of {folder.other_owner}", "choose another folder with -o"
            )
        if folder.finished(names):
            return Outcome(source, "skipped", path, names, text=_why_skipped(folder.differences(names, settings)))
    folder.check_writable()
    product = job.make(source, reporter)
    lost = _write(product, folder, names, settings)
    for name, error in lost.items():
        if debug:
            traceback.print_exception(error)
        reporter.note(f"warning: {name} could not be made: {describe(error)[0]}")
    names = tuple(name for name in names if name not in lost)
    return Outcome(source, "done", path, names, time.monotonic() - start, product.text, None, product.details)


def _why_skipped(differences: list[str]) -> str:
    if differences:
        return f"finished before, with other settings ({', '.join(differences)}); --overwrite makes it again"
    return "finished before; --overwrite makes it again"


def _write(
    product: Product, folder: ResultFolder, names: Sequence[str], settings: dict[str, Any]
) -> dict[str, Exception]:
    """Write all files; whatever a kill interrupts is not on the folder's record and is made again next time.

    Returns:
        The optional files that could not be made, and why.
    """
    # A picture that is not drawn again would show other keypoints than those beside it.
    stale = [name for name in (*OVERLAYS, REPORT) if name not in names]
    folder.forget([*names, *stale])
    for name in stale:
        with suppress(FileNotFoundError):
            (folder.path / name).unlink()
    lost: dict[str, Exception] = {}
    for name in names:
        try:
            product.writers[name](folder.path / name)
        except Exception as error:
            if name in product.optional:
                lost[name] = error
                with suppress(FileNotFoundError):
                    (folder.path / name).unlink()
            elif isinstance(error, OSError):  # a writer that does not go through ttpose.files
                raise OutputError(f"cannot write {folder.path / name}: {error.strerror or error}") from error
            else:
                raise
    folder.remember([name for name in names if name not in lost], settings)
    return lost
