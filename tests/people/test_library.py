"""The person library, and `ttpose people`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from typer.testing import CliRunner, Result

from ttpose.cli.app import app
from ttpose.core.errors import UsageError, WeightsError
from ttpose.people.library import DATA_VARIABLE, Library, data_folder, find_weights


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


def person_file(path: Path, **notes: str) -> Path:
    metadata = {
        "format": "ttpose.person/1",
        "base_sha256": "ab" * 32,
        "source": "squat.mp4",
        "guard": json.dumps({"verdict": "interpolated", "reason": "half is better"}),
        "settings": json.dumps({"preset": "fast"}),
    }
    save_file({"nothing": np.zeros(1, np.float32)}, path, metadata | notes)
    return path


def people(*words: str | Path, answer: str | None = None) -> Result:
    return CliRunner().invoke(app, ["people", *map(str, words)], input=answer, env={"COLUMNS": "160"})


def test_add_find_and_remove(tmp_path: Path, data: Path) -> None:
    library, file = Library(), person_file(tmp_path / "person.safetensors")
    assert library.people() == []
    person = library.add("Anna", file)
    assert person.path == data / "people" / "Anna.safetensors"
    assert person.path.read_bytes() == file.read_bytes()
    assert library.find("anna") == person.path  # upper and lower case are one name
    assert find_weights("anna") == person.path
    assert library.names() == ["Anna"]
    library.remove("ANNA")
    assert library.names() == []
    assert [path.name for path in (data / "people").iterdir()] == []


def test_a_file_that_exists_wins(tmp_path: Path) -> None:
    file = person_file(tmp_path / "person.safetensors")
    Library().add("anna", file)
    other = person_file(tmp_path / "anna")
    assert find_weights("anna") == Path("anna")
    other.unlink()
    assert find_weights("anna") == Library().find("anna")
    other.mkdir()  # such as the results of --same-person -o anna
    assert find_weights("anna") == Library().find("anna")
    Library().remove("anna")
    with pytest.raises(WeightsError, match="anna is a folder") as error:
        find_weights("anna")
    assert error.value.hint == f"give a file, such as {Path('anna/person.safetensors')}"


def test_a_taken_name_is_replaced_only_when_told_to(tmp_path: Path) -> None:
    library = Library()
    library.add("anna", person_file(tmp_path / "one.safetensors"))
    two = person_file(tmp_path / "two.safetensors", source="jump.mp4")
    with pytest.raises(UsageError, match="already") as error:
        library.add("Anna", two)
    assert "--person Anna" in str(error.value.hint)
    assert library.get("anna").notes["source"] == "squat.mp4"
    library.add("Anna", two, replace=True)
    assert library.names() == ["Anna"]
    assert library.get("anna").notes["source"] == "jump.mp4"


def test_only_person_files_are_taken(tmp_path: Path, data: Path) -> None:
    with pytest.raises(WeightsError, match="not a ttpose person file"):
        Library().add("anna", person_file(tmp_path / "base.safetensors", format="ttpose.model/1"))
    (tmp_path / "text").write_text("hello")
    with pytest.raises(WeightsError, match="cannot read"):
        Library().add("anna", tmp_path / "text")
    with pytest.raises(WeightsError, match="cannot read"):
        Library().add("anna", tmp_path / "missing")
    assert not data.exists()


@pytest.mark.parametrize("name", ["", "a/b", "../anna", "a.b", "-anna", "anna ", "con", "LPT1", "x" * 41, "a\\b", "."])
def test_names_that_are_none_everywhere(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be"):
        Library().add(name, person_file(tmp_path / "person.safetensors"))


@pytest.mark.parametrize("name", ["a", "anna", "Jörg", "runner-2", "李小龙", "x" * 40, "constance"])
def test_names_that_are_some(name: str, tmp_path: Path) -> None:
    Library().add(name, person_file(tmp_path / "person.safetensors"))
    assert Library().names() == [name]


def test_an_unknown_name_gets_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as error:
        find_weights("anna")
    assert "nobody is in it yet" in str(error.value.hint)
    for name in ("anna", "hannah", "bob"):
        Library().add(name, person_file(tmp_path / "person.safetensors"))
    with pytest.raises(WeightsError, match="no file and no person 'ana'") as error:
        find_weights("ana")
    assert error.value.hint == "did you mean anna or hannah?"
    with pytest.raises(UsageError) as unknown:
        Library().get("zzz")
    assert unknown.value.hint == "see `ttpose people list`"
    with pytest.raises(WeightsError, match=r"cannot read results/anna\.safetensors"):
        find_weights("results/anna.safetensors")


def test_the_folder_is_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATA_VARIABLE)
    import platformdirs

    assert data_folder() == platformdirs.user_data_path("ttpose", appauthor=False)
    assert data_folder().name == "ttpose"


def test_the_commands(tmp_path: Path, data: Path) -> None:
    assert "nobody yet" in people("list").stdout
    file = person_file(tmp_path / "person.safetensors", sources=json.dumps(["squat.mp4", "jump.mp4"]), base="mine")
    assert people("add", "anna", file).exit_code == 0
    (data / "people" / "bob.safetensors").write_text("damaged")
    listed = people("list").stdout
    assert "squat.mp4, jump.mp4" in listed
    assert "damaged" in listed
    rows = json.loads(people("list", "--json").stdout)
    assert [(row["name"], row["readable"], row["decision"]) for row in rows] == [
        ("anna", True, "interpolated"), ("bob", False, None),
    ]  # fmt: skip
    shown = people("show", "anna").stdout
    assert "reason: half is better" in shown
    assert "preset: fast" in shown
    assert "base: mine\n" in shown
    assert json.loads(people("show", "anna", "--json").stdout)["sources"] == ["squat.mp4", "jump.mp4"]
    missing = people("show", "ana")
    assert missing.exit_code == 2
    assert "did you mean anna?" in missing.stderr
    assert people("add", "anna", file).exit_code == 2
    assert people("add", "anna", file, "--overwrite").exit_code == 0


def test_removing_asks_and_is_all_or_nothing(tmp_path: Path) -> None:
    for name in ("anna", "bob"):
        Library().add(name, person_file(tmp_path / "person.safetensors"))
    assert people("remove", "anna", answer="n\n").exit_code == 1
    assert people("remove", "anna", "zzz", "--yes").exit_code == 2
    assert Library().names() == ["anna", "bob"]
    assert people("remove", "anna", "bob", answer="y\n").exit_code == 0
    assert Library().names() == []
