"""Records of corrected frames."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.observed import walking
from ttpose.core.geometry import Box
from ttpose.core.skeleton import COCO17
from ttpose.inference.follow import FollowedFrame
from ttpose.inference.records import frame_records
from ttpose.inference.refine.clip import Refined
from ttpose.inference.refine.corrected import CorrectedFrames
from ttpose.results.records import PersonRecord


@pytest.fixture
def corrected():
    """Frame 0: a joint placed and one that is not in the picture; frame 2, where nobody was found: two joints."""
    places, absent = np.full((3, 17, 2), np.nan), np.zeros((3, 17), bool)
    places[0, 5], absent[0, 9] = (12.0, 34.0), True
    places[2, 11], places[2, 13] = (50.0, 60.0), (52.0, 90.0)
    return CorrectedFrames(places, absent, places)


@pytest.fixture
def records(corrected):
    keypoints = walking(2)
    seen = [FollowedFrame(i, i / 25, None, box=Box(0, 0, 200, 300), prediction=object()) for i in range(2)]
    lost = FollowedFrame(2, 2 / 25, "the person was not found")
    refined = Refined(corrected.part([0, 1]).applied_to(keypoints), np.zeros((2, 2), bool))
    return frame_records([*seen, lost], refined, COCO17, corrected)


def test_corrected_joints_are_marked(records):
    (person,) = records[0].people
    assert person.corrected == (5, 9)
    assert person.keypoints[5].tolist() == [12.0, 34.0, 1.0]
    assert person.keypoints[9, 2] == 0
    assert records[1].people[0].corrected == ()


def test_a_correction_stands_where_nobody_was_found(records):
    (person,) = records[2].people
    assert person.corrected == (11, 13)
    assert person.keypoints[13].tolist() == [52.0, 90.0, 1.0]
    assert np.isnan(person.keypoints[0, :2]).all()
    assert person.box == Box(50, 60, 2, 30)


def test_the_mark_is_written_and_read(records):
    told = json.loads(json.dumps(records[0].people[0].to_dict()))
    assert told["corrected"] == [5, 9]
    assert PersonRecord.from_dict(told).corrected == (5, 9)
    assert "corrected" not in records[1].people[0].to_dict()
