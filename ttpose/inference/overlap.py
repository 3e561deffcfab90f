"""Two things at once, in order: while the network computes one, what comes before and after it is done for another."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

# Two keep the network busy: one in it, one before or after it. More would only hold more frames.
_AT_ONCE = 2


def in_order(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """The results of a function for items, in the items' order; it runs for two of them at the same time.

    The function must not depend on other items' results. Items are taken one by one, at most three before their results
    are. Where the process has one thread to compute with, nothing runs at the same time.
    """
    if torch.get_num_threads() == 1 or (isinstance(items, Sized) and len(items) == 1):
        yield from map(function, items)
        return
    with ThreadPoolExecutor(_AT_ONCE, "ttpose-predict") as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > _AT_ONCE:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
