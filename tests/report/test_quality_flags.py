from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.report.examples import figure, result_of
from ttpose.core.skeleton import COCO17, COCO17_FEET
from ttpose.report.quality_flags import KINDS, FlagGroup, find_flags
from ttpose.results import KeypointResult
from ttpose.results.series import subject_keypoints

WRIST = COCO17.index("left_wrist")


def flags_of(result: KeypointResult, base: np.ndarray | None = None) -> dict[str, FlagGroup]:
    keypoints = subject_keypoints(result)
    times = np.arange(len(keypoints)) / 30
    found = find_flags(result, keypoints, keypoints if base is None else base, times, torso=30)
    return {group.heading: group for group in found}


def test_a_good_clip_raises_none() -> None:
    assert flags_of(result_of(Path("x"), [figure(i) for i in range(30)])) == {}


def test_each_kind_is_found_where_it_is() -> None:
    keypoints: list[np.ndarray | None] = [figure() for _ in range(60)]
    keypoints[3] = keypoints[10] = keypoints[11] = None
    unseen, jumping = figure(), figure()
    unseen[5:, 2] = 0.05
    jumping[WRIST, 0] += 40
    keypoints[20], keypoints[30] = unseen, jumping
    notes = {
        3: "damaged: this frame could not be decoded",
        10: "the person was not found",
        40: "legs swapped",
        50: "odd",
    }
    result = result_of(Path("x"), keypoints, notes)
    base = subject_keypoints(result)
    base[55:, :, 1] += 15
    found = flags_of(result, base)
    where = {heading: [(d.first, d.last) for d in group.stretches] for heading, group in found.items()}
    assert where[KINDS["damaged"]] == [(3, 3)]
    assert where[KINDS["nobody"]] == [(10, 11)]
    assert where[KINDS["swapped"]] == [(40, 40)]
    assert where[KINDS["low"]] == [(20, 20)]
    assert where[KINDS["moved"]] == [(55, 59)]
    assert where[KINDS["other"]] == [(50, 50)]
    assert where[KINDS["jumps"]] == [(29, 31)]  # on the way out, there, and on the way back
    assert found[KINDS["jumps"]].stretches[0].text == "left wrist"
    assert "left shoulder" in found[KINDS["low"]].stretches[0].text


def test_feet_are_flagged_like_other_keypoints_and_the_base_needs_none() -> None:
    body = result_of(Path("x"), [figure() for _ in range(60)])
    keypoints = np.concatenate([subject_keypoints(body), np.full((60, 4, 3), (60.0, 110.0, 0.9))], 1)
    keypoints[30, 18, 0] += 40
    people = [replace(f.people[0], keypoints=points) for f, points in zip(body.frames, keypoints, strict=True)]
    frames = [replace(frame, people=(person,)) for frame, person in zip(body.frames, people, strict=True)]
    result = replace(body, skeleton=COCO17_FEET, frames=frames)
    base = subject_keypoints(body, skeleton=COCO17_FEET)
    base[55:, :, 1] += 6.6  # 0.22 torsos: fewer keypoints to compare make no smaller distance
    found = flags_of(result, base)
    assert set(found) == {KINDS["jumps"], KINDS["moved"]}
    assert found[KINDS["jumps"]].stretches[0].text == "right big toe"
    assert (found[KINDS["moved"]].stretches[0].first, found[KINDS["moved"]].stretches[0].last) == (55, 59)


def test_a_long_list_keeps_the_longest_stretches_in_order() -> None:
    keypoints: list[np.ndarray | None] = []
    for length in range(1, 41):
        keypoints += [None] * length + [figure()] * 10
    group = flags_of(result_of(Path("x"), keypoints))[KINDS["nobody"]]
    assert len(group.stretches) == 30 and group.left_out == 10
    assert len(group.frames) == sum(range(1, 41))
    assert [d.last - d.first + 1 for d in group.stretches] == list(range(11, 41))
