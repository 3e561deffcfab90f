from __future__ import annotations

import numpy as np
import pytest

from tests.live.dot_stream import DotDetector, near, picture, walking
from tests.painted import standing
from tests.small_models import DotModel
from ttpose.core.errors import UsageError
from ttpose.core.geometry import Box
from ttpose.core.skeleton import COCO17
from ttpose.live.follow import Follower
from ttpose.models.predictor import Predictor
from ttpose.tracking.detector import Detection


@pytest.fixture(scope="module")
def predict():
    predictor = Predictor(DotModel())
    return lambda image, box: predictor.predict(image, [box])[0]


def test_the_pose_carries_the_box_and_the_finder_is_seldom_asked(predict):
    detector = DotDetector()
    follower = Follower(detector, COCO17)
    for frame in walking(75):
        sight = follower.follow(frame.image, frame.time_s, predict)
        assert sight is not None
        assert sight.sure
        assert near(sight.keypoints, frame.index)
    assert detector.calls <= 4  # at the start and once a second


def test_who_goes_is_lost_and_who_comes_back_is_found_again(predict):
    follower = Follower(DotDetector(), COCO17)
    black = np.zeros_like(picture(0))
    seen = []
    for index in range(150):
        image = black if 50 <= index < 100 else picture(index)
        seen.append(follower.follow(image, index / 25, predict))
    assert all(sight is not None for sight in seen[:50])
    assert all(sight is None for sight in seen[80:100])
    assert all(not sight.sure for sight in seen[50:80] if sight is not None)
    assert seen[110] is not None
    assert {sight.person for sight in seen if sight is not None} == {0}


class _Twins:
    """Two people, the larger one on the left; `absent` hides either."""

    def __init__(self):
        self.absent = set()

    def find(self, images, min_score=None, sizes=None):
        boxes = {"left": Box(10, 10, 100, 200), "right": Box(220, 30, 90, 170)}
        return [[Detection(box, 0.9) for name, box in boxes.items() if name not in self.absent] for _ in images]


def _scene():
    image = np.zeros((240, 360, 3), np.uint8)
    image[:, :180], image[:, 180:] = (200, 30, 30), (30, 30, 200)
    return image


def _sure(image, box):
    """A pose that fills the box, or a lost one where the box is black."""
    shape = standing(1.0)[:, :2] + 0.5
    low, high = shape.min(0), shape.max(0)
    points = 0.13 + 0.74 * (shape - low) / (high - low)
    points = points * (box.width, box.height) + (box.x, box.y)
    lit = image[min(int(box.center[1]), 239), min(int(box.center[0]), 359)].any()
    return np.column_stack([points, np.full(17, 0.9 if lit else 0.05)])


@pytest.mark.parametrize(
    ("subject", "x"), [("auto", 60), ("largest", 60), ("265,100", 265), ("60,100", 60), ("center", 265)]
)
def test_the_subject_is_chosen(subject, x):
    sight = Follower(_Twins(), COCO17, subject).follow(_scene(), 0.0, _sure)
    assert sight is not None
    assert abs(sight.box.center[0] - x) < 20


def test_a_point_waits_for_somebody_there():
    assert Follower(_Twins(), COCO17, "180,230").follow(_scene(), 0.0, _sure) is None


def test_others_are_taken_up_only_after_a_while_and_counted_as_another_person():
    detector = _Twins()
    follower = Follower(detector, COCO17)
    image = _scene()
    assert follower.follow(image, 0.0, _sure).person == 0
    detector.absent = {"left"}
    image[:, :180] = 0
    sights = {t: follower.follow(image, t, _sure) for t in np.arange(0.1, 8, 0.1)}
    assert all(sight is None for t, sight in sights.items() if 1.5 < t < 4.8)
    last = sights[max(sights)]
    assert last is not None
    assert last.person == 1
    assert last.box.center[0] > 200


def test_a_malformed_subject_is_wrong_use():
    with pytest.raises(UsageError, match="not a way to choose"):
        Follower(_Twins(), COCO17, "tallest")
