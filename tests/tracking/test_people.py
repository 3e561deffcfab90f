"""Everybody in a clip: numbers that stay theirs, in painted clips whose people have colours of their own."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tracking.scene import ALMOST_RED, BLUE, GREEN, RED, ColorDetector, Scene, walk
from ttpose.core.errors import UsageError
from ttpose.results.seen import seen_words
from ttpose.tracking.subject import parse_people
from ttpose.tracking.track import TooFewPeopleError, track_people


def center(track, index):
    box = track.box_at(index)
    return None if box is None else box.center[0]


def test_people_who_cross_keep_their_numbers():
    scene = Scene([(BLUE, walk(30, 4, h=60)), (RED, walk(250, -4))], count=55)
    found = track_people(scene, ColorDetector(RED, BLUE), count=None)
    assert len(found.tracks) == len(found.seen) == 2
    red, blue = found.tracks  # the larger one first
    for index in range(55):
        assert center(red, index) == pytest.approx(250 - 4 * index + 11.5, abs=12), index
        assert center(blue, index) == pytest.approx(30 + 4 * index + 11.5, abs=12), index


def test_the_subject_is_number_one_and_the_others_follow_by_how_much_they_fill():
    scene = Scene([(RED, walk(20, 0)), (GREEN, walk(120, 0, w=40, h=100)), (BLUE, walk(240, 0, w=30, h=80))], count=40)
    found = track_people(scene, ColorDetector(RED, GREEN, BLUE), count=2, subject="31,95")
    assert [center(track, 0) for track in found.tracks] == [pytest.approx(31.5), pytest.approx(139.5)]
    assert [person.followed for person in found.seen] == [True, True, False]
    assert [person.frames for person in found.seen] == [40, 40, 40]
    assert found.seen[2].point == "254,100"


def test_who_leaves_and_comes_back_in_the_same_clothes_keeps_the_number():
    def seen(i):
        return None if 40 <= i < 110 else (100 + i / 2, 60, 24, 70)

    scene = Scene([(RED, seen), (BLUE, walk(250, 0, h=60))], count=160)
    found = track_people(scene, ColorDetector(RED, BLUE), count=None)
    assert len(found.seen) == 2
    one = next(p for p, t in zip(found.seen, found.tracks, strict=True) if t.box_at(10).center[0] < 150)
    assert (one.first_frame, one.last_frame) == (0, 159) and one.frames < 110
    assert one.note is None


def test_who_comes_back_in_doubt_gets_a_new_number_and_a_note():
    # Two in nearly the same clothes are there; then one of them leaves, and somebody like that comes.
    shade = (185, 50, 45)
    scene = Scene(
        [(RED, walk(60, 0)), (ALMOST_RED, walk(250, 0, stop=50)), (shade, walk(150, 0, start=130, h=60))], count=200
    )
    found = track_people(scene, ColorDetector(RED, ALMOST_RED, shade), count=None)
    assert len(found.seen) == 3
    new = max(found.seen, key=lambda person: person.first_frame)
    assert new.note is not None and "perhaps number" in new.note


def test_more_people_than_there_are_is_wrong_use_of_this_clip():
    scene = Scene([(RED, walk(60, 1))])
    with pytest.raises(TooFewPeopleError, match=r"--people 2, but only 1 person was seen") as caught:
        track_people(scene, ColorDetector(RED), count=2)
    assert caught.value.exit_code == 2 and "all" in caught.value.hint


@pytest.mark.parametrize("people", [0, -1, "0", "some", "1.5", ""])
def test_malformed_numbers_of_people(people):
    with pytest.raises(UsageError, match="--people"):
        parse_people(people)


def test_numbers_of_people():
    assert [parse_people(people) for people in (None, "all", "3", 2)] == [1, None, 3, 2]


def test_the_words_say_who_is_followed_and_how_to_choose_another():
    scene = Scene([(RED, walk(60, 0, h=100)), (BLUE, walk(250, 0))], count=40)
    detector = ColorDetector(RED, BLUE)
    words = seen_words(track_people(scene, detector).seen)
    assert words == (
        "2 people were seen; number 1 is followed, at 72,110 in frame 0; --people all takes all, "
        "--subject 262,94 somebody else"
    )
    assert "all are followed" in seen_words(track_people(scene, detector, count=None).seen)
    assert seen_words(track_people(Scene([(RED, walk(60, 1))]), detector).seen) is None


def test_a_crowd_is_followed_in_one_pass():
    colors = [(int(r), 40, 255 - int(r)) for r in np.linspace(0, 250, 6)]
    people = [(color, walk(10 + 50 * n, 0, h=60 + n)) for n, color in enumerate(colors)]
    scene = Scene(people, count=40)
    detector = ColorDetector(*colors)
    found = track_people(scene, detector, count=None)
    assert len(found.tracks) == 6
    assert scene.given == sorted(set(scene.given)), "every frame is read once"
