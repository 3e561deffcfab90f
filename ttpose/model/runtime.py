"""Where and how tensors are computed: the device, and the allocator's manners on a CPU."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

import torch

from ttpose.errors import UsageError

# glibc's names for mallopt (malloc.h).
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4


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


def keep_freed_memory() -> None:
    """Let glibc keep freed memory for the next step instead of returning it to the system; does nothing elsewhere.

    Each training step frees and takes the same hundreds of megabytes; giving pages back and faulting them in again
    costs up to a third of the time on a CPU.
    """
    if (mallopt := _of_glibc("mallopt")) is None:
        return
    mallopt(_M_MMAP_MAX, 0)
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
    mallopt(_M_TOP_PAD, 64 * 2**20)


def give_back_memory() -> None:
    """Return the whole pages among glibc's freed memory to the system; does nothing elsewhere.

    Freed pictures leave gaps that small things take their place in, so that the next picture finds none: where many
    pictures come and go beside things that stay, kept memory grows by hundreds of megabytes.
    """
    if (trim := _of_glibc("malloc_trim")) is not None:
        trim(ctypes.c_size_t(0))


def _of_glibc(name: str) -> Callable[..., int] | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        return getattr(ctypes.CDLL("libc.so.6"), name)
    except (OSError, AttributeError):  # another C library, such as musl
        return None
