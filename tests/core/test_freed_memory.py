from __future__ import annotations

import subprocess
import sys

import pytest

from ttpose.core import memory


def test_settings_are_for_glibc_only(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: pytest.fail("there is no glibc here"))
    memory.keep_freed_memory()
    memory.give_back_memory()
    monkeypatch.setattr(sys, "platform", "linux")

    def missing(name):
        raise OSError(name)

    monkeypatch.setattr(memory.ctypes, "CDLL", missing)
    memory.keep_freed_memory()
    memory.give_back_memory()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's settings")
def test_settings_are_told_to_glibc(monkeypatch):
    told = {}

    class Library:
        def mallopt(self, name, value):
            told[name] = value

    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: Library())
    memory.keep_freed_memory()
    # M_MMAP_MAX, M_TRIM_THRESHOLD, M_TOP_PAD and M_ARENA_MAX of malloc.h
    assert told == {-4: 0, -1: 2**31 - 1, -2: 64 * 2**20, -8: 1}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's settings")
def test_gaps_between_what_stays_are_given_back():
    code = """
import numpy as np
from ttpose.core.memory import give_back_memory, keep_freed_memory

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
