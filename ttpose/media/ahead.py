"""Reading ahead: frames are decoded in a thread while the ones before are worked on."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, suppress
from typing import TypeVar

Item = TypeVar("Item")


class _End:
    """The last thing in the queue: why there is nothing more."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def read_ahead(items: Generator[Item, None, None], most: int) -> Iterator[Item]:
    """Run a generator in a thread, at most `most` items before its reader.

    What it raises is raised here. It is closed, in its thread, when this one ends or is closed or dropped.
    """
    waiting: queue.Queue[Item | _End] = queue.Queue(most)
    stop = threading.Event()
    thread = threading.Thread(target=_fill, args=(items, waiting, stop), name="ttpose-read-ahead", daemon=True)
    thread.start()
    try:
        while not isinstance(item := waiting.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stop.set()
        with suppress(queue.Empty):  # room for what the thread is about to put
            waiting.get_nowait()
        if not sys.is_finalizing():  # at the interpreter's end threads stand still for good
            thread.join()


def _fill(items: Generator[Item, None, None], waiting: queue.Queue[Item | _End], stop: threading.Event) -> None:
    error: BaseException | None = None
    try:
        with closing(items):
            _put_all(items, waiting, stop)
    except BaseException as raised:  # raised again where the items are read
        error = raised
    if not stop.is_set():
        waiting.put(_End(error))


def _put_all(items: Iterable[Item], waiting: queue.Queue[Item | _End], stop: threading.Event) -> None:
    for item in items:
        waiting.put(item)
        if stop.is_set():
            return
