"""Keeps a library from leaving this thread's signal handlers on a stack that it frees.

OpenVINO's CPU plugin gives the thread that compiles a network an alternate signal stack of its own, and frees it with
the network. Where networks end in another order than they began, or on another thread, the freed one stays in use, and
the next signal that Python handles (Ctrl-C, SIGTERM, a child's end) kills the process by SIGSEGV.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_NONE = 2  # SS_DISABLE of <signal.h> on Linux


class _Stack(ctypes.Structure):
    """`stack_t` of <signal.h> on Linux."""

    _fields_ = (("sp", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


@contextmanager
def kept_signal_stack() -> Iterator[None]:
    """Give this thread the alternate signal stack back that it had before; does nothing where there is no Linux."""
    if not sys.platform.startswith("linux"):
        yield
        return
    libc = ctypes.CDLL(None)
    before = _Stack()
    libc.sigaltstack(None, ctypes.byref(before))
    try:
        yield
    finally:
        if libc.sigaltstack(ctypes.byref(before), None) != 0:  # too small for what the process may do by now
            libc.sigaltstack(ctypes.byref(_Stack(flags=_NONE)), None)
