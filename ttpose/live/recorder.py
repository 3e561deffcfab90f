"""A keypoint file that grows on the disk and not in memory, as nobody knows how long a stream will be."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

from ttpose.core.errors import OutputError
from ttpose.core.files import atomic_path
from ttpose.core.skeleton import Skeleton
from ttpose.results import FrameRecord, KeypointResult


class Recorder:
    """Collects frame records in a nameless file beside the target; `finish` writes the target.

    Args:
        path: The keypoint file to be.

    Raises:
        OutputError: Nothing can be written there.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.frames = path, 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lines = tempfile.TemporaryFile("w+", encoding="utf-8", dir=path.parent)  # noqa: SIM115
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror}", "choose another place") from error

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.close()

    def add(self, record: FrameRecord) -> None:
        """Take the next frame's record; raises OutputError where the disk is full."""
        try:
            self._lines.write(json.dumps(record.to_dict(), ensure_ascii=False, allow_nan=False) + "\n")
        except OSError as error:
            raise OutputError(f"cannot write {self.path}: {error.strerror}", "check free space") from error
        self.frames += 1

    def finish(self, source: dict[str, Any], model: dict[str, Any], skeleton: Skeleton) -> None:
        """Write the file, as `write_json` would; raises OutputError."""
        self._lines.seek(0)
        header = KeypointResult(source, model, skeleton, []).header()
        with atomic_path(self.path) as partial, open(partial, "w", encoding="utf-8") as handle:
            handle.write("{\n")
            for key, value in header.items():
                handle.write(f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)},\n")
            handle.write(' "frames": [')
            for position, line in enumerate(self._lines):
                handle.write((",\n  " if position else "\n  ") + line.rstrip("\n"))
            handle.write("\n ]\n}\n")
