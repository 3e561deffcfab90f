from __future__ import annotations

import numpy as np

from ttpose.core.geometry import Box
from ttpose.tracking.appearance import appearance_distance, appearance_of, mean_appearance
from ttpose.tracking.detector import Detection
from ttpose.tracking.search import drop_doubles, is_alone
from ttpose.tracking.shots import Thumbnail, is_cut
from ttpose.tracking.tracklets import NEVER, assign


def everybody_else(count):
    return ~np.eye(count, dtype=bool)


def test_clear_pairs_are_made():
    pairs, doubtful = assign(np.array([[0.1, 0.9], [0.8, 0.2]]), 0.15, everybody_else(2))
    assert sorted(pairs) == [(0, 0), (1, 1)] and not doubtful


def test_pairs_that_could_be_exchanged_are_not():
    pairs, doubtful = assign(np.array([[0.30, 0.35], [0.35, 0.30]]), 0.15, everybody_else(2))
    assert not pairs and doubtful == {0, 1}


def test_a_third_person_far_off_is_not_drawn_into_doubt():
    costs = np.array([[0.30, 0.35, NEVER], [0.35, 0.30, NEVER], [NEVER, NEVER, 0.1]])
    pairs, doubtful = assign(costs, 0.15, everybody_else(3))
    assert pairs == [(2, 2)] and doubtful == {0, 1}


def test_two_who_want_the_same_box_get_it_only_if_one_fits_clearly_better():
    assert assign(np.array([[0.1], [0.2]]), 0.15, everybody_else(1)) == ([], {0, 1})
    assert assign(np.array([[0.1], [0.6]]), 0.15, everybody_else(1)) == ([(0, 0)], set())


def test_two_boxes_of_one_person_are_no_doubt():
    assert assign(np.array([[0.1, 0.2]]), 0.15, np.zeros((2, 2), bool)) == ([(0, 0)], set())
    assert assign(np.array([[0.1, 0.2]]), 0.15, everybody_else(2)) == ([], {0})


def test_nothing_to_pair():
    assert assign(np.empty((0, 3)), 0.15, everybody_else(3)) == ([], set())
    assert assign(np.empty((2, 0)), 0.15, everybody_else(0)) == ([], set())


def test_looks_tell_clothes_apart_and_stand_some_shade():
    image = np.full((100, 300, 3), 128, np.uint8)
    image[:, :100] = (180, 40, 40)
    image[:, 100:200] = (150, 33, 33)
    image[:, 200:] = (40, 60, 160)
    red, shaded, blue = (appearance_of(image, Box(x, 0, 100, 100)) for x in (0, 100, 200))
    assert appearance_distance(red, red) < 1e-3
    assert appearance_distance(red, shaded) < 0.6 < appearance_distance(red, blue)
    assert appearance_distance(mean_appearance([red, blue]), red) < appearance_distance(blue, red)


def test_a_box_outside_the_image_has_no_look():
    assert not appearance_of(np.zeros((10, 10, 3), np.uint8), Box(50, 50, 10, 10)).any()


def test_upper_body_in_a_body_is_one_person_but_neighbours_are_two():
    body, upper, other = Box(0, 0, 40, 100), Box(2, 0, 36, 50), Box(60, 0, 40, 100)
    people = [Detection(body, 0.9), Detection(upper, 0.3), Detection(other, 0.4)]
    assert [p.box for p in drop_doubles(people)] == [body, other]


def test_whether_others_reach_into_a_box():
    people = [
        Detection(Box(0, 0, 40, 100), 0.9),
        Detection(Box(20, 0, 40, 100), 0.9),
        Detection(Box(200, 0, 9, 9), 0.9),
    ]
    assert [is_alone(i, people, 0.35) for i in range(3)] == [False, False, True]


def test_cut_needs_new_layout_and_new_colours():
    rng = np.random.default_rng(0)
    shot = np.kron(rng.integers(0, 256, (6, 8, 3)), np.ones((30, 40, 1))).astype(np.uint8)
    other = np.kron(rng.integers(100, 256, (6, 8, 3)) // [1, 2, 4], np.ones((30, 40, 1))).astype(np.uint8)
    moved = np.roll(shot, 8, axis=1)
    thumbnails = [Thumbnail.of(image) for image in (shot, moved, shot[:, ::-1], other)]
    assert [is_cut(thumbnails[0], thumbnail) for thumbnail in thumbnails] == [False, False, False, True]
