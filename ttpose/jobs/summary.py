"""`summary.csv` and `summary.json`: how each input of a batch went, rewritten after every one; failures' logs."""

from __future__ import annotations

import csv
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ttpose.core.files import atomic_path, write_text
from ttpose.core.text import json_text, readable
from ttpose.core.version import __version__
from ttpose.jobs.folders import sweep
from ttpose.jobs.outcome import Outcome

CSV_NAME, JSON_NAME = "summary.csv", "summary.json"
#: The logs of inputs that failed, one after the other; absent if there are none.
LOG_NAME = "summary.log"
_SCHEMA = "ttpose.batch/1"
_LOG_HEAD = "ttpose: inputs that failed\n"
_COLUMNS = ("input", "status", "seconds", "folder", "text", "hint")


class Summary:
    """The two files; each is whole at any time, so that a kill leaves the last complete ones.

    Args:
        folder: Where they go.
        settings: Of the batch, JSON-ready.
        inputs: How many inputs the batch has.
    """

    def __init__(self, folder: Path, settings: dict[str, Any], inputs: int) -> None:
        self._folder, self._settings, self._inputs = folder, settings, inputs
        self._begin = time.monotonic()
        sweep(folder, "summary.")

    def write(self, outcomes: Sequence[Outcome], code: int | None = None) -> None:
        """Write what is known: the outcomes so far, and the exit code once there is one; raises OutputError."""
        seconds = round(time.monotonic() - self._begin, 3)
        counts = dict.fromkeys(("done", "skipped", "failed"), 0) | Counter(o.status for o in outcomes)
        batch = {
            "schema": _SCHEMA, "ttpose_version": __version__, "settings": self._settings, "inputs": self._inputs,
            **counts, "seconds": seconds, "exit_code": code,
            "files": [{**_row(o), "files": list(o.files), "details": o.details} for o in outcomes],
        }  # fmt: skip
        write_text(self._folder / JSON_NAME, json_text(batch, indent=1) + "\n")
        rows = [_row(o) | dict(_flat(o.details)) for o in outcomes]
        names = dict.fromkeys([*_COLUMNS, *(name for row in rows for name in row)])
        with (
            atomic_path(self._folder / CSV_NAME) as partial,
            open(partial, "w", newline="", encoding="utf-8") as handle,
        ):
            table = csv.DictWriter(handle, list(names), lineterminator="\n")
            table.writeheader()
            table.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
        self._write_logs([o for o in outcomes if o.status == "failed"])

    def _write_logs(self, failed: Sequence[Outcome]) -> None:
        path = self._folder / LOG_NAME
        if failed:
            write_text(path, "\n".join([_LOG_HEAD, *(f"{o.source}: {o.text}\n{o.log}" for o in failed)]))
        elif path.is_file() and path.read_bytes().startswith(_LOG_HEAD.encode()):  # of an earlier run
            path.unlink()


def _row(outcome: Outcome) -> dict[str, Any]:
    return {
        "input": str(outcome.source), "status": outcome.status, "seconds": round(outcome.seconds, 3),
        "folder": str(outcome.folder), "text": outcome.text, "hint": outcome.hint,
    }  # fmt: skip


def _cell(value: Any) -> Any:
    return readable(value) if isinstance(value, str) else value


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested values as columns with dotted names, such as `guard.decision`."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
