"""Whose pose it is where two people's are the same: painted people in red and blue."""

from __future__ import annotations

import numpy as np
import pytest

from tests.painted import stepping
from ttpose.core.geometry import Box
from ttpose.core.skeleton import COCO17
from ttpose.inference.crops import cut_crop
from ttpose.inference.rivals import Rivals, Sight, are_same

RED, BLUE = (200, 40, 40), (40, 40, 200)


def _pose(x: float) -> np.ndarray:
    pose = stepping(100, 0.0) + np.array([x, 40, 0])
    pose[:, 2] = 0.8
    return pose


def _box(pose: np.ndarray) -> Box:
    return Box.around(pose[:, :2]).with_margin(0.05)


def _picture(people: list[tuple[tuple[int, int, int], np.ndarray]]) -> np.ndarray:
    """Later people stand in front."""
    image = np.full((200, 400, 3), 120, np.uint8)
    for color, pose in people:
        box = _box(pose)
        image[round(box.y) : round(box.y + box.height), round(box.x) : round(box.x + box.width)] = color
    return image


def _sight(image: np.ndarray, pose: np.ndarray, box: Box | None = None) -> Sight:
    box = box or _box(pose)
    return Sight(pose, box, cut_crop(image, box, 64))


@pytest.fixture
def rivals() -> Rivals:
    """After ten frames of two people who stand apart: red is number 0, blue number 1."""
    known = Rivals(2, COCO17)
    left, right = _pose(20), _pose(250)
    image = _picture([(RED, left), (BLUE, right)])
    for index in range(10):
        assert known.hidden(index, [_sight(image, left), _sight(image, right)]) == {}
    return known


@pytest.mark.parametrize("front, hidden", [(RED, {1: 0}), (BLUE, {0: 1})])
def test_the_pose_is_theirs_whose_clothes_are_seen(rivals: Rivals, front: tuple[int, int, int], hidden) -> None:
    pose = _pose(130)
    image = _picture([(BLUE if front == RED else RED, pose), (front, pose)])
    assert rivals.hidden(10, [_sight(image, pose), _sight(image, pose)]) == hidden


def test_in_clothes_of_one_colour_the_box_decides() -> None:
    same = Rivals(2, COCO17)
    pose = _pose(130)
    image = _picture([(RED, pose)])
    beside = Box(_box(pose).x + 40, _box(pose).y, _box(pose).width, _box(pose).height)
    assert same.hidden(0, [_sight(image, pose, beside), _sight(image, pose)]) == {0: 1}
    assert same.hidden(1, [_sight(image, pose), _sight(image, pose, beside)]) == {1: 0}


def test_a_long_meeting_does_not_wash_the_colours_out(rivals: Rivals) -> None:
    pose = _pose(130)
    image = _picture([(RED, pose), (BLUE, pose)])
    for index in range(10, 70):
        assert rivals.hidden(index, [_sight(image, pose), _sight(image, pose)]) == {0: 1}


def test_somebody_who_is_not_in_the_frame_has_no_rival(rivals: Rivals) -> None:
    pose = _pose(130)
    assert rivals.hidden(10, [None, _sight(_picture([(RED, pose)]), pose)]) == {}


def test_poses_are_the_same_where_half_of_the_keypoints_coincide() -> None:
    one, half, other = _pose(100), _pose(100), _pose(100)
    half[:8, 0] += 40
    other[:10, 0] += 40
    assert are_same(one, one) and are_same(one, half) and not are_same(one, other)
    assert not are_same(one, _pose(140))
    unsure = _pose(100)
    unsure[:, 2] = 0.1
    assert not are_same(one, unsure)
