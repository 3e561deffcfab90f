"""`ttpose personalize --same-person`: one person file from many clips and photos, and the results of each."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ttpose.batches.folders import RECORD_NAME, ResultFolder, output_folders
from ttpose.batches.outcome import Outcome
from ttpose.batches.run import Running
from ttpose.batches.summary import Summary
from ttpose.batches.task import OVERLAYS, REPORT, Product, Task, Writer, execute, finished_before
from ttpose.cli.personalize import PERSON, Personalizing
from ttpose.cli.reporting import Reporter
from ttpose.errors import InputError, UsageError
from ttpose.progress import Named, Progress


def check_same_person(mode: str, jobs: int | None) -> None:
    """Refuse what does not go with --same-person; raises UsageError."""
    if mode == "online":
        raise UsageError("--same-person learns offline; --mode online takes one input")
    if jobs != 1:
        raise UsageError("--same-person is one piece of work", "leave out --jobs and --scheduler")


def run_same_person(work: Personalizing, sources: Sequence[Path], root: Path, reporter: Reporter, how: Running) -> int:
    """Do it and return the exit code: 0, or 1 if it failed or an input had to be left out.

    Raises:
        TTPoseError: Something that no input is to blame for.
    """
    start = time.monotonic()
    task = Task(SamePerson(work, tuple(sources), root, how.overwrite), root, root, how.overwrite, how.debug)
    listener = reporter.begin(root, 1, 1)
    outcome = finished_before(task) or execute(task, listener)
    if how.debug and outcome.trace:
        print(outcome.trace, file=sys.stderr, end="")
    reporter.end(outcome)
    outcomes = _of_each(outcome, sources, root) if outcome.status != "failed" else [outcome]
    code = int(any(each.status == "failed" for each in outcomes))
    if len(sources) > 1:
        Summary(root, task.work.settings, len(sources)).write(outcomes, code)
    reporter.close()
    reporter.summary(outcomes, time.monotonic() - start, code)
    return code


def _of_each(outcome: Outcome, sources: Sequence[Path], root: Path) -> list[Outcome]:
    """What became of each input, by the record of the whole."""
    folders, left_out = output_folders(sources, root), outcome.details.get("left_out", {})
    found = []
    for source in sources:
        if str(source) in left_out:
            found.append(Outcome(source, "failed", folders[source], text=left_out[str(source)]))
            continue
        prefix = f"{folders[source].name}/"
        files = tuple(name.removeprefix(prefix) for name in outcome.files if name.startswith(prefix))
        text = outcome.text if outcome.status == "skipped" else ""  # the whole's was told already
        took = outcome.details.get("predict_s", {}).get(str(source), 0.0)
        found.append(
            replace(outcome, source=source, folder=folders[source], files=files, seconds=took, text=text, details={})
        )
    return found


@dataclass(frozen=True)
class SamePerson:
    """The work on all inputs together; its files are named from the folder of all.

    Attributes:
        each: What is written for an input.
        sources: The inputs.
        root: Folder of all results.
        overwrite: Whether results of other inputs in the way are replaced.
    """

    each: Personalizing
    sources: tuple[Path, ...]
    root: Path
    overwrite: bool

    @property
    def settings(self) -> dict[str, Any]:
        """What changes the results: the settings, and which inputs there are."""
        sizes = {str(path.resolve()): path.stat().st_size for path in self.sources if path.is_file()}
        return {**self.each.settings, "same_person": sizes}

    def file_names(self, source: Path) -> tuple[str, ...]:
        """The person file, and each input's files in its folder, its record last."""
        folders = output_folders(self.sources, self.root)
        own = [f"{folders[s].name}/{n}" for s in self.sources for n in (*self.each.clip_file_names(s), RECORD_NAME)]
        return (PERSON, *own)

    def make(self, source: Path, progress: Progress) -> Product:
        """Personalize on all inputs together."""
        from ttpose import api

        folders, left_out = output_folders(self.sources, self.root), {}
        self._check_owners(folders)

        def leave_out(path: Path, error: InputError) -> None:
            left_out[path] = error.message
            progress.note(f"warning: {path} is left out: {error.message}")

        how = {name: value for name, value in self.each.arguments().items() if name != "mode"}
        made = api.personalize_many(self.sources, **how, device=self.each.device, on_bad=leave_out, progress=progress)
        used = [path for path in self.sources if path not in left_out]
        writers: dict[str, Writer] = {PERSON: made[0].person.save}
        optional, text = set(), ""
        for path, one in zip(used, made, strict=True):
            product = self.each.product(path, one, Named(progress, path.name), f"../{PERSON}")
            names, folder = self.each.clip_file_names(path), folders[path]
            writers |= {f"{folder.name}/{name}": product.writers[name] for name in names}
            writers[f"{folder.name}/{RECORD_NAME}"] = partial(self._record, path, folder, names)
            optional |= {f"{folder.name}/{name}" for name in product.optional & {*names}}
            text = text or product.text
        details = {
            "guard": made[0].guard.to_dict(),
            "timings": {name: value for name, value in made[0].timings.items() if name != "predict_s"},
            "predict_s": {str(path): one.timings["predict_s"] for path, one in zip(used, made, strict=True)},
            "left_out": {str(path): message for path, message in left_out.items()},
        }
        return Product(writers, f"one person from {len(used)} inputs; {text}", details, frozenset(optional))

    def _check_owners(self, folders: dict[Path, Path]) -> None:
        for path, folder in folders.items():
            owner = ResultFolder(folder, path).other_owner
            if owner is not None and not self.overwrite:
                raise InputError(f"{folder} already holds the results of {owner}", "choose another folder with -o")

    def _record(self, source: Path, folder: Path, names: Sequence[str], path: Path) -> None:
        """Say in an input's folder what its files were made with, and remove pictures of other keypoints."""
        for name in {*OVERLAYS, REPORT} - {*names}:
            with suppress(FileNotFoundError):
                (folder / name).unlink()
        there = [name for name in names if (folder / name).exists()]
        ResultFolder(folder, source).remember(there, self.settings)
