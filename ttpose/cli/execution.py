"""Where a command computes: on a device here, in several processes here, or on a cluster."""

from __future__ import annotations

from dataclasses import dataclass

from ttpose.core.errors import UsageError
from ttpose.jobs.run import Running


@dataclass(frozen=True)
class Execution:
    """Where, in words and for the work.

    Attributes:
        device: For `ttpose.api`; on a cluster each worker chooses by it.
        shown: What the first line says.
        jobs: Inputs at the same time; None: as many as the cluster takes.
        running: For the batch.
    """

    device: str
    shown: str
    jobs: int | None
    running: Running


def execution_of(device: str, jobs: int, scheduler: str | None, *, overwrite: bool, debug: bool) -> Execution:
    """What the options say.

    Raises:
        UsageError: There is no such device, or the options contradict each other.
    """
    from ttpose.cli.machine import choose_device
    from ttpose.core.threads import cores

    running = Running(overwrite, debug, jobs, cores(), scheduler)
    if scheduler is not None:
        if jobs != 1:
            raise UsageError("--jobs is for this machine, --scheduler for a cluster", "leave one of them out")
        return Execution(device, scheduler, None, running)
    chosen = choose_device(device)
    return Execution(chosen, chosen, jobs, running)
