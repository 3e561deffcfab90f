"""The same tasks on a Dask cluster that is there already; its workers see the same files under the same paths."""

from __future__ import annotations

import logging
import queue
import threading
import time
import uuid
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ttpose.core.errors import TTPoseError, UsageError
from ttpose.core.text import readable
from ttpose.jobs.outcome import Outcome
from ttpose.jobs.pool import Begin
from ttpose.jobs.progress_channel import ProgressReceiver, ProgressSender
from ttpose.jobs.task import Task, execute

if TYPE_CHECKING:
    from distributed import Client, Future

_PATIENCE_S = 10  # for the scheduler to answer
_INTERVAL_S = 1.0  # between two messages about one stage, which all go through the scheduler
_POLL_S = 0.2

# A process does one task at a time, with as many threads as Dask says it may use: models in several threads would
# compete for the same cores, and signals and warnings belong to the process.
_ONE_AT_A_TIME = threading.Lock()


def run_on_cluster(tasks: Sequence[Task], begin: Begin, address: str) -> Generator[tuple[int, Outcome], None, None]:
    """Have a cluster do tasks; gives positions and outcomes as they come.

    Leaving the iteration early cancels what waits; what is being worked on ends at its next sign of progress.

    Raises:
        UsageError: The package is missing, or nobody answers at the address.
        TTPoseError: What `execute` raises in a worker, or the scheduler was lost.
    """
    with _client(address) as client:
        batch = f"ttpose-{uuid.uuid4().hex[:12]}"
        mail: queue.Queue[tuple[int, Any]] = queue.Queue()
        client.subscribe_topic(batch, lambda event: mail.put(tuple(event[1])))
        futures = [
            client.submit(_do, _with_full_paths(task), position, batch, key=f"{batch}-{position}", pure=False)
            for position, task in enumerate(tasks)
        ]
        try:
            yield from _listen(client, tasks, futures, mail, begin)
        finally:
            _stop(client, batch, futures)


def _listen(
    client: Client, tasks: Sequence[Task], futures: Sequence[Future], mail: queue.Queue[tuple[int, Any]], begin: Begin
) -> Generator[tuple[int, Outcome], None, None]:
    replays: dict[int, ProgressReceiver] = {}
    left = dict(enumerate(futures))
    while left:
        with suppress(queue.Empty):
            position, message = mail.get(timeout=_POLL_S)
            if position in left:
                if message[0] == "begin" or position not in replays:  # or begun again, after its worker died
                    replays[position] = replays.get(position) or ProgressReceiver(begin(position))
                replays[position].take(message)
            continue
        if client.status != "running":
            raise TTPoseError("the connection to the Dask scheduler was lost", "start again: finished inputs are kept")
        for position in [position for position, future in left.items() if future.done()]:
            future = left.pop(position)
            if position not in replays:
                begin(position)
            yield position, _outcome(future, tasks[position])


def _outcome(future: Future, task: Task) -> Outcome:
    from distributed import KilledWorker

    try:
        outcome: Outcome = future.result()
    except TTPoseError:
        raise
    except KilledWorker:
        text = "the worker processes died that worked on it"
        return Outcome(task.source, "failed", task.folder, (), 0.0, text, "perhaps memory ran out on the workers")
    except Exception as error:  # the worker cannot even begin: no ttpose, another Python
        first_line = next(iter(str(error).splitlines()), "")
        raise TTPoseError(
            f"the cluster cannot do the work: {type(error).__name__}: {first_line}",
            "install the same ttpose on every worker",
        ) from error
    return replace(outcome, source=task.source, folder=task.folder)


def _with_full_paths(task: Task) -> Task:
    return replace(task, source=task.source.absolute(), folder=task.folder.absolute())


@contextmanager
def _client(address: str) -> Generator[Client, None, None]:
    try:
        from distributed import Client
    except ImportError:
        raise UsageError("--scheduler needs the package distributed", "pip install 'ttpose[cluster]'") from None
    try:
        client = Client(address, timeout=_PATIENCE_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        first_line = next(iter(str(error).splitlines()), type(error).__name__)
        raise UsageError(
            f"no Dask scheduler answers at {address} ({first_line})", "start one with `dask scheduler`"
        ) from error
    with _without_its_log(), client:
        yield client


@contextmanager
def _without_its_log() -> Generator[None, None, None]:
    """Keep Dask's own accounts of lost connections, tracebacks and all, off the terminal: one line says it here."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _stop(client: Client, batch: str, futures: Sequence[Future]) -> None:
    """Let the cluster forget the batch, and workers stop what they still do for it."""
    from distributed import Event

    if client.status != "running":
        return
    with suppress(OSError, TimeoutError):
        if any(not future.done() for future in futures):
            Event(batch, client=client).set()
        client.cancel(list(futures), force=True)
        client.unsubscribe_topic(batch)


class _Stopped(BaseException):
    """The batch that the work is for is over; passes handlers of failing inputs."""


def _do(task: Task, position: int, batch: str) -> Outcome:
    """On a worker: one task, told to whoever started the batch."""
    from distributed import Event, get_client, get_worker

    from ttpose.jobs.pool import use_threads

    worker, stop, looked = get_worker(), Event(batch, client=get_client()), 0.0

    def send(message: list[Any]) -> None:
        nonlocal looked
        worker.log_event(batch, [position, [readable(part) if isinstance(part, str) else part for part in message]])
        if time.monotonic() - looked >= _INTERVAL_S:
            looked = time.monotonic()
            if stop.is_set():
                raise _Stopped

    with _ONE_AT_A_TIME:
        use_threads(worker.state.nthreads)
        send(["begin"])
        try:
            return execute(task, ProgressSender(send, _INTERVAL_S))
        except _Stopped:
            raise TTPoseError("stopped by whoever started it") from None
