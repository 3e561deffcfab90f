"""Where tensors are computed."""

from __future__ import annotations

import torch

from ttpose.core.errors import UsageError


def devices() -> dict[str, str]:
    """The devices that torch can use, best first: name and what it is."""
    found = {}
    for number in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        card = torch.cuda.get_device_properties(number)
        found[f"cuda:{number}"] = f"{card.name}, {card.total_memory / 2**30:.0f} GiB"
    if torch.backends.mps.is_available():
        found["mps"] = "Apple GPU"
    return {**found, "cpu": f"{torch.get_num_threads()} threads"}


def choose_device(name: str = "auto") -> str:
    """Turn `auto` into the best device there is, and refuse one that is not there.

    Raises:
        UsageError: The machine has no such device.
    """
    there = devices()
    if name == "auto":
        return next(iter(there))
    wanted = "cuda:0" if name == "cuda" else name
    if wanted not in there:
        raise UsageError(f"this machine has no device {name}", f"there is {', '.join(there)}")
    return wanted
