"""Worker processes on this machine, one task at a time each; one that dies takes only its own task with it."""

from __future__ import annotations

import _thread
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from ttpose.core.errors import TTPoseError
from ttpose.core.memory import keep_freed_memory
from ttpose.core.progress import Progress
from ttpose.core.stopping import ends_when_asked
from ttpose.jobs.folders import ResultFolder
from ttpose.jobs.outcome import Outcome
from ttpose.jobs.progress_channel import ProgressReceiver, ProgressSender
from ttpose.jobs.task import Task, execute

#: Called with a task's position when work on it begins; gives what receives its progress.
Begin = Callable[[int], Progress]

_PATIENCE_S = 10.0  # for a worker to tidy up; one step of a large model on a slow machine takes a few seconds
# A worker that is asked to end does so before its parent's own patience is over, which it would be killed after.
_PATIENCE_OF_WORKERS: dict[int, float] = {signal.SIGTERM: 0.8}


def run_in_processes(
    tasks: Sequence[Task], begin: Begin, *, jobs: int, threads: int
) -> Generator[tuple[int, Outcome], None, None]:
    """Do tasks in `jobs` processes with `threads` threads each; gives positions and outcomes as they come.

    Leaving the iteration early, by an exception such as Ctrl-C too, ends the workers, which leave nothing half-written.

    Raises:
        TTPoseError: What `execute` raises in a worker.
    """
    waiting, workers = deque(enumerate(tasks)), [_Worker(threads) for _ in range(min(jobs, len(tasks)))]
    try:
        while waiting or any(worker.position is not None for worker in workers):
            for worker in workers:
                if worker.position is None and waiting:
                    position, task = waiting.popleft()
                    worker.give(position, task, begin(position))
            busy = {worker.connection: worker for worker in workers if worker.position is not None}
            for connection in wait(list(busy)):
                worker = busy[connection]  # type: ignore[index]
                at, outcome = worker.position, worker.receive()
                if at is not None and outcome is not None:
                    yield at, outcome
    finally:
        _end(workers)


class _Worker:
    """One process; started when it gets its first task, and again when it died."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._process: BaseProcess | None = None
        self._task: Task | None = None
        self._receiver = ProgressReceiver(Progress())
        self.connection: Connection
        self.position: int | None = None

    def give(self, position: int, task: Task, listener: Progress) -> None:
        if self._process is None or not self._process.is_alive():
            # A fresh process: forked copies of one with threads may hang. Its pipe is its own, so that its death,
            # even in the middle of a message, is nobody else's problem.
            context = multiprocessing.get_context("spawn")
            self.connection, theirs = context.Pipe()
            self._process = context.Process(target=_work, args=(theirs, self._threads), daemon=True)
            with _deaf_to_interrupts():
                self._process.start()
            theirs.close()
        self.position, self._task, self._receiver = position, task, ProgressReceiver(listener)
        with suppress(OSError):  # it is dead; `receive` will tell
            self.connection.send(task)

    def receive(self) -> Outcome | None:
        """Take one message; the task's outcome if that was it.

        Raises:
            TTPoseError: The task failed by something that would fail for all.
        """
        try:
            message = self.connection.recv()
        except (EOFError, OSError):
            message = self._died()
        if isinstance(message, TTPoseError):
            raise message
        if isinstance(message, Outcome):
            self.position = self._task = None
            return message
        self._receiver.take(message)
        return None

    def _died(self) -> Outcome:
        process, task, self._process = self._process, self._task, None
        if process is None or task is None:
            raise RuntimeError("a worker without a task was listened to")
        process.join(_PATIENCE_S)
        code = process.exitcode
        self.connection.close()
        ResultFolder(task.folder, task.source).sweep()
        how = f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with code {code}"
        hint = "perhaps memory ran out: use fewer --jobs" if code == -9 else None
        return Outcome(task.source, "failed", task.folder, (), 0.0, f"the worker process {how}", hint)

    def dismiss(self) -> None:
        """Ask it to end: at once if it works on something, after tidying up."""
        if self._process is None:
            return
        if self.position is None:
            with suppress(OSError):
                self.connection.send(None)
        else:
            self._process.terminate()

    def bury(self) -> None:
        """Wait for the end, and make it end."""
        if self._process is not None:
            self._process.join(_PATIENCE_S)
            if self._process.is_alive():
                self._process.kill()
                self._process.join()
            self.connection.close()
            self._process = None


def _end(workers: Sequence[_Worker]) -> None:
    with _deaf_to_interrupts():  # impatience must not leave half of the workers running
        for worker in workers:
            worker.dismiss()
        for worker in workers:
            worker.bury()


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Ignore Ctrl-C for a moment; a process started meanwhile ignores it for good, as its parent will end it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _work(connection: Connection, threads: int) -> None:
    """A worker's whole life: take a task, do it, say how it went."""
    keep_freed_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with ends_when_asked(_PATIENCE_OF_WORKERS):
        _work_on(connection, threads)


def _work_on(connection: Connection, threads: int) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.stdout = sys.stderr  # stdout is the parent's, which may print JSON lines there
    asked = os.environ.get("OMP_NUM_THREADS", "")
    use_threads(min(threads, int(asked)) if asked.isdecimal() and int(asked) else threads)
    with suppress(EOFError, OSError):  # the parent is gone
        while (task := connection.recv()) is not None:
            try:
                connection.send(execute(task, ProgressSender(connection.send)))
            except TTPoseError as error:
                connection.send(error)


def use_threads(threads: int) -> None:
    """Let this process compute with so many threads, whether or not the libraries are loaded yet."""
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENCV_FOR_THREADS_NUM"] = str(threads)
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(threads)
    if (cv2 := sys.modules.get("cv2")) is not None:
        cv2.setNumThreads(threads)


def _end_with_parent() -> None:
    """Unwind the main thread, which removes partial files, when the parent has died without a word."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        _thread.interrupt_main(signal.SIGTERM)
