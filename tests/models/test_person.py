from __future__ import annotations

import copy

import pytest
import torch
from safetensors.torch import save_file

from tests.small_models import small_model
from ttpose.core.errors import WeightsError
from ttpose.core.files import sha256_of
from ttpose.models import shipped
from ttpose.models.checkpoint import read_tensors, save_model
from ttpose.models.person import PersonDelta

SHA = "ab" * 32


@pytest.fixture(scope="module")
def base():
    return small_model(1)


@pytest.fixture(scope="module")
def personal(base):
    """The base with changes of very different sizes in the encoder, one in the reconstruction nets, none elsewhere."""
    model = copy.deepcopy(base)
    draw = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name.startswith("encoder.layer1"):
                rows = torch.logspace(-6, -2, len(value)).view(-1, *[1] * (value.dim() - 1))
                value += rows * torch.randn(value.shape, generator=draw)
        model.encoder.bn1.bias += 0.01
        model.reconstructor.decoder.layer1[0].weight += 1.0
    return model


@pytest.fixture(scope="module")
def delta(base, personal):
    return PersonDelta.between(base, personal, SHA, {"guard": "personalized"})


def test_rounding_is_half_a_127th_of_each_rows_largest_change(base, personal, delta):
    before, after = base.state_dict(), personal.state_dict()
    checked = 0
    for name, change in delta.changes.items():
        exact = after[name] - before[name]
        rows = exact.flatten(1) if exact.dim() > 1 else exact[None]
        most = rows.abs().amax(1, keepdim=True) / 127 / 2
        error = (change - exact).reshape(rows.shape).abs()
        assert (error <= most * 1.0001 + 1e-12).all(), name
        checked += 1
    assert checked > 5


def test_only_what_changed_is_held_and_never_the_reconstruction(delta):
    assert "encoder.bn1.bias" in delta.changes
    assert all(name.startswith(("encoder.layer1", "encoder.bn1.bias")) for name in delta.changes)


def test_strength_0_is_the_base_1_the_person_and_a_half_between(base, personal, delta):
    none, half, whole = (delta.apply(base, interpolation).state_dict() for interpolation in (0.0, 0.5, 1.0))
    for name, value in base.state_dict().items():
        assert torch.equal(none[name], value)
        if name in delta.changes:
            assert torch.allclose(whole[name] - value, delta.changes[name], atol=1e-6)
            assert torch.allclose(half[name], (value + whole[name]) / 2, atol=1e-6)
            assert not torch.equal(half[name], value)
        else:
            assert torch.equal(whole[name], value)
    wanted = personal.state_dict()["encoder.bn1.bias"]
    assert torch.allclose(whole["encoder.bn1.bias"], wanted, atol=1e-6)


def test_applying_leaves_the_base_alone(base, delta):
    before = {name: value.clone() for name, value in base.state_dict().items()}
    applied = delta.apply(base)
    assert all(torch.equal(before[name], value) for name, value in base.state_dict().items())
    assert not applied.training


def test_file_gives_back_what_was_saved(delta, tmp_path):
    delta.save(tmp_path / "p.safetensors")
    again = PersonDelta.load(tmp_path / "p.safetensors", SHA)
    assert again.notes == {"guard": "personalized"}
    assert again.base_sha256 == SHA
    assert again.changes.keys() == delta.changes.keys()
    for name, change in delta.changes.items():
        # Rounded already, so saving rounds no further.
        assert torch.allclose(again.changes[name], change, rtol=1e-5, atol=0), name
    assert (tmp_path / "p.safetensors").stat().st_size < 1.6 * sum(c.numel() for c in delta.changes.values()) + 5000


def test_scaled_is_applied_with_that_strength(base, delta, tmp_path):
    half = delta.scaled(0.5)
    half.save(tmp_path / "p.safetensors")
    again = PersonDelta.load(tmp_path / "p.safetensors", SHA).apply(base).state_dict()
    wanted = delta.apply(base, 0.5).state_dict()
    assert all(torch.allclose(again[name], value, atol=1e-6) for name, value in wanted.items())


def test_a_person_without_changes_is_a_file_too(base, tmp_path):
    nothing = PersonDelta.between(base, copy.deepcopy(base), SHA)
    assert nothing.changes == {}
    nothing.save(tmp_path / "p.safetensors")
    again = PersonDelta.load(tmp_path / "p.safetensors", SHA)
    assert again.changes == {}
    assert torch.equal(again.apply(base).encoder.conv1.weight, base.encoder.conv1.weight)


def test_another_base_is_refused(delta, tmp_path):
    delta.save(tmp_path / "p.safetensors")
    with pytest.raises(WeightsError, match=f"another base.*{SHA[:12]}") as caught:
        PersonDelta.load(tmp_path / "p.safetensors", "cd" * 32)
    assert "cdcdcdcdcdcd" in caught.value.message
    assert "\n" not in str(caught.value)


def test_a_base_of_another_shape_is_refused(delta):
    with pytest.raises(WeightsError, match="does not have in that shape"):
        delta.apply(small_model(1, encoder_width=4))


def test_files_that_are_no_person_are_refused(base, delta, tmp_path):
    path = tmp_path / "p.safetensors"
    save_model(base, path)
    with pytest.raises(WeightsError, match="not a ttpose person file"):
        PersonDelta.load(path, SHA)
    delta.save(path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="not a readable weights file"):
        PersonDelta.load(path, SHA)


@pytest.mark.parametrize("harm", ["missing", "short"])
def test_a_person_file_that_does_not_hold_together_is_one_clear_error(delta, tmp_path, harm):
    path = tmp_path / "p.safetensors"
    delta.save(path)
    tensors, metadata = read_tensors(path)
    name = next(key for key in tensors if key.endswith("conv1.weight|scale"))
    tensors = {k: v for k, v in tensors.items() if k != name}
    if harm == "short":
        tensors[name] = torch.ones(3)
    save_file(tensors, path, metadata)
    with pytest.raises(WeightsError, match=r"p\.safetensors") as caught:
        PersonDelta.load(path, SHA)
    assert "\n" not in str(caught.value)


def test_loading_by_path_puts_the_person_on_the_shipped_base(base, personal, tmp_path, monkeypatch):
    base_path, person_path = tmp_path / "base.safetensors", tmp_path / "anna.safetensors"
    save_model(base, base_path, half=False)
    monkeypatch.setattr(shipped, "model_path", lambda name: base_path)
    plain = shipped.load()
    assert (plain.base, plain.base_sha256, plain.person) == ("base", sha256_of(base_path), None)
    PersonDelta.between(base, personal, plain.base_sha256).save(person_path)
    loaded = shipped.load(person_path)
    assert torch.allclose(loaded.model.encoder.bn1.bias, personal.encoder.bn1.bias, atol=1e-6)
    assert loaded.describe() == {
        "base": "base",
        "base_sha256": sha256_of(base_path),
        "person": str(person_path),
        "person_sha256": sha256_of(person_path),
        "guard": None,
    }
    other = shipped.load(base_path)
    assert (other.base_sha256, other.person) == (plain.base_sha256, None)
    # A base that changed after the person was made is another base.
    save_model(personal, base_path, half=False)
    with pytest.raises(WeightsError, match="another base"):
        shipped.load(person_path)
