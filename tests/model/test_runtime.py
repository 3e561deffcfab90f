from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from ttpose.errors import UsageError
from ttpose.model import runtime


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


def test_memory_manners_are_for_glibc_only(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(runtime.ctypes, "CDLL", lambda name: pytest.fail("there is no glibc here"))
    runtime.keep_freed_memory()
    runtime.give_back_memory()
    monkeypatch.setattr(sys, "platform", "linux")

    def missing(name):
        raise OSError(name)

    monkeypatch.setattr(runtime.ctypes, "CDLL", missing)
    runtime.keep_freed_memory()
    runtime.give_back_memory()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's settings")
def test_memory_manners_are_told_to_glibc(monkeypatch):
    told = {}

    class Library:
        def mallopt(self, name, value):
            told[name] = value

    monkeypatch.setattr(runtime.ctypes, "CDLL", lambda name: Library())
    runtime.keep_freed_memory()
    assert told == {-4: 0, -1: 2**31 - 1, -2: 64 * 2**20}  # M_MMAP_MAX, M_TRIM_THRESHOLD, M_TOP_PAD of malloc.h


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's settings")
def test_gaps_between_what_stays_are_given_back():
    code = """
import numpy as np
from ttpose.model.runtime import give_back_memory, keep_freed_memory

def resident():
    with open("/proc/self/statm") as pages:
        return int(pages.read().split()[1]) * 4096

keep_freed_memory()
pictures, stay = [], []
for _ in range(50):
    pictures.append(np.ones(4_000_000, np.uint8))
    stay.append(np.ones(1000, np.uint8))
before = resident()
del pictures
kept = resident()
give_back_memory()
print(before - kept < 20e6, kept - resident() > 150e6)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]
