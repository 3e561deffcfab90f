"""A path becomes a source: images and videos, told apart by their content."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ttpose.core.errors import InputError, UsageError
from ttpose.media.images import is_animated_webp, is_heic, is_photo, read_samples
from ttpose.media.inputs import REGULAR_HINT, not_regular
from ttpose.media.samples import stretched
from ttpose.media.source import Frame, Reading, Source, SourceInfo
from ttpose.media.timing import retimed
from ttpose.media.video import VideoSource


class ImageSource(Source):
    """A still image: one frame at time 0."""

    def __init__(self, path: Path) -> None:
        self._image, bits = read_samples(path)
        height, width = self._image.shape[:2]
        self.info = SourceInfo(path, "image", width, height, 1, None, None, 0, bits=bits)
        self.decoder = "opencv"
        self.warnings = [] if bits is None else [stretched(bits)]

    def frames(self, step: int = 1) -> Iterator[Frame]:
        """Give the image."""
        self.passed = 1
        yield Frame(0, 0.0, self._image)


def open_source(path: Path | str, reading: Reading | None = None) -> Source:
    """Open a video or image, told apart by content, whatever the name's suffix.

    Args:
        path: The file.
        reading: What the user says about a video beyond what the file says.

    Raises:
        InputError: The file is missing, empty, no regular file, no media, or damaged beyond reading; one line that
            names it.
        UsageError: A folder, or a time range without a frame.
    """
    path = Path(path)
    if path.is_dir():
        raise UsageError(f"{path} is a folder", "name the files in it")
    if (what := not_regular(path)) is not None:
        raise InputError(f"{path} is {what}, not a regular file", REGULAR_HINT)
    try:
        with open(path, "rb") as handle:
            head = handle.read(32)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}", "check the path and permissions") from error
    if not head:
        raise InputError(f"{path} is empty (0 bytes)", "copy or export it again")
    if is_heic(head):
        raise InputError(f"{path} is a HEIC photo, which is not supported", "convert it to JPEG or PNG")
    if is_photo(path, head):
        source = ImageSource(path)
        if is_animated_webp(head):
            source.warnings.append("animated WebP: only its first picture is used")
        return source
    video = VideoSource(path, reading=reading)
    return video if reading is None else retimed(video, video.listed_times, reading)
