"""Any input as a stream of upright RGB frames: index, presentation time, pixels, and a mark where it is damaged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ttpose.errors import InputError, UsageError
from ttpose.media.images import is_animated_webp, is_heic, is_image, read_image


@dataclass(frozen=True)
class SourceInfo:
    """What is known of an input before reading its frames.

    Attributes:
        path: The file.
        kind: "image" or "video".
        width: Pixels, after the file's rotation is applied.
        height: Pixels, after rotation.
        frames: How many frames `frames()` will give, None if the container does not say.
        duration_s: Seconds, None for an image or if not known.
        fps: Average frames per second, None for an image or if not known.
        rotation: Clockwise degrees that the file asks for and that are applied already.
    """

    path: Path
    kind: Literal["image", "video"]
    width: int
    height: int
    frames: int | None
    duration_s: float | None
    fps: float | None
    rotation: int


@dataclass(frozen=True)
class Frame:
    """One frame.

    Attributes:
        index: Position in the order shown, from 0.
        time_s: Seconds since the first frame, rising with the index.
        image: RGB uint8 [H, W, 3], upright; None where the file is damaged.
        note: What is wrong with it, or None.
    """

    index: int
    time_s: float
    image: np.ndarray | None
    note: str | None = None


class Source(ABC):
    """An input that can be read again and again, from the start each time.

    Attributes:
        info: Size, count and so on.
        decoder: The library that reads the pixels ("decord", "pyav" or "opencv"); may change when one fails.
        warnings: One line for each kind of damage met so far.
    """

    info: SourceInfo
    decoder: str
    warnings: list[str]

    @abstractmethod
    def frames(self, step: int = 1) -> Iterator[Frame]:
        """Read from the start; with `step` > 1 only frames 0, step, 2 * step, ... are turned into pixels and given.

        Each call opens the file anew and closes it at the end, or when the iterator is closed or dropped. Memory does
        not grow with the length of the video.
        """


class ImageSource(Source):
    """A still image: one frame at time 0."""

    def __init__(self, path: Path) -> None:
        self._image = read_image(path)
        height, width = self._image.shape[:2]
        self.info = SourceInfo(path, "image", width, height, 1, None, None, 0)
        self.decoder = "opencv"
        self.warnings = []

    def frames(self, step: int = 1) -> Iterator[Frame]:
        """Give the image."""
        yield Frame(0, 0.0, self._image)


def open_source(path: Path | str) -> Source:
    """Open a video or image, told apart by content, whatever the name's suffix.

    Raises:
        InputError: The file is missing, empty, no media, or damaged beyond reading; one line that names it.
    """
    path = Path(path)
    if path.is_dir():
        raise UsageError(f"{path} is a folder", "name the files in it")
    try:
        with open(path, "rb") as handle:
            head = handle.read(32)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}", "check the path and permissions") from error
    if not head:
        raise InputError(f"{path} is empty (0 bytes)", "copy or export it again")
    if is_heic(head):
        raise InputError(f"{path} is a HEIC photo, which is not supported", "convert it to JPEG or PNG")
    if is_image(head):
        source = ImageSource(path)
        if is_animated_webp(head):
            source.warnings.append("animated WebP: only its first picture is used")
        return source
    from ttpose.media.video import VideoSource

    return VideoSource(path)
