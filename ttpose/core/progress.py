"""How long work tells the outside what it is doing, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[int], None]


class Progress:
    """A progress that shows nothing; the command line brings one that draws bars, another that prints JSON lines."""

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Advance]:
        """Announce a stage of `total` steps (None: not known) and give a function that counts steps done."""

        def advance(steps: int = 1) -> None:
            pass

        yield advance

    def note(self, text: str) -> None:
        """Say one line that the user should see, such as a warning about a damaged frame."""


class Named(Progress):
    """Tells a listener the same with a name before it: which of several things it is about."""

    def __init__(self, listener: Progress, name: str) -> None:
        self._listener, self._name = listener, name

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Advance]:
        """The stage, named."""
        with self._listener.stage(f"{self._name}: {name}", total) as advance:
            yield advance

    def note(self, text: str) -> None:
        """The line, named unless it names it itself."""
        self._listener.note(text if self._name in text else f"{self._name}: {text}")
