"""Compiled networks leave the stack of signal handlers alone."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests import sample

pytestmark = [
    pytest.mark.skipif(find_spec("openvino") is None, reason="OpenVINO is not installed"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="alternate signal stacks are Linux's here"),
]

# Two networks that end in the order in which they began; then this process sends itself a signal.
PROGRAM = """
import os, signal
from ttpose.models.engine.graph import Graph

signal.signal(signal.SIGTERM, lambda *_: print("handled"))
first, second = (Graph(lambda image: [image * 2], (8, 8, 3), bfloat16=False, threads=1, streams=1) for _ in range(2))
del first
del second
os.kill(os.getpid(), signal.SIGTERM)
"""


def test_a_signal_is_handled_after_networks_have_ended():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=sample.environment(), check=False
    )
    assert (done.returncode, done.stdout) == (0, "handled\n"), done.stderr
