"""Ending when asked to: unwinding first, so that nothing half-written stays, but in time whatever happens."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

from ttpose.core.files import remove_partial

# Python looks at signals between two of its own steps. A library that waits for data or computes for long keeps it
# from doing so; after these seconds the process ends all the same.
_PATIENCE: dict[int, float] = {signal.SIGTERM: 1.3, signal.SIGINT: 5.0}
#: Exit codes of a process that was asked to end.
STOPPED = frozenset({128 + signal.SIGTERM, 128 + signal.SIGINT})
# For child processes to remove what they have half-written.
_CHILDREN_S = 0.3


@contextmanager
def ends_when_asked(patience: Mapping[int, float] = _PATIENCE) -> Iterator[None]:
    """Let SIGTERM unwind the stack like Ctrl-C does, and end the process where that takes longer than `patience`.

    Args:
        patience: Seconds for each signal.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, leave)
    try:
        with _watched(patience):
            yield
    finally:
        signal.signal(signal.SIGTERM, before)


def leave(number: int, frame: FrameType | None) -> NoReturn:
    """A signal handler that unwinds the stack."""
    raise SystemExit(128 + number)


def leave_at_once(code: int) -> NoReturn:
    """End a process that has unwound already; taking large libraries apart object by object may take seconds."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


# A forked child shares the pipe: what it is told to do must not reach its parent's watcher.
_watching: set[int] = set()


def _forget_after_fork() -> None:
    if _watching:
        signal.set_wakeup_fd(-1)
        _watching.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)


@contextmanager
def _watched(patience: Mapping[int, float]) -> Iterator[None]:
    if os.name == "nt":  # its TerminateProcess asks nobody
        yield
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    over = threading.Event()
    threading.Thread(target=_watch, args=(reading, patience, over), name="ttpose-signals", daemon=True).start()
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    _watching.add(writing)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        _watching.discard(writing)
        over.set()
        os.close(writing)


def _watch(reading: int, patience: Mapping[int, float], over: threading.Event) -> None:
    """Wait for signals, in a thread that no library holds up; ends when the other end of the pipe is closed."""
    with open(reading, "rb", buffering=0) as pipe:
        while data := pipe.read(1):
            number = data[0]
            if number not in patience:
                continue
            # Asked to end for good, the process must not hang in its own shutdown either.
            if number == signal.SIGTERM:
                time.sleep(patience[number])
            elif over.wait(patience[number]):
                continue
            end_now(number)


def end_now(number: int) -> NoReturn:
    """End this process and its children without unwinding, but with no half-written file left."""
    children = multiprocessing.active_children()
    for child in children:
        child.terminate()
    remove_partial()
    for child in children:
        child.join(_CHILDREN_S / len(children))
        with suppress(OSError, ValueError):
            child.kill()
    os._exit(128 + number)
