from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.report.examples import figure, result_of
from ttpose.core.skeleton import COCO17
from ttpose.report.doubts import KINDS, Doubts, find_doubts
from ttpose.results import KeypointResult
from ttpose.results.series import subject_keypoints

WRIST = COCO17.index("left_wrist")


def doubts_of(result: KeypointResult, before: np.ndarray | None = None) -> dict[str, Doubts]:
    after = subject_keypoints(result)
    times = np.arange(len(after)) / 30
    found = find_doubts(result, after, after if before is None else before, times, torso=30)
    return {group.heading: group for group in found}


def test_a_good_clip_raises_none() -> None:
    assert doubts_of(result_of(Path("x"), [figure(i) for i in range(30)])) == {}


def test_each_kind_is_found_where_it_is() -> None:
    keypoints: list[np.ndarray | None] = [figure() for _ in range(60)]
    keypoints[3] = keypoints[10] = keypoints[11] = None
    unsure, jumping = figure(), figure()
    unsure[5:, 2] = 0.05
    jumping[WRIST, 0] += 40
    keypoints[20], keypoints[30] = unsure, jumping
    notes = {
        3: "damaged: this frame could not be decoded",
        10: "the person was not found",
        40: "legs swapped",
        50: "odd",
    }
    result = result_of(Path("x"), keypoints, notes)
    before = subject_keypoints(result)
    before[55:, :, 1] += 15
    found = doubts_of(result, before)
    where = {heading: [(d.first, d.last) for d in group.stretches] for heading, group in found.items()}
    assert where[KINDS["damaged"]] == [(3, 3)]
    assert where[KINDS["nobody"]] == [(10, 11)]
    assert where[KINDS["swapped"]] == [(40, 40)]
    assert where[KINDS["unsure"]] == [(20, 20)]
    assert where[KINDS["moved"]] == [(55, 59)]
    assert where[KINDS["odd"]] == [(50, 50)]
    assert where[KINDS["jumps"]] == [(29, 31)]  # on the way out, there, and on the way back
    assert found[KINDS["jumps"]].stretches[0].text == "left wrist"
    assert "left shoulder" in found[KINDS["unsure"]].stretches[0].text


def test_a_long_list_keeps_the_longest_stretches_in_order() -> None:
    keypoints: list[np.ndarray | None] = []
    for length in range(1, 41):
        keypoints += [None] * length + [figure()] * 10
    group = doubts_of(result_of(Path("x"), keypoints))[KINDS["nobody"]]
    assert len(group.stretches) == 30 and group.left_out == 10
    assert len(group.frames) == sum(range(1, 41))
    assert [d.last - d.first + 1 for d in group.stretches] == list(range(11, 41))
