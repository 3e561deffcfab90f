from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.report.examples import figure, result_of
from ttpose.core.skeleton import COCO17, COCO17_FEET
from ttpose.corrections.suggest import cover, likeness, suggest_frames
from ttpose.results import KeypointResult, with_disagreement

WRIST, ELBOW = COCO17.index("left_wrist"), COCO17.index("left_elbow")
SECURE = "no sign of an error; shows a pose that the others do not"


def walk(frames: int = 100) -> list[np.ndarray | None]:
    return [figure(0.5 * i) for i in range(frames)]


def indices(result: KeypointResult, count: int = 5) -> list[int]:
    return [suggestion.index for suggestion in suggest_frames(result, count)]


def test_without_any_doubt_the_clip_is_covered_evenly() -> None:
    found = sorted(indices(result_of(Path("x"), walk())))
    assert len(found) == 5
    gaps = np.diff([-10, *found, 109])
    assert gaps.min() >= 12 and gaps.max() <= 30


def test_few_frames_and_nobody() -> None:
    assert sorted(indices(result_of(Path("x"), walk(3)))) == [0, 1, 2]
    assert suggest_frames(result_of(Path("x"), [None, None])) == []
    people = walk(30)
    people[:20] = [None] * 20
    assert min(indices(result_of(Path("x"), people))) >= 20


def test_a_doubtful_stretch_draws_suggestions_but_not_all() -> None:
    people = walk()
    for i in range(40, 60):
        people[i] = people[i].copy()
        people[i][5:11, 2] = 0.05
    found = suggest_frames(result_of(Path("x"), people))
    within = [s.index for s in found if 40 <= s.index < 60]
    assert 2 <= len(within) <= 4
    assert found[0].index in within  # the most doubtful first
    assert found[0].reasons[0].startswith("low confidence: ")
    assert set(found[0].joints) == set(range(5, 11))
    assert found[-1].reasons == (SECURE,)


def test_one_bad_frame_does_not_take_more_than_one_suggestion() -> None:
    people = walk()
    people[70] = people[70].copy()
    people[70][:, 2] = 0.0
    found = indices(result_of(Path("x"), people))
    assert sum(abs(index - 70) < 5 for index in found) == 1


def test_feet_do_not_draw_suggestions() -> None:
    result = result_of(Path("x"), walk())
    body = with_disagreement(result, result_of(Path("x"), [points + np.array([0, 3, 0]) for points in walk()]))
    frames = []
    for i, frame in enumerate(body.frames):
        (person,) = frame.people
        feet = np.full((4, 3), (60.0 + 40 * (i % 2), 110.0, 0.01))
        apart = np.concatenate([person.disagreement, np.full(4, np.nan)])
        person = replace(person, keypoints=np.concatenate([person.keypoints, feet]), disagreement=apart)
        frames.append(replace(frame, people=(person,)))
    assert suggest_frames(replace(body, skeleton=COCO17_FEET, frames=frames)) == suggest_frames(body)


def test_each_sign_is_told_in_words() -> None:
    people = walk()
    people[30] = people[30].copy()
    people[30][WRIST, 0] += 60
    result = result_of(Path("x"), people, {60: "left and right legs swapped to agree with the frames around"})
    base = result_of(Path("x"), walk())
    frames = list(base.frames)
    person = frames[80].people[0]
    moved = person.keypoints.copy()
    moved[ELBOW, 1] += 30
    frames[80] = replace(frames[80], people=(replace(person, keypoints=moved),))
    told = {s.index: s for s in suggest_frames(with_disagreement(result, replace(base, frames=frames)), 100)}
    assert "jumps against the frames around: left wrist" in told[30].reasons
    assert told[60].reasons == ("left and right legs swapped to agree with the frames around",)
    assert told[80].reasons == ("single-view prediction and result disagree: left elbow",)
    assert told[80].joints == (ELBOW,)
    assert told[10].reasons == (SECURE,)


def test_a_pose_that_comes_back_is_covered_once() -> None:
    arms = figure()
    arms[[WRIST, ELBOW], 1] -= 60
    people = [arms if i in (20, 21, 80, 81) else figure() for i in range(100)]
    keypoints = np.stack(people)
    alike = likeness(keypoints, np.arange(100) / 30, 30.0, 5)
    assert alike[20, 80] > alike[20, 50]
    assert np.allclose(np.diag(alike), 1)
    assert np.allclose(alike, alike.T)


def test_cover_is_the_best_choice_where_that_can_be_tried() -> None:
    random = np.random.default_rng(0)
    points = random.random((12, 2))
    alike = np.exp(-8 * ((points[:, None] - points[None]) ** 2).sum(-1))
    weights = random.random(12)
    chosen = cover(weights, alike, 2)
    worth = [alike[[i, j]].max(0) @ weights for i in range(12) for j in range(i)]
    assert alike[chosen].max(0) @ weights >= (1 - 1 / np.e) * max(worth)
    assert len(set(cover(weights, alike, 99))) == 12


def test_a_long_clip_is_quick_and_its_worst_frames_are_not_passed_over() -> None:
    people = walk(6000)
    people[4001] = people[4001].copy()
    people[4001][:, 2] = 0.0
    result = result_of(Path("x"), people)
    begin = time.process_time()
    assert indices(result)[0] == 4001
    assert time.process_time() - begin < 5
