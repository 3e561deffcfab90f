"""Computing beside other work: how many threads there is room for, and how they wait for each other."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

#: What OpenMP libraries read when they are loaded, which is when torch is imported. Their threads wait for each other
#: after each operation; by default they spin, and a thread that the system has set aside then makes all the others burn
#: their share of the processor: beside other work a network took ten times as long (benchmarks/engine.md).
YIELDING: Mapping[str, str] = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}

# Of threads that yield to each other two get more of the processor than one, whatever else runs.
_LEAST = 2


def yield_while_waiting() -> None:
    """Let threads sleep while they wait, unless the user's environment says otherwise; before torch is imported."""
    for name, value in YIELDING.items():
        os.environ.setdefault(name, value)


def cores() -> int:
    """How many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _idle_s() -> float | None:
    """Seconds of rest since the machine started, of the cores that this process may use."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
        ours = {f"cpu{number}" for number in os.sched_getaffinity(0)}
        rows = [fields[1:] for line in lines if (fields := line.split()) and fields[0] in ours]
        # user, nice, system, idle, iowait, ...
        return sum(int(row[3]) + int(row[4]) for row in rows) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):  # a container without it
        return None


@dataclass(frozen=True)
class Moment:
    """The processor's clocks at one time.

    Attributes:
        wall_s: Of the wall.
        own_s: What this process has computed.
        idle_s: What the cores that it may use have rested, together; None where the system does not tell.
    """

    wall_s: float = field(default_factory=time.perf_counter)
    own_s: float = field(default_factory=time.process_time)
    idle_s: float | None = field(default_factory=_idle_s)


#: When this process began to compute.
STARTED = Moment()


def free_threads(since: Moment = STARTED, now: Moment | None = None) -> int:
    """How many threads there was room for since a moment: for what this process did, and on the cores that rested."""
    now, most = now or Moment(), cores()
    seconds = now.wall_s - since.wall_s
    if now.idle_s is None or since.idle_s is None or seconds <= 0:
        return most
    free = (now.idle_s - since.idle_s + now.own_s - since.own_s) / seconds
    return max(min(round(free), most), min(_LEAST, most))
