"""Pixels in and out: videos and images as frames, overlays as files."""

from ttpose.media.images import read_image, write_image
from ttpose.media.inputs import find_inputs
from ttpose.media.opening import open_source
from ttpose.media.source import Frame, Reading, Source, SourceInfo
from ttpose.media.writer import OverlayWriter

__all__ = [
    "Frame",
    "OverlayWriter",
    "Reading",
    "Source",
    "SourceInfo",
    "find_inputs",
    "open_source",
    "read_image",
    "write_image",
]
