"""A page of `ttpose correct` with a small clip and a learner of its own, for tests that look at it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tests.report.examples import figure, result_of
from ttpose.core.progress import Progress
from ttpose.core.skeleton import COCO17
from ttpose.corrections import read_corrections
from ttpose.corrections.learning import Learned
from ttpose.corrections.page import CorrectPage
from ttpose.corrections.server import CorrectServer, serving
from ttpose.corrections.store import CorrectionsFile
from ttpose.media import Source

FRAMES = 40
POSES = [figure(0.5 * i) for i in range(FRAMES)]
#: Frames in which the page says that something is doubtful.
DOUBTED = (12, 30)


class Learner:
    """Says what was corrected in corrected frames, and moves the other frames' joints by 5 pixels."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.pause_s = 0.02

    def __call__(self, corrections: Path, progress: Progress) -> Learned:
        found = read_corrections(corrections, COCO17, self._source.info).frames
        with progress.stage("adapt", 20) as advance:
            for _ in range(20):
                time.sleep(self.pause_s)
                advance()
        poses = [points + np.array([5, 0, 0]) for points in POSES]
        for index, frame in found.items():
            poses[index][frame.placed, :2] = frame.keypoints[frame.placed, :2]
        return Learned(result_of(self._source.info.path, poses), "on the frames you corrected: 14 px → 8 px")


@contextmanager
def page_of(source: Source, folder: Path) -> Iterator[CorrectServer]:
    """A server that answers until the block ends."""
    poses = [points.copy() for points in POSES]
    for i in DOUBTED:
        poses[i][13, 2] = 0.05  # the left knee
    file = CorrectionsFile(folder / "corrections.json", COCO17, source.info)
    page = CorrectPage(source, result_of(source.info.path, poses), file, Learner(source))
    with serving(page) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
