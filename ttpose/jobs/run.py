"""Many inputs: skip what is finished, go on after a bad file, say at the end how it went."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ttpose.core.files import check_folder
from ttpose.core.progress import Progress
from ttpose.jobs.folders import output_folders
from ttpose.jobs.outcome import Outcome
from ttpose.jobs.pool import Begin, run_in_processes
from ttpose.jobs.summary import Summary
from ttpose.jobs.task import Task, Work, check_places, execute, finished_before


class Listener(Protocol):
    """Receives how a batch goes."""

    def begin(self, source: Path, number: int, count: int) -> Progress:
        """Work on one input begins, the `number`-th of `count` from 1; gives what receives that input's progress."""

    def end(self, outcome: Outcome) -> None:
        """Work on that input is over."""

    def summary(self, outcomes: Sequence[Outcome], seconds: float, code: int | None) -> None:
        """The batch is over and the command will exit with `code`; None if it was cut short."""

    def close(self) -> None:
        """Nothing more of single inputs will come."""


@dataclass(frozen=True)
class Running:
    """How a batch is run.

    Attributes:
        overwrite: Whether finished inputs are done again.
        debug: Whether tracebacks are shown.
        jobs: How many inputs at the same time on this machine.
        cores: How many processor cores there are to share.
        scheduler: Address of a Dask scheduler that gets the work instead.
    """

    overwrite: bool = False
    debug: bool = False
    jobs: int = 1
    cores: int = 1
    scheduler: str | None = None


def run_batch(work: Work, inputs: Sequence[Path], root: Path, listener: Listener, how: Running) -> int:
    """Do the work on every input and return the exit code: 0, or if an input failed 1, or 2 for wrong use of it.

    Raises:
        TTPoseError: Something that no input is to blame for and that would fail for all of them: weights, options,
            a full disk.
    """
    start, folders = time.monotonic(), output_folders(inputs, root)
    tasks = [Task(work, source, folders[source], how.overwrite, how.debug) for source in inputs]
    check_folder(root)
    check_places(tasks)
    summary = Summary(root, work.settings, len(inputs)) if len(inputs) > 1 else None
    outcomes: dict[int, Outcome] = {}
    code = None
    try:
        with closing(_outcomes(tasks, listener, how)) as over:  # ends the workers, whatever happens here
            for position, outcome in over:
                outcomes[position] = outcome
                if how.debug and outcome.trace:
                    print(outcome.trace, file=sys.stderr, end="")
                listener.end(outcome)
                if summary is not None:
                    summary.write(_in_order(outcomes))
        code = max((outcome.exit_code for outcome in outcomes.values() if outcome.status == "failed"), default=0)
        if summary is not None:
            summary.write(_in_order(outcomes), code)
        return code
    finally:
        if outcomes:
            listener.close()
            listener.summary(_in_order(outcomes), time.monotonic() - start, code)


def _in_order(outcomes: dict[int, Outcome]) -> list[Outcome]:
    return [outcomes[position] for position in sorted(outcomes)]


def _outcomes(tasks: Sequence[Task], listener: Listener, how: Running) -> Generator[tuple[int, Outcome], None, None]:
    """Positions and outcomes: first what needs no work, then the rest as it gets done."""

    def begin(position: int) -> Progress:
        return listener.begin(tasks[position].source, position + 1, len(tasks))

    left = []
    for position, task in enumerate(tasks):
        if (outcome := finished_before(task)) is None:
            left.append(position)
        else:
            begin(position)
            yield position, outcome
    with closing(_run([tasks[position] for position in left], lambda part: begin(left[part]), how)) as done:
        for part, outcome in done:
            yield left[part], outcome


def _run(tasks: Sequence[Task], begin: Begin, how: Running) -> Generator[tuple[int, Outcome], None, None]:
    jobs = min(how.jobs, len(tasks))
    if how.scheduler is not None and tasks:
        from ttpose.jobs.cluster import run_on_cluster

        yield from run_on_cluster(tasks, begin, how.scheduler)
    elif jobs > 1:
        yield from run_in_processes(tasks, begin, jobs=jobs, threads=max(how.cores // jobs, 1))
    else:
        for position, task in enumerate(tasks):
            yield position, execute(task, begin(position))
