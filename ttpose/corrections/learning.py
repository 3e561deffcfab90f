"""Learning from corrections in the background, while a page asks how far it is."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ttpose.core.errors import TTPoseError
from ttpose.core.progress import Advance, Progress
from ttpose.results import KeypointResult


@dataclass(frozen=True)
class Learned:
    """What learning from corrections gave.

    Attributes:
        result: Keypoints of all frames.
        text: What was decided and measured, in one line.
    """

    result: KeypointResult
    text: str


#: Learns from a corrections file and writes the clip's results anew; raises TTPoseError.
Learner = Callable[[Path, Progress], Learned]


class _Cancelled(Exception):
    """Somebody asked to stop."""


class LearningJob(Progress):
    """One run of a learner in a thread.

    Args:
        learner: What to run.
        corrections: Its file.
        done: Called with what came out, in the thread, before the state says so.
    """

    def __init__(self, learner: Learner, corrections: Path, done: Callable[[Learned], None]) -> None:
        self._learner, self._corrections, self._done = learner, corrections, done
        self._begin = time.monotonic()
        self._cancel = threading.Event()
        self._state: dict[str, Any] = {"state": "running", "stage": "starting", "done": 0, "total": None, "notes": []}
        self._thread = threading.Thread(target=self._run, name="ttpose-learning", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return bool(self._state["state"] == "running")

    def state(self) -> dict[str, Any]:
        """JSON-ready: `state` (running, done, cancelled or failed), `stage`, `done` of `total`, `notes`, `text`."""
        seconds = self._state.get("seconds", round(time.monotonic() - self._begin, 1))
        return {**self._state, "notes": self._state["notes"][-3:], "seconds": seconds}

    def cancel(self, wait_s: float = 0.0) -> None:
        """Ask it to stop at the next step, and wait for that."""
        self._cancel.set()
        self._thread.join(wait_s)

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Advance]:
        """Say what is being done; stops here where that was asked for."""
        self._check()
        self._state |= {"stage": name, "done": 0, "total": total}

        def advance(steps: int = 1) -> None:
            self._check()
            self._state["done"] += steps

        yield advance

    def note(self, text: str) -> None:
        """Keep a line for the page."""
        self._state["notes"].append(text)

    def _check(self) -> None:
        if self._cancel.is_set():
            raise _Cancelled

    def _run(self) -> None:
        try:
            learned = self._learner(self._corrections, self)
            self._done(learned)
            self._end("done", learned.text)
        except _Cancelled:
            self._end("cancelled", "stopped; the results are as they were")
        except TTPoseError as error:
            self._end("failed", str(error))
        except Exception as error:
            traceback.print_exc()
            self._end("failed", f"unexpected {type(error).__name__}: {error}")

    def _end(self, state: str, text: str) -> None:
        self._state |= {"text": text, "seconds": round(time.monotonic() - self._begin, 1)}
        self._state["state"] = state
