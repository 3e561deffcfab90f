from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from tests.tracking.scene import ALMOST_RED, BLUE, GREEN, RED, ColorDetector, Scene, walk
from ttpose.core.errors import NoPersonError, UsageError
from ttpose.tracking.settings import TrackSettings
from ttpose.tracking.survey import sampling_step
from ttpose.tracking.track import track_subject

DATA = os.environ.get("TTPOSE_DEV_DATA")


def centers(track):
    return [None if b is None else b.center[0] for b in track.boxes]


def test_one_walker_has_a_box_in_every_frame_between_the_sampled_ones_too():
    scene = Scene([(RED, walk(20, 3))], count=60)
    track = track_subject(scene, ColorDetector(RED))
    assert len(track.boxes) == 60 and track.people_seen == 1
    # The last sample is frame 55; the frames after it keep its box.
    for index in range(56):
        assert track.boxes[index].center[0] == pytest.approx(20 + 3 * index + 11.5, abs=0.6)
    assert track.boxes[59].center[0] == pytest.approx(track.boxes[55].center[0])
    assert track.detected[0] and not track.detected[1]


def test_boxes_end_a_little_outside_the_body():
    box = track_subject(Scene([(RED, walk(100, 0))]), ColorDetector(RED)).boxes[0]
    assert box.height == pytest.approx(70 * 1.13) and box.width == pytest.approx(24 + 70 * 0.13)


def test_a_leap_is_carried_along_its_curve():
    def leap(i):
        return 100, 100 - 60 * np.sin(np.pi * min(i, 40) / 40), 24, 70

    track = track_subject(Scene([(RED, leap)], count=60), ColorDetector(RED))
    errors = [abs(track.boxes[i].center[1] - (leap(i)[1] + 34.5)) for i in range(40)]
    assert max(errors) < 3.0  # straight lines between the samples would miss by more at the top


def test_people_of_different_colours_who_cross_are_not_exchanged():
    scene = Scene([(BLUE, walk(30, 4, h=60)), (RED, walk(250, -4))], count=55)
    track = track_subject(scene, ColorDetector(RED, BLUE))
    for index, x in enumerate(centers(track)):
        if x is not None and index < 55:
            assert x == pytest.approx(250 - 4 * index + 11.5, abs=12), index
    assert sum(x is not None for x in centers(track)) >= 50


def test_people_who_look_alike_and_meet_are_never_mixed():
    # They meet at frame 40 and each turns back: motion says they went through each other, colours say nothing.
    def bounce(x0, speed):
        return lambda i: (x0 + speed * min(i, 80 - i), 60, 24, 70)

    scene = Scene([(ALMOST_RED, bounce(50, 2.4)), (RED, bounce(246, -2.4))], count=80)
    track = track_subject(scene, ColorDetector(RED, ALMOST_RED), subject="62,95")
    for index, x in enumerate(centers(track)[:80]):
        other = 246 - 2.4 * min(index, 80 - index) + 11.5
        assert x is None or index in range(33, 48) or abs(x - other) > 12, index
    assert centers(track)[10] is not None


def test_a_short_gap_is_joined_and_filled_a_long_one_joined_and_left_open():
    def seen(missing):
        return lambda i: None if i in missing else (100 + i, 60, 24, 70)

    short = track_subject(Scene([(RED, seen(range(30, 50)))], count=90), ColorDetector(RED))
    assert all(b is not None for b in short.boxes) and short.people_seen == 1
    long = track_subject(Scene([(RED, seen(range(30, 75)))], count=120), ColorDetector(RED))
    assert long.people_seen == 1
    assert long.boxes[50] is None and long.boxes[10] is not None and long.boxes[110] is not None


def test_somebody_else_who_comes_later_is_not_joined():
    scene = Scene([(RED, walk(100, 0, stop=60)), (BLUE, walk(120, 0, start=75, h=60))], count=130)
    track = track_subject(scene, ColorDetector(RED, BLUE))
    assert track.people_seen == 2
    assert all(b is None for b in track.boxes[70:])


def test_nothing_is_carried_over_a_cut():
    def background(i):
        return (20, 20, 30) if i < 47 else (230, 200, 120)

    scene = Scene([(RED, walk(60, 0, stop=47)), (RED, walk(220, 0, start=47))], count=90, background=background)
    track = track_subject(scene, ColorDetector(RED))
    for index, x in enumerate(centers(track)[:90]):
        assert x is None or x == pytest.approx((60 if index < 47 else 220) + 11.5, abs=0.6), index
    assert sum(x is None for x in centers(track)[:90]) <= 7


def test_auto_prefers_who_stays_to_who_is_large_for_a_moment():
    scene = Scene([(RED, walk(60, 1)), (BLUE, walk(200, 0, y=20, w=60, h=150, start=20, stop=32))], count=90)
    detector = ColorDetector(RED, BLUE)
    assert centers(track_subject(scene, detector))[0] is not None
    assert track_subject(scene, detector).people_seen == 2


def test_largest_center_and_point():
    scene = Scene(
        [(RED, walk(20, 0, y=20, w=50, h=140)), (GREEN, walk(150, 0)), (BLUE, walk(260, 0, w=30, h=80))], count=40
    )
    detector = ColorDetector(RED, BLUE, GREEN)
    where = {rule: centers(track_subject(scene, detector, subject=rule))[0] for rule in ("largest", "center", "270,90")}
    assert where == {"largest": pytest.approx(44.5), "center": pytest.approx(161.5), "270,90": pytest.approx(274.5)}


@pytest.mark.parametrize("subject", ["biggest", "1", "1,2,3", "a,b", "nan,1", ""])
def test_malformed_subject(subject):
    with pytest.raises(UsageError, match="--subject"):
        track_subject(Scene([(RED, walk(60, 1))]), ColorDetector(RED), subject=subject)


def test_nobody_at_the_point_names_who_is_where():
    with pytest.raises(NoPersonError, match=r"nobody is there") as caught:
        track_subject(Scene([(RED, walk(60, 1))]), ColorDetector(RED), subject="300,10")
    assert "72," in caught.value.hint


def test_nobody_in_the_clip():
    with pytest.raises(NoPersonError, match=r"clip\.mp4: no person") as caught:
        track_subject(Scene([]), ColorDetector(RED))
    assert "larger" in caught.value.hint


def test_min_score_decides_who_counts():
    scene = Scene([(RED, walk(60, 1))])
    with pytest.raises(NoPersonError):
        track_subject(scene, ColorDetector(RED, score=0.3))
    assert track_subject(scene, ColorDetector(RED, score=0.3), min_score=0.2).people_seen == 1


def test_damaged_frames_are_bridged_and_a_wholly_damaged_clip_is_nobody():
    scene = Scene([(RED, walk(60, 1))], damaged=frozenset(range(20, 30)))
    assert all(b is not None for b in track_subject(scene, ColorDetector(RED)).boxes[:60])
    with pytest.raises(NoPersonError) as caught:
        track_subject(Scene([(RED, walk(60, 1))], damaged=frozenset(range(60))), ColorDetector(RED))
    assert "no frame could be read" in caught.value.hint


def test_an_image_and_a_clip_of_unknown_length():
    image = track_subject(Scene([(RED, walk(60, 1))], count=1), ColorDetector(RED))
    assert len(image.boxes) == 1 and image.boxes[0] is not None
    clip = track_subject(Scene([(RED, walk(60, 1))], known_count=False), ColorDetector(RED))
    assert all(clip.box_at(i) is not None for i in range(60)) and clip.box_at(1000) is None


def test_a_small_person_in_a_large_frame_is_searched_for():
    class Shortsighted(ColorDetector):
        def find(self, images, min_score=None, sizes=None):
            return super().find(images) if images[0].shape[1] < 640 else [[] for _ in images]

    scene = Scene([(RED, walk(400, 0))], count=30, width=640, height=360)
    track = track_subject(scene, Shortsighted(RED))
    assert track.boxes[0].center == pytest.approx((411.5, 94.5), abs=0.6)


@pytest.mark.parametrize(
    "count, fps, step",
    [(230, 30.0, 7), (264, 29.97, 7), (43, 30.0, 3), (8, 30.0, 1), (1, 30.0, 1), (600, 120.0, 27), (10**6, 30.0, 15)],
)
def test_how_often_people_are_looked_for(count, fps, step):
    assert sampling_step(Scene([], count=max(count, 2), fps=fps).info, TrackSettings()) == step


@pytest.mark.skipif(DATA is None, reason="needs real clips in TTPOSE_DEV_DATA")
def test_the_acrobat_is_followed_through_the_somersault():
    from ttpose.media import open_source
    from ttpose.tracking.detector import PersonDetector

    source = open_source(Path(str(DATA)) / "videos" / "sports2d_walk.mp4")
    track = track_subject(source, PersonDetector.load())
    assert all(b is not None for b in track.boxes[:230])
    # Centres by eye: on the roof, tucked in the air, landed, and about to leave behind the tree.
    for index, x, y in ((0, 600, 220), (105, 590, 260), (175, 930, 330), (196, 1128, 814), (224, 1480, 710)):
        box = track.boxes[index]
        assert np.hypot(box.center[0] - x, box.center[1] - y) < 0.4 * box.side, (index, box)
