from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from ttpose.inference.asked import asked, ensemble_for, photo_keypoints

from tests.observed import observation, walking
from tests.painted import box_of
from tests.small_models import small_config
from ttpose.core.errors import UsageError
from ttpose.inference import asked as module
from ttpose.inference.follow import SubjectFrame, gather, row
from ttpose.inference.tta import BATCH, predict_tta


class _Beside:
    """Stands in for the second network: says every joint 6 pixels further to the right."""

    def __init__(self):
        self.asked = []

    def look(self, crops, keypoints):
        self.asked.append([crop.index for crop in crops])
        said = np.concatenate([keypoints[..., :2] + [6, 0], np.full((*keypoints.shape[:2], 1), 0.9)], -1)
        return np.concatenate([said, np.zeros((*keypoints.shape[:2], 1))], -1)


def test_frames_hear_their_own_opinion_and_let_their_crops_go(walk):
    keypoints, _, crops = walk
    seen = observation(walking(10))
    frames = [SubjectFrame(i, i / 25, crops[i], box_of(keypoints[i]), row(seen, i), None) for i in range(10)]
    frames[3] = SubjectFrame(3, 3 / 25, None, None, None, "nobody")
    second = _Beside()
    heard = list(asked(iter(frames), second))
    assert [frame.index for frame in heard] == list(range(10)) and heard[3] == frames[3]
    assert all(frame.crop is None for frame in heard)
    assert [i for few in second.asked for i in few] == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert max(len(few) for few in second.asked) <= BATCH
    together = gather(heard)
    rows = [0, 1, 2, *range(4, 10)]
    assert np.array_equal(together.keypoints, seen.keypoints[rows])
    assert np.array_equal(together.second[..., :2], seen.keypoints[rows][..., :2] + [6, 0])


def test_nobody_in_any_frame_is_asked_about():
    frames = [SubjectFrame(i, i / 25, None, None, None, "nobody") for i in range(3)]
    second = _Beside()
    assert list(asked(frames, second)) == frames and not second.asked


def test_people_of_a_photo_are_each_weighed_alone(dots, walk):
    keypoints, images, _ = walk
    boxes = [box_of(keypoints[0]), box_of(keypoints[0]).scaled(1.1)]
    found = photo_keypoints(dots, images[0], boxes, _Beside())
    one = photo_keypoints(dots, images[0], boxes[1:], _Beside())
    assert found.shape == (2, 17, 3) and np.array_equal(found[1], one[0])
    limbs = np.arange(5, 17)
    assert np.abs(found[:, limbs, :2] - keypoints[0, limbs, :2]).mean() < 4
    crops = [module.cut_crop(images[0], box, dots.config.input_size) for box in boxes]
    alone = predict_tta(dots, crops).keypoints
    # A quarter of the way to the second network's.
    assert np.median((found - alone)[:, limbs, 0]) == pytest.approx(1.5)
    assert np.array_equal(found[:, :5], alone[:, :5])


def test_a_model_that_nothing_weighs_has_no_second_opinion():
    with pytest.raises(UsageError, match="shipped base") as caught:
        ensemble_for(SimpleNamespace(config=small_config()))
    assert caught.value.hint
