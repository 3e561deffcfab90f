"""A process ends because of its own signals only."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.sample import environment

FORKED = """
import os, signal, time
from ttpose.core.stopping import ends_when_asked
with ends_when_asked({signal.SIGTERM: 0.2}):
    child = os.fork()
    if not child:
        time.sleep(30)
        os._exit(1)
    time.sleep(0.3)
    os.kill(child, signal.SIGTERM)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    time.sleep(1)
print(code)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_forked_child_that_is_ended_does_not_end_its_parent() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", FORKED], capture_output=True, text=True, env=environment(), timeout=60
    )
    assert (ended.returncode, ended.stdout.strip()) == (0, "143"), ended.stderr
