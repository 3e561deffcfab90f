"""Threads beside other work."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.sample import ROOT
from ttpose.core import threads
from ttpose.core.threads import Moment, free_threads, yield_while_waiting


@pytest.mark.parametrize(
    ("own_s", "idle_s", "expected"),
    [
        (1.0, 7.0, 8),  # nobody else: one core computed, seven rested
        (1.0, 3.2, 4),  # half of them taken
        (0.5, 0.0, 2),  # all taken: two get on better than one
        (8.0, 0.0, 8),  # this process took all
        (1.0, 20.0, 8),  # never more than there are
    ],
)
def test_there_is_room_for_what_this_process_did_and_on_cores_that_rested(monkeypatch, own_s, idle_s, expected):
    monkeypatch.setattr(threads, "cores", lambda: 8)
    assert free_threads(Moment(10.0, 3.0, 100.0), Moment(11.0, 3.0 + own_s, 100.0 + idle_s)) == expected


def test_all_cores_where_the_system_does_not_tell(monkeypatch):
    monkeypatch.setattr(threads, "cores", lambda: 3)
    assert free_threads(Moment(0.0, 0.0, None), Moment(1.0, 1.0, None)) == 3


def test_a_single_core_is_one_thread(monkeypatch):
    monkeypatch.setattr(threads, "cores", lambda: 1)
    assert free_threads(Moment(0.0, 0.0, 0.0), Moment(1.0, 0.2, 0.0)) == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the system does not tell")
def test_this_machine_tells_how_much_its_cores_rest():
    before, after = Moment(), Moment()
    assert before.idle_s is not None and after.idle_s is not None
    assert 0 <= after.idle_s - before.idle_s <= threads.cores() * (after.wall_s - before.wall_s) + 0.1


def test_the_users_own_choice_stands(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    monkeypatch.delenv("KMP_BLOCKTIME", raising=False)
    yield_while_waiting()
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"
    assert os.environ["KMP_BLOCKTIME"] == "0"
    monkeypatch.delenv("KMP_BLOCKTIME")


def test_a_command_lets_its_threads_yield_before_torch_is_there():
    program = (
        "import os, sys; sys.argv = ['ttpose', '--version']\n"
        "import ttpose.cli\n"
        "try:\n    ttpose.cli.main()\n"
        "except SystemExit:\n    print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
    )
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"} | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.splitlines()[-1] == "PASSIVE False"
