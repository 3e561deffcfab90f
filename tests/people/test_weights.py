"""Which weights are meant by a person, a base, or both."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from tests.small_models import small_model
from ttpose.cli.app import app
from ttpose.core.errors import UsageError, WeightsError
from ttpose.core.files import sha256_of
from ttpose.models.checkpoint import save_model
from ttpose.models.person import PersonDelta
from ttpose.people.library import DATA_VARIABLE, Library
from ttpose.people.weights import load_base, load_weights

CHANGED = "encoder.conv1.weight"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two bases and a person of the first, who is in the library too."""
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    for name, seed in (("mine", 0), ("other", 1)):
        save_model(small_model(seed), tmp_path / f"{name}.safetensors", half=False)
    change = {CHANGED: torch.full_like(small_model().state_dict()[CHANGED], 0.5)}
    PersonDelta(sha256_of("mine.safetensors"), change, {"base": "mine"}).save("person.safetensors")
    Library().add("anna", "person.safetensors")
    return tmp_path


@pytest.mark.parametrize("person", ["person.safetensors", "anna"])
def test_a_person_on_the_base_it_was_made_on(home: Path, person: str) -> None:
    loaded = load_weights(person, base="mine.safetensors")
    base = load_base("mine.safetensors")
    torch.testing.assert_close(
        loaded.model.state_dict()[CHANGED], base.model.state_dict()[CHANGED] + 0.5, atol=1e-3, rtol=0
    )
    assert (loaded.base, loaded.base_sha256) == ("mine", sha256_of("mine.safetensors"))
    assert loaded.person_sha256 == sha256_of("person.safetensors")
    assert (base.person, base.person_sha256) == (None, None)


@pytest.mark.parametrize(("base", "name"), [(None, "mobile"), ("other.safetensors", "other")])
def test_on_any_other_it_is_refused(home: Path, base: str | None, name: str) -> None:
    with pytest.raises(WeightsError) as error:
        load_weights("person.safetensors", base=base)
    made_on = sha256_of("mine.safetensors")[:12]
    assert f"person.safetensors was made on another base (mine, sha256 {made_on}), not on {name}" in error.value.message
    assert error.value.hint is not None
    assert "--base FILE" in error.value.hint


def test_a_base_alone(home: Path) -> None:
    assert load_weights("mine.safetensors").base == load_weights(base="mine.safetensors").base == "mine"
    assert load_weights().base == "mobile"


def test_what_does_not_go_together(home: Path) -> None:
    with pytest.raises(UsageError, match=r"other\.safetensors is a base, and so is mine"):
        load_weights("other.safetensors", base="mine.safetensors")
    for person in ("person.safetensors", "anna"):
        with pytest.raises(UsageError, match="is a person, not a base"):
            load_weights(base=person)
    Path("text.safetensors").write_text("hello")
    with pytest.raises(WeightsError, match=r"text\.safetensors"):
        load_weights("text.safetensors", base="mine.safetensors")


def test_a_model_of_both_can_be_exported(home: Path) -> None:
    words = ["export", "person.safetensors", "--to", "torchscript", "-o", "person.pt", "--quiet"]
    refused = CliRunner().invoke(app, words)
    assert refused.exit_code == 1
    assert "was made on another base (mine" in refused.stderr
    assert not Path("person.pt").exists()
    done = CliRunner().invoke(app, [*words, "--base", "mine.safetensors"])
    assert done.exit_code == 0, done.output
    assert Path("person.pt").is_file()
