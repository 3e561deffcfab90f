"""Two people in one clip with the shipped networks: the sample's dancer twice, in other clothes on the right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import ttpose
from tests import clips, sample
from ttpose.results import KeypointResult
from ttpose.results.together import alone

FRAMES = 12
LATER = 40  # frames by which the one on the right is ahead
WIDTH = 384


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    left, right = (sample.images()[first : first + FRAMES] for first in (0, LATER))
    pictures = np.concatenate([left, right[..., ::-1]], axis=2)  # blue for red: clothes of another colour
    return clips.write_clip(tmp_path_factory.mktemp("two") / "two.mp4", images=pictures)


def shares_right(result: KeypointResult) -> list[float]:
    """Of each person, number 1 first, the share of joints in the right place; of whoever is nearer in frame 0."""
    found = []
    for number in (1, 2):
        one = alone(result, number)
        later = one.frames[0].people[0].box.center[0] > WIDTH
        truth = sample.truth()[LATER * later :][:FRAMES] + np.array([WIDTH * later, 0, 0])
        found.append(sample.share_right(one, truth))
    return found


def test_both_are_followed_with_numbers_of_their_own(clip: Path) -> None:
    result = ttpose.predict(clip, people="all", device="cpu")
    assert [person.id for person in result.people] == [1, 2]
    assert [person.frames for person in result.people] == [FRAMES, FRAMES]
    assert min(shares_right(result)) > 0.85
    one = ttpose.predict(clip, device="cpu")
    assert [person.followed for person in one.people] == [True, False]
    assert all([person.id for person in frame.people] == [1] for frame in one.frames)
    assert one.frames[0].people[0].box == alone(result, 1).frames[0].people[0].box


def test_both_are_learned_each_on_their_own_frames(clip: Path, tmp_path: Path) -> None:
    made = ttpose.personalize_people(clip, preset="fast", steps=1, device="cpu")
    assert made.learned == {1, 2}
    assert min(shares_right(made.keypoints)) > 0.85
    for number, one in made.people.items():
        one.person.save(tmp_path / f"{number}.safetensors")
        assert len({person.id for frame in one.keypoints.frames for person in frame.people}) == 1
    again = ttpose.predict(clip, people=2, weights=tmp_path / "2.safetensors", device="cpu")
    two, own = (alone(result, 2).frames for result in (again, made.keypoints))
    for a, b in zip(two, own, strict=True):
        np.testing.assert_allclose(a.people[0].keypoints[:, :2], b.people[0].keypoints[:, :2], atol=0.05)
