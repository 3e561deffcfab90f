"""Pixels in and out: videos and images as frames, overlays as files."""

from ttpose.media.images import read_image, write_image
from ttpose.media.inputs import find_inputs
from ttpose.media.overlay import draw_skeleton
from ttpose.media.source import Frame, Source, SourceInfo, open_source
from ttpose.media.writer import OverlayWriter

__all__ = [
    "Frame",
    "OverlayWriter",
    "Source",
    "SourceInfo",
    "draw_skeleton",
    "find_inputs",
    "open_source",
    "read_image",
    "write_image",
]
