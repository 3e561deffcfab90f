from __future__ import annotations

import pytest

from ttpose.core.errors import WeightsError
from ttpose.models import store


def test_shipped_file_is_found():
    assert store.model_path("nanodet_416.safetensors").stat().st_size > 1_000_000


def test_missing_file_is_one_clear_error():
    with pytest.raises(WeightsError, match=r"no_such\.safetensors is missing") as caught:
        store.model_path("no_such.safetensors")
    assert caught.value.hint


def test_installed_copy_wins_over_the_checkout(tmp_path, monkeypatch):
    package = tmp_path / "site" / "ttpose"
    for folder in (package / "_models", tmp_path / "site" / "models"):
        folder.mkdir(parents=True)
        (folder / "a.safetensors").write_bytes(b"x")
    monkeypatch.setattr(store, "_PACKAGE", package)
    assert store.model_path("a.safetensors") == package / "_models" / "a.safetensors"
    (package / "_models" / "a.safetensors").unlink()
    assert store.model_path("a.safetensors") == tmp_path / "site" / "models" / "a.safetensors"
