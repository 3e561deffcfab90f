"""Several people of one clip in one result, and what a result says of whom it does not hold."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest

from ttpose.core.geometry import Box
from ttpose.core.skeleton import COCO17
from ttpose.results import FrameRecord, KeypointResult, PersonRecord, json_schema, read_json, write_json
from ttpose.results.seen import SeenPerson
from ttpose.results.together import alone, first_people, ids_of, together

BOX = Box(1, 2, 3, 4)


def _result(there: dict[int, float], notes: dict[int, str], frames: int = 4) -> KeypointResult:
    """A person in some frames, whose keypoints all have one x."""
    records = []
    for index in range(frames):
        points = np.full((17, 3), there.get(index, 0.0))
        points[:, 2] = 0.5
        people = (PersonRecord(1, BOX, points),) if index in there else ()
        records.append(FrameRecord(index, index / 25, people, notes.get(index)))
    source = {"path": "a.mp4", "kind": "video", "width": 9, "height": 9, "frames": frames, "duration_s": 0.2}
    model = {"base": "mobile", "base_sha256": "ab" * 32, "person": None, "person_sha256": None, "guard": None}
    return KeypointResult(source, model, COCO17, records)


SEEN = [
    SeenPerson(1, True, 3, 0, 2, BOX, weights={"person": "p.safetensors", "person_sha256": "cd" * 32, "guard": None}),
    SeenPerson(2, True, 2, 1, 3, BOX, "perhaps number 1 again"),
    SeenPerson(3, False, 1, 3, 3, BOX),
]


@pytest.fixture
def both() -> KeypointResult:
    missing, swapped = "the person was not found", "left and right legs swapped"
    one = _result({0: 10, 1: 11, 2: 12}, {1: f"a frame of another size; {swapped}", 3: missing})
    two = _result({1: 21, 2: 22}, {0: missing, 1: "a frame of another size", 3: missing})
    return together({1: one, 2: two}, SEEN)


def test_everybody_has_a_record_under_their_own_id(both: KeypointResult) -> None:
    found = [{person.id: person.keypoints[0, 0] for person in frame.people} for frame in both.frames]
    assert found == [{1: 10}, {1: 11, 2: 21}, {1: 12, 2: 22}, {}]
    assert ids_of(both) == [1, 2]
    assert [len(frame.people) for frame in alone(both, 2).frames] == [0, 1, 1, 0]


def test_notes_name_whom_they_are_about_unless_they_are_about_the_frame(both: KeypointResult) -> None:
    assert [frame.note for frame in both.frames] == [
        None,
        "a frame of another size; number 1: left and right legs swapped",
        None,
        "the person was not found",
    ]


def test_a_person_alone_keeps_the_notes_as_they_are() -> None:
    one = _result({0: 10}, {0: "left and right legs swapped", 1: "the person was not found"}, 2)
    assert [frame.note for frame in together({1: one}, []).frames] == [frame.note for frame in one.frames]


def test_the_file_lists_everybody_and_reads_back(both: KeypointResult, tmp_path) -> None:
    path = tmp_path / "keypoints.json"
    write_json(both, path)
    data = json.loads(path.read_text())
    jsonschema.validate(data, json_schema())
    assert [person["followed"] for person in data["people"]] == [True, True, False]
    assert data["people"][0]["person"] == "p.safetensors" and "person" not in data["people"][1]
    assert data["people"][1]["note"] == "perhaps number 1 again"
    assert [person["frames"] for person in data["people"]] == [3, 2, 1]
    assert read_json(path).people == both.people


def test_nothing_is_added_where_nobody_is_listed(tmp_path) -> None:
    one = _result({0: 10}, {})
    assert "people" not in one.header()
    write_json(one, tmp_path / "k.json")
    assert read_json(tmp_path / "k.json").people == ()


def test_the_first_people_of_a_photo() -> None:
    people = tuple(PersonRecord(n, BOX, np.full((17, 3), 0.5)) for n in (1, 2, 3))
    photo = replace(_result({}, {}), frames=[FrameRecord(0, 0.0, people)])
    two = first_people(photo, 2)
    assert ids_of(two) == [1, 2] and [person.followed for person in two.people] == [True, True, False]
    assert ids_of(first_people(photo, None)) == [1, 2, 3]
