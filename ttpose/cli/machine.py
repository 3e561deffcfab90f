"""What this machine has: processor, memory, devices that can compute, and the versions of what we stand on."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from typing import Any

from ttpose.core.threads import cores

PACKAGES = ("torch", "numpy", "opencv-python", "av", "decord", "safetensors", "typer", "rich")


def devices() -> dict[str, str]:
    """The devices that torch can use, best first: name and what it is."""
    from ttpose.models import device as runtime

    return {**runtime.devices(), "cpu": f"{cores()} cores"}


def choose_device(name: str) -> str:
    """Turn `auto` into the best device there is, and refuse one that is not there with a `UsageError`."""
    from ttpose.models import device as runtime

    return runtime.choose_device(name)


def describe_machine() -> dict[str, Any]:
    """System, processor, memory, package versions and devices, as JSON-ready values."""
    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "cores": cores(),
        "memory_gib": _memory_gib(),
        "packages": {name: _version(name) for name in PACKAGES},
        "devices": devices(),
    }


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
