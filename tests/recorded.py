"""A progress listener that remembers what it was told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ttpose.core.progress import Advance, Progress


class Recorded(Progress):
    """Stages with their totals and the steps that were counted, and notes in order."""

    def __init__(self) -> None:
        self.stages: dict[str, list[int | None]] = {}
        self.notes: list[str] = []

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Advance]:
        counted = self.stages[name] = [total, 0]

        def advance(steps: int = 1) -> None:
            counted[1] = (counted[1] or 0) + steps

        yield advance

    def note(self, text: str) -> None:
        self.notes.append(text)
