"""The command of `stand_in` on a folder of inputs that only look like videos: how to start it, and what it leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

COMMAND = (sys.executable, str(Path(__file__).with_name("stand_in.py")))


def add(folder: Path, *names: str) -> None:
    for name in names:
        (folder / "clips" / name).write_bytes(b"\0\0\0 ftypisom" + bytes(20))


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("OMP_NUM_THREADS", "TTPOSE_ENGINE")}
    return {**kept, "COLUMNS": "160", **more}


def _words(more: Sequence[str]) -> list[str]:
    return [*COMMAND, "predict", "clips", "-o", "out", "--device", "cpu", *more]


def run(folder: Path, *more: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _words(more), cwd=folder, env=env or environment(), capture_output=True, text=True, timeout=100, check=False
    )


def start(folder: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        _words(more), cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # A shell's background job ignores Ctrl-C, and its children inherit that; Ctrl-C reaches the whole group.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler), start_new_session=True,
    )  # fmt: skip


def events(process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    """What `--json` says, as it comes."""
    assert process.stdout is not None
    return (json.loads(line) for line in iter(process.stdout.readline, ""))


def calls(folder: Path) -> list[list[str]]:
    """Of the stand-in: file name, process and threads of each, in order."""
    return [line.split() for line in (folder / "clips/calls.txt").read_text().splitlines()]


def summary(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "out/summary.json").read_text())
    return found


def partials(folder: Path) -> list[Path]:
    return list(folder.rglob("*.partial*"))
