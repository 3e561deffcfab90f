"""Finished videos, a line each on disk at once, so that an evaluation of many goes on where it was cut short."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ttpose.core.errors import OutputError, UsageError
from ttpose.results.records import plain

SCHEMA = "ttpose.videos/1"
_ANEW = "delete it to begin anew, or choose another folder"


class Journal:
    """A file of JSON lines: the settings, then an entry for each finished video.

    Lines are only ever appended. What a kill left of a last line is cut off when the file is opened again.

    Args:
        path: Of the file; it and its folder are made if needed.
        settings: What the entries depend on.

    Raises:
        UsageError: The file holds an evaluation with other settings, or something else.
        OutputError: It cannot be written.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self.path = path
        self._entries: dict[str, dict[str, Any]] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._open(json.loads(json.dumps(plain(dict(settings)))))
        except OSError as error:
            raise _cannot_write(path, error) from error

    def _open(self, settings: dict[str, Any]) -> None:
        content = self.path.read_bytes() if self.path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            os.truncate(self.path, len(whole))
        if not whole:
            self._append({"schema": SCHEMA, "settings": settings})
            return
        head, *entries = (self._read(number, line) for number, line in enumerate(whole.splitlines(), start=1))
        if head.get("schema") != SCHEMA:
            raise UsageError(f"{self.path} holds no evaluation of this version", _ANEW)
        other = _difference(head["settings"], settings)
        if other is not None:
            raise UsageError(f"{self.path} holds an evaluation with another {other}", f"repeat its options, {_ANEW}")
        self._entries = {entry["video"]: entry for entry in entries}

    def _read(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        if not isinstance(entry, dict) or not entry.keys() & {"schema", "video"}:
            raise UsageError(f"{self.path} is damaged in line {number}", _ANEW)
        return entry

    def __len__(self) -> int:
        """How many videos are finished."""
        return len(self._entries)

    def get(self, video: str) -> dict[str, Any] | None:
        """The entry of a finished video, or None."""
        return self._entries.get(video)

    def add(self, video: str, entry: Mapping[str, Any]) -> dict[str, Any]:
        """Note a finished video; when this returns the line is on disk, as given back. Raises `OutputError`."""
        self._entries[video] = {"video": video, **plain(dict(entry))}
        try:
            self._append(self._entries[video])
        except OSError as error:
            raise _cannot_write(self.path, error) from error
        return self._entries[video]

    def _append(self, entry: Mapping[str, Any]) -> None:
        with open(self.path, "a", encoding="utf-8") as handle:
            handle.write(json.dumps(entry, allow_nan=False, ensure_ascii=False) + "\n")
            handle.flush()
            os.fsync(handle.fileno())


def _cannot_write(path: Path, error: OSError) -> OutputError:
    return OutputError(f"cannot write {path}: {error.strerror or error}", "check free space and permissions")


def _difference(before: Any, now: Any, name: str = "") -> str | None:
    """The first thing that differs and both its values, in words; None if nothing does."""
    if isinstance(before, dict) and isinstance(now, dict):
        parts = (_difference(before.get(key), now.get(key), f"{name} {key}") for key in {**before, **now})
        return next(filter(None, parts), None)
    return None if before == now else f"{name.strip()}: {before}, now {now}"
