"""Several people in one clip, each learned on their own frames, with a model that finds coloured dots."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.listed import ListedClip
from tests.live.dot_stream import DotDetector
from tests.recorded import Recorded
from tests.small_models import CountedDots, recoloured
from ttpose.adaptation import everyone
from ttpose.adaptation.everyone import FEWEST_FRAMES, personalize_people
from ttpose.adaptation.session import PersonalizationSession
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.core.geometry import Box
from ttpose.inference.settings import RefineSettings
from ttpose.models.shipped import LoadedModel
from ttpose.tracking.detector import Detection
from ttpose.tracking.track import TooFewPeopleError

FRAMES, SIZE = 24, 300
SETTINGS = PersonalizeSettings(
    steps=6, batch=4, pose_rate=0.01, ema=0.5, rate_warmup=0, teacher_views=2, distillation=1.0,
    refine=RefineSettings(views=2, rescore=False),
)  # fmt: skip


class _TwoDetector(DotDetector):
    """Finds the figures in the left and the right half of a picture, each where it is painted."""

    def _people(self, image):
        half = image.shape[1] // 2
        found = []
        for offset in (0, half):
            for person in super()._people(image[:, offset : offset + half]):
                box = person.box
                found.append(Detection(Box(box.x + offset, box.y, box.width, box.height), person.score))
        return found


def _clip(walk, second: range = range(FRAMES)) -> ListedClip:
    """The walk twice, side by side, a little behind each other; the one on the right is there in some frames."""
    images = walk[1]
    empty = np.zeros_like(images[0])
    return ListedClip([np.hstack([images[i], images[i + 5] if i in second else empty]) for i in range(FRAMES)])


def _session(progress=None, settings=SETTINGS):
    base = LoadedModel(recoloured(CountedDots(), 0.15, -0.15, 0.15), "dots", "ab" * 32)
    return PersonalizationSession(base, base, _TwoDetector(), settings, progress or Recorded())


def _positions(result, number):
    return np.stack([p.keypoints for frame in result.frames for p in frame.people if p.id == number])


@pytest.fixture(scope="module")
def made(walk):
    told, clip = Recorded(), _clip(walk)
    return personalize_people(_session(told), clip, "auto", None), told, clip


def test_each_person_is_found_where_they_are_and_learned_alone(made, walk):
    people, _, _ = made
    assert people.learned == {1, 2} and [person.id for person in people.seen] == [1, 2]
    result = people.keypoints
    width = walk[1][0].shape[1]
    sides = {number: _positions(result, number)[..., 0].mean() // width for number in (1, 2)}
    assert sorted(sides.values()) == [0, 1]
    for number, side in sides.items():
        truth = walk[0][5 * int(side) :][:FRAMES, :, :2] + [side * width, 0]
        assert np.abs(_positions(result, number)[..., :2] - truth).max() < 8
    one, two = (people.people[number] for number in (1, 2))
    assert one.person is not two.person and one.guard is not two.guard
    assert any(not torch.equal(change, two.person.changes[name]) for name, change in one.person.changes.items())


def test_the_clip_is_searched_and_decoded_once(made):
    _, told, clip = made
    # Once for the search, once for the first prediction; all crops are kept, so that nothing is read again.
    assert clip.reads == 2
    assert told.stages["predict with nothing learned"] == [FRAMES, FRAMES]
    assert {"person 1: adapt", "person 2: adapt"} <= set(told.stages)
    assert any("2 people were seen, and all are followed" in note for note in told.notes)


def test_the_file_lists_each_persons_decision(made):
    people, _, _ = made
    result = people.keypoints
    assert result.model["guard"] is None
    assert [person.weights["guard"]["decision"] for person in result.people] == [
        people.people[number].guard.decision for number in (1, 2)
    ]


def test_of_somebody_in_few_frames_nothing_is_learned(walk):
    few = FEWEST_FRAMES - 3
    people = personalize_people(_session(), _clip(walk, range(8, 8 + few)), "auto", None)
    assert people.learned == {1} and set(people.people) == {1, 2}
    assert people.people[2].guard.decision == "base"
    listed = people.keypoints.people[1]
    assert listed.followed and listed.weights is None
    assert "fewer than 10: not personalized" in listed.note
    assert 0 < len(_positions(people.keypoints, 2)) < FEWEST_FRAMES


def test_of_somebody_who_is_hardly_seen_nothing_is_learned(walk, monkeypatch):
    monkeypatch.setattr(everyone, "LEAST_SCORE", 0.99)
    people = personalize_people(_session(), _clip(walk), "auto", None)
    assert not people.learned and len(people.people) == 2
    assert all("hardly to be seen" in person.note for person in people.keypoints.people)


def test_one_person_alone_is_listed_too(walk):
    people = personalize_people(_session(), _clip(walk, range(0)), "auto", None)
    assert people.learned == {1} and [person.id for person in people.keypoints.people] == [1]


def test_more_people_than_there_are(walk):
    with pytest.raises(TooFewPeopleError, match="--people 3, but only 2 people were seen"):
        personalize_people(_session(), _clip(walk), "auto", 3)


def test_online_learning_is_each_persons_own_too(walk):
    settings = replace(SETTINGS, mode="online", steps=None)
    people = personalize_people(_session(settings=settings), _clip(walk), "auto", 2)
    assert people.learned == {1, 2}
    assert all(len(people.people[number].history) == FRAMES for number in (1, 2))
