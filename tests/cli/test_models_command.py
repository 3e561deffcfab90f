from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from tests.small_models import small_model
from ttpose.cli.app import app
from ttpose.core.errors import WeightsError
from ttpose.models.checkpoint import save_model
from ttpose.people.library import find_base
from ttpose.people.weights import load_base


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("TTPOSE_DATA_DIR", str(tmp_path / "data"))
    return lambda *arguments: CliRunner().invoke(app, ["models", *map(str, arguments)])


@pytest.fixture
def file(tmp_path):
    save_model(small_model(), tmp_path / "small.safetensors", notes={"imported_from": "a lab"})
    return tmp_path / "small.safetensors"


def test_the_shipped_base_is_always_there(run):
    (row,) = json.loads(run("list", "--json").stdout)
    assert (row["name"], row["input"], row["readable"]) == ("mobile", "256x256", True)
    assert row["parameters"] > 6e6


def test_a_base_is_kept_under_a_name_and_loaded_by_it(run, file):
    assert run("add", "Lab-1", file).exit_code == 0
    rows = {row["name"]: row for row in json.loads(run("list", "--json").stdout)}
    assert rows["Lab-1"]["kind"] == "small"
    assert rows["Lab-1"]["input"] == "64x64"
    assert rows["Lab-1"]["imported_from"] == "a lab"
    assert find_base("lab-1").read_bytes() == file.read_bytes()
    loaded = load_base("lab-1")
    assert loaded.model.config.preset == "small"
    assert "Lab-1" in run("list").stdout


def test_a_name_is_taken_once(run, file):
    run("add", "lab", file)
    again = run("add", "lab", file)
    assert again.exit_code == 2
    assert "there is a base 'lab' in the library already" in again.output
    assert run("add", "lab", file, "--overwrite").exit_code == 0
    shipped = run("add", "Mobile", file)
    assert (shipped.exit_code, "Mobile is the shipped base" in shipped.output) == (2, True)


def test_what_is_no_base_is_refused(run, tmp_path, file):
    (tmp_path / "person.safetensors").write_bytes(b"12345678{}")
    refused = run("add", "x", tmp_path / "person.safetensors")
    assert refused.exit_code == 1
    assert len(refused.output.splitlines()) <= 2
    assert json.loads(run("list", "--json").stdout)[1:] == []


def test_removing(run, file):
    run("add", "lab", file)
    assert run("remove", "lab", "nobody", "--yes").exit_code == 2  # all or none
    assert find_base("lab").exists()
    assert run("remove", "lab", "--yes").exit_code == 0
    with pytest.raises(WeightsError, match="there is no file and no base 'lab'"):
        find_base("lab")


def test_a_near_name_is_suggested(run, file):
    run("add", "vitpose-b", file)
    with pytest.raises(WeightsError) as caught:
        find_base("vitpose-d")
    assert "vitpose-b" in str(caught.value.hint)


def test_info_tells_size_and_measures_speed(run, file, tmp_path):
    run("add", "lab", file)
    values = json.loads(CliRunner().invoke(app, ["info", "lab", "--json"]).stdout)
    assert (values["kind"], values["input"]) == ("small", "64x64")
    assert sum(values["parameters"].values()) > 1000
    assert values["speed"]["ms_per_crop"] > 0
    assert values["speed"]["crops_per_second"] > 0
