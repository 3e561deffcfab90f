"""Where tensors are computed, and with how many bits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

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
        raise UsageError(
            f"there is no device {name}: {_why_missing(name)}", f"use {', '.join(there)}{_how_to_get(name)}"
        )
    return wanted


def half_type(device: torch.device) -> torch.dtype | None:
    """16-bit floats of a GPU: those with the range of 32-bit ones where it has them; None on other devices."""
    if device.type != "cuda":
        return None
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


@contextmanager
def mixed_precision(device: torch.device) -> Iterator[None]:
    """Computes networks with 16-bit floats where the device has those with the range of 32-bit ones.

    Others would need the loss scaled; there, on Apple GPUs and on CPUs nothing changes.
    """
    half = half_type(device)
    with torch.autocast(device.type, dtype=half, enabled=half is torch.bfloat16):
        yield


def moved(images: Tensor, device: torch.device) -> Tensor:
    """A batch on a device; to a GPU from pinned memory, while the CPU goes on."""
    if device.type == "cuda" and images.device.type == "cpu":
        return images.pin_memory().to(device, non_blocking=True)
    return images.to(device)


def _built_with_cuda() -> bool:
    return torch.version.cuda is not None or torch.version.hip is not None


def _why_missing(name: str) -> str:
    if not name.startswith("cuda"):
        return f"PyTorch {torch.__version__} finds no {'Apple GPU' if name == 'mps' else 'such device'}"
    if not _built_with_cuda():
        return f"PyTorch {torch.__version__} is built for the CPU only"
    if not torch.cuda.is_available():
        return f"PyTorch {torch.__version__} finds no GPU or no driver for it"
    return f"PyTorch finds {torch.cuda.device_count()} of them, counted from cuda:0"


def _how_to_get(name: str) -> str:
    if name.startswith("cuda") and not _built_with_cuda():
        return ", or install a CUDA build of PyTorch: https://pytorch.org/get-started/locally"
    return ""


def cpu_multiplies_bfloat16() -> bool:
    """Whether the processor has matrix units for 16-bit floats (AMX), as far as Linux tells it.

    Without them they are slower than 32-bit floats: a learning step of the mobile model took 1.4 times as long in
    bfloat16 on a processor that has only AVX-512's instructions for it.
    """
    try:
        return "amx_bf16" in Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return False
