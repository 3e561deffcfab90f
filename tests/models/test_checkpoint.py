from __future__ import annotations

import errno

import pytest
import torch
from safetensors.torch import save_file

from tests.small_models import small_config, small_model
from ttpose.core.errors import OutputError, WeightsError
from ttpose.models.checkpoint import load_model, read_metadata, read_tensors, save_model
from ttpose.models.shipped import load
from ttpose.models.store import model_path


@pytest.fixture(scope="module")
def model():
    return small_model(1)


@pytest.fixture
def saved(model, tmp_path):
    path = tmp_path / "some folder" / "small.safetensors"
    save_model(model, path, notes={"trained_on": "nothing"})
    return path


def test_full_precision_comes_back_bit_for_bit(model, tmp_path):
    save_model(model, tmp_path / "m.safetensors", half=False)
    again = load_model(tmp_path / "m.safetensors")
    assert again.config == model.config
    state = again.state_dict()
    assert state.keys() == model.state_dict().keys()
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())


def test_half_precision_comes_back_rounded_and_computes_in_full(model, saved):
    again = load_model(saved)
    assert not again.training
    for name, value in model.state_dict().items():
        found = again.state_dict()[name]
        assert found.dtype == value.dtype
        assert torch.equal(found, value.half().float() if value.is_floating_point() else value), name
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(again(image).supervised, model(image).supervised, atol=0.02)
    sizes = [sum(t.numel() * t.element_size() for t in m.state_dict().values()) for m in (model, again)]
    assert saved.stat().st_size < 0.6 * sizes[0]


def test_the_same_weights_give_the_same_bytes(model, saved, tmp_path):
    for number in range(3):
        again = tmp_path / f"{number}.safetensors"
        save_model(load_model(saved), again, notes={"trained_on": "nothing"})
        assert again.read_bytes() == saved.read_bytes()
    save_model(load_model(saved), again, notes={"trained_on": "something"})
    assert again.read_bytes() != saved.read_bytes()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(saved, value):
    tensors, metadata = read_tensors(saved)
    tensors["encoder.conv1.weight"][0, 0, 0, 0] = value
    save_file(tensors, saved, metadata)
    with pytest.raises(WeightsError) as caught:
        load_model(saved)
    assert str(saved) in _one_line(caught)


def test_notes_are_kept(saved):
    assert read_metadata(saved)["trained_on"] == "nothing"


def _one_line(caught):
    assert "\n" not in str(caught.value)
    return caught.value.message


@pytest.mark.parametrize("share", [0.0, 0.00001, 0.001, 0.5, 0.9999])
def test_a_file_cut_short_is_one_clear_error(saved, share):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(share * len(content))])
    for read in (load_model, read_tensors, read_metadata, load):
        with pytest.raises(WeightsError) as caught:
            read(saved)
        assert str(saved) in _one_line(caught)


def test_another_files_content_is_one_clear_error(tmp_path):
    for name, content in {"text": b"these are no weights\n" * 50, "zip": b"PK\3\4" + bytes(500)}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(WeightsError, match="not a readable weights file") as caught:
            load_model(tmp_path / name)
        assert "cut short" in caught.value.hint


def test_missing_and_folder(tmp_path):
    with pytest.raises(WeightsError, match="no weights file at"):
        load_model(tmp_path / "none.safetensors")
    with pytest.raises(WeightsError):
        load_model(tmp_path)


def test_other_safetensors_are_refused(tmp_path):
    save_file({"x": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="not a ttpose model"):
        load_model(tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="not a ttpose model"):
        load_model(model_path("nanodet_416.safetensors"))


def test_weights_that_do_not_fit_the_description(model, tmp_path):
    path = tmp_path / "m.safetensors"
    save_model(model, path)
    tensors, metadata = read_tensors(path)
    tensors["encoder.conv1.weight"] = torch.zeros(9, 3, 7, 7)
    save_file(tensors, path, metadata)
    with pytest.raises(WeightsError, match="does not fit its own description") as caught:
        load_model(path)
    _one_line(caught)
    assert "conv1" in caught.value.message


@pytest.mark.parametrize(
    "wrong",
    [
        {"skeleton": "octopus8"},
        {"input_size": "64"},
        {"num_self": -1},
        {"transformer_heads": 3},
        {"mean": (1.0, 2.0)},
        {"encoder": "vit"},
        {"pose_head": "none"},
    ],
)
def test_a_description_that_cannot_be_built_is_one_clear_error(tmp_path, wrong):
    metadata = {"format": "ttpose.model/1", "config": small_config(**wrong).to_json()}
    save_file({"x": torch.zeros(3)}, tmp_path / "m.safetensors", metadata)
    with pytest.raises(WeightsError) as caught:
        load_model(tmp_path / "m.safetensors")
    assert str(tmp_path) in _one_line(caught)


def test_a_missing_description_is_one_clear_error(tmp_path):
    save_file({"x": torch.zeros(3)}, tmp_path / "m.safetensors", {"format": "ttpose.model/1"})
    with pytest.raises(WeightsError) as caught:
        load_model(tmp_path / "m.safetensors")
    assert str(tmp_path) in _one_line(caught)


def test_an_earlier_file_stays_when_the_disk_is_full(model, saved, monkeypatch):
    before = saved.read_bytes()

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("ttpose.core.files.os.fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        save_model(model, saved, half=False)
    assert saved.read_bytes() == before
    assert [p.name for p in saved.parent.iterdir()] == [saved.name]
