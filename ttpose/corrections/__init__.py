"""What a person says about single frames of a clip: the corrections file, and the page that writes it."""

from __future__ import annotations

from ttpose.corrections.model import HIDDEN, NOT_IN_PICTURE, VISIBLE, Corrections, FrameCorrection
from ttpose.corrections.reading import read_corrections

__all__ = ["HIDDEN", "NOT_IN_PICTURE", "VISIBLE", "Corrections", "FrameCorrection", "read_corrections"]
