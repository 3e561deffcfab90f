"""A short clip of a rendered person, shipped so that the whole way can be tried at once (`ttpose demo`)."""

from __future__ import annotations

from pathlib import Path

#: The file's name in this folder.
SAMPLE_NAME = "dance.mp4"


def sample_clip() -> Path:
    """The sample: 100 frames at 30 frames a second, 384 x 512, one person dancing; tools/render_sample.py made it."""
    return Path(__file__).with_name(SAMPLE_NAME)
