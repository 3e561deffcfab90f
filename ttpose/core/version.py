"""The version, apart from the package's front door, which leads to everything else."""

from __future__ import annotations

__version__ = "0.1.0"
