"""The count of a stage is what it passes over, whatever the step between the frames that are looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.odd_inputs import write_video
from ttpose.core.errors import NoPersonError
from ttpose.core.progress import Advance, Progress
from ttpose.media import open_source
from ttpose.tracking.track import track_subject


class Counting(Progress):
    def __init__(self) -> None:
        self.done: dict[str, int] = {}
        self.total: dict[str, int | None] = {}

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Advance]:
        self.done[name], self.total[name] = 0, total

        def advance(steps: int = 1) -> None:
            self.done[name] += steps

        yield advance


class Nobody:
    def find(self, images: Sequence[Any], *_: Any, **__: Any) -> list[list[Any]]:
        return [[] for _ in images]


@pytest.mark.parametrize(("name", "frames"), [("a.h264", 20), ("a.mp4", 50), ("a.ts", 41), ("a.avi", 1)])
def test_finding_the_subject_counts_the_frames_there_are(tmp_path: Path, name: str, frames: int) -> None:
    source, progress = open_source(write_video(tmp_path / name, frames=frames)), Counting()
    with pytest.raises(NoPersonError):
        track_subject(source, Nobody(), progress=progress)  # type: ignore[arg-type]
    assert list(progress.done.values()) == [frames]
    assert set(progress.total.values()) <= {frames, None}
