from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import reproduction
from benchmarks.reproduction import Results, Row
from tests.data.test_rendered import write_people
from tests.small_models import small_model
from ttpose.core.errors import UsageError
from ttpose.models.checkpoint import save_model


def test_a_row_says_how_to_personalize() -> None:
    row = Row.parse("joint:paper,mode=online,pose_rate=2e-5,clip_norm=none,frames=5,trainable=encoder.+self_head.")
    assert (row.model, row.frames, row.measured) == ("joint", 5, 0)
    assert row.settings is not None
    assert (row.settings.mode, row.settings.pose_rate, row.settings.clip_norm) == ("online", 2e-5, None)
    assert row.settings.trainable == ("encoder.", "self_head.")
    assert Row.parse("joint:before,measured=1").settings is None
    for wrong in ("joint", "joint:", "joint:paper,stepz=3"):
        with pytest.raises(UsageError):
            Row.parse(wrong)


def _line(person: str, row: str, right: list[int]) -> str:
    return json.dumps({"person": person, "row": row, "right": right, "counted": 10, "seconds": 2.0, "loss": None})


def test_gains_are_over_people_that_both_rows_have(tmp_path: Path) -> None:
    path = tmp_path / "people.jsonl"
    path.write_text("\n".join([
        _line("a", "joint:before", [4, 6]), _line("b", "joint:before", [5, 7]), _line("c", "joint:before", [0, 0]),
        _line("a", "joint:paper", [5, 8]), _line("b", "joint:paper", [5, 6]),
        _line("a", "joint:before,measured=1", [1, 1]), _line("a", "joint:paper,measured=1", [3, 4]),
    ]))  # fmt: skip
    results = Results.read(path)
    np.testing.assert_allclose(results.gains("joint:paper", "joint:before"), [[10, 20], [0, -10]])
    assert results.before("joint:paper,measured=1") == "joint:before,measured=1"
    told = reproduction.table(results).splitlines()
    assert len(told) == 2 + 4
    assert "| joint:paper | 2 | 50.00 [50.00, 50.00] | 70.00 [60.00, 80.00] | +5.00" in told[3]
    assert "50 %" in told[3]
    reproduction.draw(results, tmp_path / "gains.png")
    assert (tmp_path / "gains.png").stat().st_size > 1000


def test_a_run_goes_on_where_it_was_cut_off(tmp_path: Path) -> None:
    save_model(small_model(skeleton="penn13"), tmp_path / "joint.safetensors", half=False)
    people = write_people(tmp_path / "people")
    rows = ("joint:before", "joint:before,measured=1",
            "joint:paper,steps=2,batch=2,together=2,perceptual=none,frames=2",
            "joint:paper,steps=1,batch=2,together=2,perceptual=none,measured=1",
            "joint:paper,mode=online,batch=2,together=2,perceptual=none")  # fmt: skip
    output = tmp_path / "people.jsonl"
    command = ["run", str(output), "--shards", str(people), "--model", f"joint={tmp_path / 'joint.safetensors'}"]
    reproduction.main([*command, "--most", "1", *(part for row in rows[:2] for part in ("--row", row))])
    first = output.read_text()
    assert len(first.splitlines()) == 2
    reproduction.main([*command, *(part for row in rows for part in ("--row", row))])
    assert output.read_text().startswith(first)
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert len(lines) == len({(line["person"], line["row"]) for line in lines}) == 10
    assert all(0 <= line["right"][0] <= line["right"][1] <= line["counted"] for line in lines)
    assert all(line["counted"] == 3 * 13 for line in lines)
