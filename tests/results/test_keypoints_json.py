from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from ttpose.core.errors import InputError, OutputError
from ttpose.core.geometry import Box
from ttpose.core.skeleton import COCO17, Skeleton
from ttpose.results import SCHEMA, FrameRecord, KeypointResult, PersonRecord, json_schema, read_json, write_json


def test_a_written_file_keeps_to_the_schema(result: KeypointResult, tmp_path: Path) -> None:
    write_json(result, tmp_path / "keypoints.json")
    text = (tmp_path / "keypoints.json").read_text(encoding="utf-8")
    data = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} written"))
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(data)
    assert data["schema"] == SCHEMA
    assert [frame["index"] for frame in data["frames"]] == [0, 1, 2]
    assert data == result.to_dict()


def test_the_schema_refuses_what_is_not_the_format(result: KeypointResult) -> None:
    validator = jsonschema.Draft202012Validator(json_schema())
    for breaking in (
        {"schema": "ttpose.keypoints/1"},
        {"frames": [{"index": 0, "people": []}]},
        {"frames": [{"index": 0, "time_s": 0, "people": [{"id": 1, "box": [1, 2, 3], "keypoints": []}]}]},
        {"frames": [{"index": 0, "time_s": 0, "people": [{"id": 1, "box": [1, 2, 3, 4], "keypoints": [[1, 2, 3]]}]}]},
        {"model": {}},
        {"model": result.to_dict()["model"] | {"guard": {"verdict": "base"}}},
    ):
        assert not validator.is_valid({**result.to_dict(), **breaking}), breaking


def test_numbers_are_rounded_and_never_nan(result: KeypointResult) -> None:
    data = result.to_dict()
    person = data["frames"][0]["people"][0]
    assert person["box"] == [8.12, 28.0, 14.0, 64.0]
    assert person["keypoints"][1] == [10.62, 33.75, 0.1562]
    assert person["keypoints"][4] == [None, None, 0.0]
    assert data["frames"][1] == {"index": 1, "time_s": 0.033333, "people": [], "note": "nobody found"}
    assert data["frames"][2]["time_s"] is None
    assert "note" not in data["frames"][0]
    assert data["model"]["guard"]["metrics"] == {"jumps": {"base": None, "personalized": 0.5}}


def test_scores_stay_between_0_and_1() -> None:
    points = np.array([[1.0, 2.0, 1.0000001], [1.0, 2.0, -0.1], [1.0, 2.0, np.nan]])
    rows = PersonRecord(0, Box(0, 0, 1, 1), points).to_dict()["keypoints"]
    assert [row[2] for row in rows] == [1.0, 0.0, 0.0]


def test_reading_gives_back_what_was_written(result: KeypointResult, tmp_path: Path) -> None:
    write_json(result, tmp_path / "k.json")
    again = read_json(tmp_path / "k.json")
    assert again.skeleton is COCO17
    assert again.source == result.source
    assert (again.frames[1].index, again.frames[1].people, again.frames[1].note) == (1, (), "nobody found")
    assert np.isnan(again.frames[2].time_s)
    points = again.frames[0].people[0].keypoints
    assert points.shape == (17, 3)
    assert np.isnan(points[4, :2]).all()
    keep = [k for k in range(17) if k != 4]
    np.testing.assert_allclose(points[keep], result.frames[0].people[0].keypoints[keep], atol=0.006)
    assert again.to_dict() == result.to_dict()


def former(result: KeypointResult) -> dict[str, Any]:
    """The result as `ttpose.keypoints/1` files have it."""
    data = result.to_dict()
    guard = data["model"]["guard"]
    old = {"verdict": guard["decision"], "reason": guard["reason"], "figures": guard["metrics"]}
    return {**data, "schema": "ttpose.keypoints/1", "model": {**data["model"], "guard": old}}


def test_a_file_of_the_former_schema_is_read_as_one_of_today(result: KeypointResult, tmp_path: Path) -> None:
    (tmp_path / "k.json").write_text(json.dumps(former(result)))
    assert read_json(tmp_path / "k.json").to_dict() == result.to_dict()
    plain = former(result)
    plain["model"]["guard"] = None
    (tmp_path / "k.json").write_text(json.dumps(plain))
    assert read_json(tmp_path / "k.json").model["guard"] is None


def test_the_former_schema_is_kept(result: KeypointResult) -> None:
    old = json.loads((files("ttpose.results") / "keypoints-1.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(old).validate(former(result))


@pytest.mark.parametrize("model", [None, 3, {"guard": "base"}, {"guard": {"verdict": "base"}}])
def test_a_damaged_file_of_the_former_schema_is_one_clear_error(
    result: KeypointResult, tmp_path: Path, model: object
) -> None:
    data = former(result)
    del data["skeleton"]
    (tmp_path / "k.json").write_text(json.dumps(data | {"model": model}))
    with pytest.raises(InputError, match=r"k\.json"):
        read_json(tmp_path / "k.json")


def test_an_unknown_keypoint_set_is_read_as_the_file_says(result: KeypointResult, tmp_path: Path) -> None:
    pair = Skeleton("pair", ("left_hand", "right_hand"), ((0, 1),), (0.1, 0.1))
    person = PersonRecord(1, Box(0, 0, 5, 5), np.array([[1.0, 2.0, 0.5], [3.0, 4.0, 0.5]]))
    write_json(replace(result, skeleton=pair, frames=[FrameRecord(0, 0.0, (person,))]), tmp_path / "k.json")
    again = read_json(tmp_path / "k.json")
    assert (again.skeleton.name, again.skeleton.keypoints, again.skeleton.limbs) == ("pair", pair.keypoints, ((0, 1),))


def damaged(data: dict, where: str) -> dict:
    person = data["frames"][0]["people"][0]
    match where:
        case "schema":
            data["schema"] = "other/1"
        case "frames":
            del data["frames"]
        case "keypoints":
            person["keypoints"].pop()
        case "box":
            person["box"] = [1, 2, "wide", 4]
        case "infinite":
            data["frames"][1]["index"] = float("inf")
        case "people":
            data["frames"][1]["people"] = [None]
        case "limb":
            data["skeleton"] = {"name": "mine", "keypoints": ["a"], "limbs": [[0, 1]]}
    return data


@pytest.mark.parametrize("where", ["schema", "frames", "keypoints", "box", "infinite", "people", "limb"])
def test_a_foreign_or_damaged_file_is_one_clear_error(result: KeypointResult, tmp_path: Path, where: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(damaged(result.to_dict(), where)))
    with pytest.raises(InputError) as caught:
        read_json(path)
    assert "mine.json" in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00", b"[1, 2]", b'"text"', b'{"schema": "ttpose.keyp', b"[" * 99999]
)
def test_a_file_that_is_no_keypoint_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"mine\.json"):
        read_json(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*none\.json"):
        read_json(tmp_path / "none.json")


def test_a_failing_write_leaves_the_earlier_file(result: KeypointResult, tmp_path: Path) -> None:
    write_json(result, tmp_path / "k.json")
    before = (tmp_path / "k.json").read_bytes()
    broken = replace(result, frames=[result.frames[0], None])  # type: ignore[list-item]
    with pytest.raises(AttributeError):
        write_json(broken, tmp_path / "k.json")
    assert (tmp_path / "k.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["k.json"]
    with pytest.raises(OutputError):
        write_json(result, tmp_path / "k.json" / "below a file.json")


def test_a_record_refuses_impossible_values() -> None:
    with pytest.raises(ValueError, match=r"\[K, 3\]"):
        PersonRecord(0, Box(0, 0, 1, 1), np.zeros((17, 2)))
    with pytest.raises(ValueError, match="finite"):
        PersonRecord(0, Box(float("nan"), 0, 1, 1), np.zeros((17, 3)))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_fine(tmp_path: Path, encoding: str) -> None:
    from tests.cli.fake_api import made_result
    from ttpose.cli.contents import describe_file

    write_json(made_result(Path("a.mp4")), tmp_path / "a.json")
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    (tmp_path / "marked.json").write_text(text, encoding=encoding)
    assert read_json(tmp_path / "marked.json").to_dict() == read_json(tmp_path / "a.json").to_dict()
    assert describe_file(tmp_path / "marked.json")["frames"] == 2


def test_an_odd_source_is_described_as_the_schema_says(tmp_path: Path) -> None:
    from fractions import Fraction

    from tests.cli.fake_api import made_result
    from ttpose.media import SourceInfo

    info = SourceInfo(
        Path("b_bad\udcff.mp4"), "video", 427, 240, 2, 0.1, 25.0, 0,
        fps_from="assumed", stored=(320, 240), pixel_aspect=Fraction(4, 3), stream=1, bits=12,
    )  # fmt: skip
    write_json(replace(made_result(Path("a.mp4")), source=info.describe(2)), tmp_path / "a.json")
    data = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(json_schema()).validate(data)
    added = {"stored_width": 320, "stored_height": 240, "pixel_aspect_ratio": "4:3", "fps": 25.0}
    assert data["source"].items() >= {**added, "fps_from": "assumed", "stream": 1, "bits_used": 12}.items()
    assert data["source"]["path"] == "b_bad\\xff.mp4"
    known = json_schema()["properties"]["source"]["properties"]
    assert set(data["source"]) <= set(known)
    data["source"]["pixel_aspect_ratio"] = 1.33
    assert list(jsonschema.Draft202012Validator(json_schema()).iter_errors(data))
