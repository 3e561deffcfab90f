"""The just-in-time compiler that makes rendering fast; it comes with the extra `ttpose[training]`."""

from __future__ import annotations

from ttpose.core.errors import UsageError

try:
    from numba import njit
except ImportError as error:
    raise UsageError(
        "rendering synthetic people needs numba, which is not installed", "pip install 'ttpose[training]'"
    ) from error

# fastmath: sums may be reordered, which lets the compiler vectorise; cache: compile once per installation.
# Functions that call each other sit in one file, because the cache only notices changes of the caller's own file
# (after a change of raster.SUPERSAMPLE, remove __pycache__).
kernel = njit(fastmath=True, cache=True)
# A part of a kernel: dissolved into its caller, else every call would copy dozens of array descriptions.
inlined = njit(fastmath=True, cache=True, forceinline=True)
