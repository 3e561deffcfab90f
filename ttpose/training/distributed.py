"""Training on several processes, started by `torchrun`; one process without it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from ttpose.core.errors import UsageError


@dataclass(frozen=True)
class World:
    """This process among all.

    Attributes:
        rank: Its number from 0; process 0 writes files and speaks.
        size: How many there are.
        device: What it computes on.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files and speaks."""
        return self.rank == 0

    def share(self, module: nn.Module, *, find_unused: bool = False) -> nn.Module:
        """The module whose gradients are averaged over all processes after each backward pass."""
        if self.size == 1:
            return module
        devices = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=devices, find_unused_parameters=find_unused)

    def mean(self, values: Tensor) -> Tensor:
        """The mean of a tensor over all processes."""
        return self.total(values) / self.size

    def total(self, values: Tensor) -> Tensor:
        """The sum of a tensor over all processes."""
        if self.size == 1:
            return values
        values = values.detach().clone()
        distributed.all_reduce(values)
        return values

    def from_first(self, value: Any) -> Any:
        """What process 0 holds, on every process; the machines need no common disk."""
        if self.size == 1:
            return value
        box = [value]
        distributed.broadcast_object_list(box, 0, device=self.device)
        return box[0]


@contextmanager
def join_world(device: str) -> Iterator[World]:
    """Join the processes that `torchrun` started, if it did, and leave them at the end.

    Args:
        device: `cpu`, `mps`, `cuda` or `cuda:N`; with several processes on GPUs each takes the one of its local rank.

    Raises:
        UsageError: The devices do not suffice.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World(0, 1, torch.device(device))
        return
    kind = torch.device(device).type
    if kind not in ("cpu", "cuda"):
        raise UsageError(f"several processes cannot train on {kind}", "use cpu or cuda")
    chosen = torch.device(kind)
    if kind == "cuda":
        local = int(os.environ.get("LOCAL_RANK", "0"))
        if local >= torch.cuda.device_count():
            raise UsageError(f"process {local} has no GPU of its own", "start one process for each GPU")
        chosen = torch.device("cuda", local)
        torch.cuda.set_device(chosen)
    distributed.init_process_group("nccl" if kind == "cuda" else "gloo")
    try:
        yield World(distributed.get_rank(), size, chosen)
        distributed.barrier()  # nobody leaves while another one still talks to the group
    finally:
        distributed.destroy_process_group()
