"""`ttpose personalize --same-person`: one person file from many clips and photos, and the results of each."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttpose.cli.personalizing import PERSON, Personalizing
from ttpose.cli.reporting import Reporter
from ttpose.core.errors import InputError, UsageError
from ttpose.core.files import sha256_of
from ttpose.core.progress import Named, Progress
from ttpose.jobs.folders import ResultFolder, output_folders
from ttpose.jobs.outcome import Outcome
from ttpose.jobs.run import Running
from ttpose.jobs.summary import Summary
from ttpose.jobs.task import Product, Task, check_places, execute, finished_before

if TYPE_CHECKING:
    from ttpose.api import SharedPerson


def check_same_person(mode: str, jobs: int | None) -> None:
    """Refuse what does not go with --same-person; raises UsageError."""
    if mode == "online":
        raise UsageError("--same-person learns offline; --mode online takes one input")
    if jobs != 1:
        raise UsageError("--same-person is one piece of work", "leave out --jobs and --scheduler")


def run_same_person(
    work: Personalizing, sources: Sequence[Path], root: Path, reporter: Reporter, how: Running
) -> tuple[int, bool]:
    """Do it.

    Returns:
        The exit code, 0, or 1 if it failed or an input had to be left out; and whether there is the person.

    Raises:
        TTPoseError: Something that no input is to blame for.
    """
    start = time.monotonic()
    learning, folders = Learning(work, tuple(sources), root), output_folders(sources, root)
    first = Task(learning, root, root, how.overwrite, how.debug)
    rest = [Task(OneOfMany(learning), source, folders[source], how.overwrite, how.debug) for source in sources]
    check_places(rest)  # before learning, which takes minutes
    summary = Summary(root, learning.settings, len(sources)) if len(sources) > 1 else None
    listener = reporter.begin(root, 1, 1)
    person, outcomes = _learned(first, rest, listener), []
    if person.status != "failed":
        for outcome in _predicted(person, rest, learning, listener):
            outcomes.append(outcome)
            if summary is not None:
                summary.write(outcomes)
    if how.debug:
        print(*filter(None, (each.trace for each in (person, *outcomes))), file=sys.stderr, sep="", end="")
    outcomes = outcomes or [person]
    reporter.end(_together(person, outcomes, time.monotonic() - start))
    code = int(any(each.status == "failed" for each in outcomes))
    if summary is not None:
        summary.write(outcomes, code)
    reporter.close()
    reporter.summary(outcomes, time.monotonic() - start, code)
    return code, person.status != "failed"


def _learned(first: Task, rest: Sequence[Task], listener: Progress) -> Outcome:
    """The person, whose file is kept if nothing at all is missing, or if it was made of the same in the same way."""
    before = [finished_before(task) for task in rest]
    refused = next((each for each in before if each is not None and each.status == "failed"), None)
    if refused is not None:  # the folder holds the results of something else
        return replace(refused, source=first.source, folder=first.folder)
    record = ResultFolder(first.folder, first.source)
    same = record.unchanged((PERSON,), first.settings)
    left_out = record.details.get("left_out", {}) if same else {}
    finished = all(each is not None or str(task.source) in left_out for each, task in zip(before, rest, strict=True))
    known = finished_before(first)
    return known if known is not None and (known.status == "failed" or same or finished) else execute(first, listener)


def _predicted(person: Outcome, rest: Sequence[Task], learning: Learning, listener: Progress) -> Iterator[Outcome]:
    """Each input's results; what is there already, of this very person, stays."""
    left_out = person.details.get("left_out", {})
    finished = {task.source: finished_before(task) for task in rest if str(task.source) not in left_out}
    whole = person.status == "skipped" and None not in finished.values()
    for task in rest:
        outcome, folder = finished.get(task.source), ResultFolder(task.folder, task.source)
        if task.source not in finished:
            yield Outcome(task.source, "failed", task.folder, text=left_out[str(task.source)])
        elif outcome is not None and (whole or folder.unchanged(outcome.files, task.settings)):
            yield outcome
        else:
            outcome = execute(task, Named(listener, task.source.name))
            if outcome.status == "failed":
                listener.note(f"warning: {outcome.problem}")
            yield outcome


def _together(person: Outcome, outcomes: Sequence[Outcome], seconds: float) -> Outcome:
    """The outcome of the whole, with all files as they lie in its folder."""
    if person.status == "failed":
        return person
    files = [f"{each.folder.name}/{name}" for each in outcomes for name in each.files]
    new = sum(each.status == "done" for each in outcomes)
    if person.status == "skipped" and new:
        text = f"the person was learned before; {new} of {len(outcomes)} inputs predicted now"
        person = replace(person, status="done", text=text)
    return replace(person, files=(PERSON, *files), seconds=seconds)


@dataclass
class Learning:
    """The work on all inputs together: the person file, in the folder of all.

    Attributes:
        each: What is written for an input.
        sources: The inputs.
        root: Folder of all results.
        shared: The person, once there is one.
    """

    each: Personalizing
    sources: tuple[Path, ...]
    root: Path
    shared: SharedPerson | None = field(default=None, compare=False)

    @property
    def settings(self) -> dict[str, Any]:
        """What changes the results: the settings, and which inputs there are."""
        sizes = {str(path.resolve()): path.stat().st_size for path in self.sources if path.is_file()}
        return {**self.each.settings, "same_person": sizes}

    def file_names(self, source: Path) -> tuple[str, ...]:
        """The person file."""
        return (PERSON,)

    def make(self, source: Path, progress: Progress) -> Product:
        """Learn from all inputs together."""
        left_out: dict[str, str] = {}

        def leave_out(path: Path, error: InputError) -> None:
            left_out[str(path)] = error.message
            progress.note(f"warning: {path} is left out: {error.message}")

        shared = self._call(progress, on_bad=leave_out)
        self.shared = shared
        text = f"one person from {len(self.sources) - len(left_out)} inputs; {self.each.guard_words(shared.guard)}"
        details = {"guard": shared.guard.to_dict(), "timings": shared.timings, "left_out": left_out}
        return Product({PERSON: shared.person.save}, text, details, stale=())

    def known(self, progress: Progress) -> SharedPerson:
        """The person, from the file where it was learned before."""
        if self.shared is None:
            self.shared = self._call(progress, learned=self.root / PERSON)
        return self.shared

    def _call(self, progress: Progress, **more: Any) -> SharedPerson:
        from ttpose import api
        from ttpose.models.engine import use_precision

        use_precision(self.each.precision or "auto")
        how = {name: value for name, value in self.each.arguments().items() if name != "mode"}
        given = {source: self.each.corrections_of(source) for source in self.sources}
        said = {source: file for source, file in given.items() if file is not None}
        more |= {"corrections": said} if said else {}
        return api.learn_person(self.sources, **how, device=self.each.device, progress=progress, **more)


@dataclass(frozen=True)
class OneOfMany:
    """The work on one input: its keypoints with the person that was learned from all of them.

    Attributes:
        learning: The person.
    """

    learning: Learning

    @property
    def settings(self) -> dict[str, Any]:
        """What changes the results: all that changes the person, and which one came of it."""
        person = self.learning.root / PERSON
        return {**self.learning.settings, "person_file": sha256_of(person) if person.is_file() else None}

    def file_names(self, source: Path) -> tuple[str, ...]:
        """The files in the input's own folder."""
        return self.learning.each.clip_file_names(source)

    def make(self, source: Path, progress: Progress) -> Product:
        """Predict one input."""
        made = self.learning.known(progress).predict(source, progress)
        product = self.learning.each.product(source, made, progress, f"../{PERSON}")
        names = self.file_names(source)
        writers = {name: product.writers[name] for name in names}
        # The guard's decision and the time to learn are reported once, for all.
        details = product.details | {"timings": {"predict_s": made.timings.get("predict_s")}}
        return replace(product, writers=writers, details=details, optional=product.optional & {*names})
