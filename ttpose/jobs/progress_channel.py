"""What a worker's work tells, as small messages, and the same told again where somebody listens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from typing import Any

from ttpose.core.progress import Advance, Progress

Send = Callable[[list[Any]], None]


class ProgressSender(Progress):
    """The worker's end: sends what it receives as lists of plain values.

    Args:
        send: Takes a message.
        interval: Fewest seconds between two messages about the steps of one stage.
    """

    def __init__(self, send: Send, interval: float = 0.25) -> None:
        self._send, self._interval, self._numbers = send, interval, count()

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Advance]:
        """Messages at the start, now and then, and at the end."""
        number, done, sent, last = next(self._numbers), 0, 0, time.monotonic()

        def advance(steps: int = 1) -> None:
            nonlocal done, sent, last
            done += steps
            if time.monotonic() - last >= self._interval:
                self._send(["advance", number, done - sent])
                sent, last = done, time.monotonic()

        self._send(["stage", number, name, total])
        yield advance
        self._send(["advance", number, done - sent])
        self._send(["over", number])

    def note(self, text: str) -> None:
        """A message."""
        self._send(["note", text])


class ProgressReceiver:
    """The listener's end: tells a listener what the messages say.

    Args:
        listener: Receives it.
    """

    def __init__(self, listener: Progress) -> None:
        self._listener = listener
        self._stages: dict[int, tuple[AbstractContextManager[Advance], Advance]] = {}

    def take(self, message: list[Any]) -> None:
        """Tell one message on; what belongs to no known stage, because messages were lost, is left out."""
        match message:
            case ["stage", number, name, total]:
                stage = self._listener.stage(name, total)
                self._stages[number] = stage, stage.__enter__()
            case ["advance", number, steps] if number in self._stages and steps:
                self._stages[number][1](steps)
            case ["over", number] if number in self._stages:
                self._stages.pop(number)[0].__exit__(None, None, None)
            case ["note", text]:
                self._listener.note(text)
