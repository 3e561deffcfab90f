"""Personalize a human pose model on a user's own video, on the user's own machine."""

from __future__ import annotations

__version__ = "0.1.0"
