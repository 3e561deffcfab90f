"""Several people in a stream: two dot figures side by side, each followed and learned alone."""

from __future__ import annotations

import numpy as np
import pytest

from tests.live.dot_stream import FAST, SHAPE, DotDetector, picture, true_keypoints
from tests.recorded import Recorded
from ttpose.core.geometry import Box
from ttpose.core.skeleton import COCO17
from ttpose.live.people import Followers
from ttpose.live.run import Live, LiveSettings
from ttpose.live.streams import LiveSource
from ttpose.media import Frame
from ttpose.results import read_json
from ttpose.tracking.detector import Detection

WIDTH = SHAPE[1]
LATER = 7  # frames by which the one on the right is ahead


class _TwoDetector(DotDetector):
    def _people(self, image):
        found = []
        for offset in (0, WIDTH):
            for person in super()._people(image[:, offset : offset + WIDTH]):
                box = person.box
                found.append(Detection(Box(box.x + offset, box.y, box.width, box.height), person.score))
        return found


def _frames(count, right=lambda index: True):
    empty = np.zeros((*SHAPE, 3), np.uint8)
    for index in range(count):
        beside = picture(index + LATER) if right(index) else empty
        yield Frame(index, index / 25, np.hstack([picture(index), beside]))


def _truth(index, on_the_right):
    return true_keypoints(index + LATER * on_the_right) + np.array([WIDTH * on_the_right, 0, 0])


def _live(loaded, frames, tmp_path, people, progress=None):
    settings = LiveSettings(learn=FAST, every_frame=True, people=people, output=tmp_path / "live.json")
    summary = Live(loaded, _TwoDetector(), settings, progress=progress).run(LiveSource("a stream", frames, False))
    return summary, read_json(tmp_path / "live.json")


@pytest.mark.parametrize("people", [2, None])
def test_each_is_followed_and_learned_under_one_number(loaded, tmp_path, people):
    told = Recorded()
    summary, result = _live(loaded, _frames(60), tmp_path, people, told)
    assert set(summary.everybody) == {1, 2} and summary.seen == 60
    assert all(learned.steps > 0 for learned in summary.everybody.values())
    assert "another person: learning starts again" not in told.notes
    sides = {}
    for frame in result.frames[10:]:
        assert [person.id for person in frame.people] == [1, 2]
        for person in frame.people:
            on_the_right = bool(person.box.center[0] > WIDTH)
            assert sides.setdefault(person.id, on_the_right) == on_the_right
            apart = np.linalg.norm(person.keypoints[:, :2] - _truth(frame.index, on_the_right)[:, :2], axis=1)
            assert np.median(apart) < 4
    assert sorted(sides.values()) == [False, True]
    assert result.model["guard"] is None  # which is each person's own


def test_one_person_is_followed_unless_more_are_asked_for(loaded, tmp_path):
    summary, result = _live(loaded, _frames(20), tmp_path, 1)
    assert set(summary.everybody) == {1} and summary.everybody[1] is summary.learned
    assert all(len(frame.people) == 1 for frame in result.frames)


def test_who_leaves_and_comes_back_soon_keeps_the_number(loaded, tmp_path):
    _, result = _live(loaded, _frames(140, lambda index: not 40 <= index < 80), tmp_path, 2)
    ids = {person.id for frame in result.frames for person in frame.people}
    assert ids == {1, 2}
    (there,) = result.frames[75].people
    assert there.box.center[0] < WIDTH
    last = {person.id: person.box.center[0] for person in result.frames[139].people}
    assert set(last) == {1, 2} and last[there.id] < WIDTH


def test_the_detector_is_asked_once_a_frame_for_everybody():
    detector = _TwoDetector()
    followers = Followers(detector, COCO17, count=2)

    def predict(number):
        return lambda image, box: _truth(0, box.center[0] > WIDTH)

    image = next(_frames(1)).image
    before = []
    for index in range(4):
        before.append(detector.calls)
        found = followers.follow(image, 0.5 * index, predict)
    assert set(found) == {1, 2}
    assert max(np.diff([*before, detector.calls])) <= 1
