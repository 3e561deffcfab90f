"""An endless walk of the dot figure, and a detector that sees it."""

from __future__ import annotations

import numpy as np

from tests.painted import box_of, paint_dots, stepping
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.core.geometry import Box
from ttpose.live.learner import LearnSettings
from ttpose.media import Frame
from ttpose.tracking.detector import Detection

SHAPE = (240, 360)
#: Learning that takes milliseconds.
HOW = PersonalizeSettings(batch=2, teacher_views=2, pose_rate=0.005, ema=0.5, rate_warmup=0)
FAST = LearnSettings(HOW, ring=8, least=3, cycle=6, check_every=2)


def true_keypoints(index: int) -> np.ndarray:
    """The walking dot figure [17, 3] in frame `index` of a stream of any length; it goes to and fro."""
    return stepping(200, index / 3) + np.array([40 + 30 * np.sin(index / 20), 20, 0.0])


def picture(index: int) -> np.ndarray:
    return paint_dots(true_keypoints(index), SHAPE)


def walking(count: int, first: int = 0):
    """A stream of `count` frames of the figure at 25 frames a second."""
    for index in range(first, first + count):
        yield Frame(index, index / 25, picture(index))


class DotDetector:
    """Finds the one figure of dots, by where the picture is not black."""

    def __init__(self):
        self.calls = self.released = 0

    def release(self):
        """Nothing was compiled."""
        self.released += 1

    def find(self, images, min_score=None, sizes=None):
        self.calls += len(images)
        return [self._people(image) for image in images]

    def _people(self, image):
        rows, columns = np.nonzero(image.max(2) > 60)
        if len(rows) == 0:
            return []
        box = Box(columns.min(), rows.min(), np.ptp(columns), np.ptp(rows))
        return [Detection(box.scaled(1.15), 0.9)]


def near(found: np.ndarray, index: int) -> bool:
    """Whether keypoints are the figure's of that frame: half of a dot off in the median, or less."""
    distance = np.linalg.norm(found[:, :2] - true_keypoints(index)[:, :2], axis=1)
    return bool(np.median(distance) < 4)


def first_box(index: int = 0) -> Box:
    return box_of(true_keypoints(index))
