from __future__ import annotations

import pytest
import torch

from ttpose.core.errors import UsageError
from ttpose.models import device as runtime


@pytest.fixture
def two_cards(monkeypatch):
    class Card:
        name, total_memory = "Fast One", 80 * 2**30

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: Card)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.fixture
def no_cards(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def test_auto_takes_the_card(two_cards):
    assert runtime.choose_device() == "cuda:0"
    assert runtime.choose_device("cuda") == "cuda:0"
    assert runtime.choose_device("cuda:1") == "cuda:1"
    assert runtime.choose_device("cpu") == "cpu"
    assert runtime.devices()["cuda:1"] == "Fast One, 80 GiB"


def test_auto_without_a_card_is_the_processor(no_cards):
    assert runtime.choose_device() == "cpu"
    assert list(runtime.devices()) == ["cpu"]


def test_apple_comes_before_the_processor(no_cards, monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert runtime.choose_device() == "mps"


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps", "tpu", ""])
def test_a_device_that_is_not_there_is_refused(no_cards, name):
    with pytest.raises(UsageError) as caught:
        runtime.choose_device(name)
    assert "cpu" in caught.value.hint


def test_a_card_too_many_is_refused(two_cards):
    with pytest.raises(UsageError, match="cuda:2"):
        runtime.choose_device("cuda:2")


@pytest.mark.parametrize(
    ("text", "expected"), [("flags : avx512_bf16 amx_bf16 amx_tile\n", True), ("flags : avx512_bf16\n", False)]
)
def test_16_bit_floats_are_fast_on_processors_with_matrix_units(monkeypatch, text, expected):
    monkeypatch.setattr(runtime.Path, "read_text", lambda self, encoding: text)
    assert runtime.cpu_multiplies_bfloat16() is expected


def test_a_system_that_does_not_tell_has_no_matrix_units(monkeypatch):
    def missing(self, encoding):
        raise FileNotFoundError

    monkeypatch.setattr(runtime.Path, "read_text", missing)
    assert runtime.cpu_multiplies_bfloat16() is False
