"""What the C library does with memory that was freed."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

# glibc's names for mallopt (malloc.h).
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -2, -4, -8


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
    # What one thread freed would be of no use to another: a fifth of a gigabyte more, and no faster.
    mallopt(_M_ARENA_MAX, 1)


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
