"""Still images as RGB arrays, upright, and back to files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ttpose.core.errors import InputError, OutputError
from ttpose.core.files import atomic_path
from ttpose.media.samples import bits_in_use, to_uint8

_CONVERT = "convert it to JPEG or PNG first"
_AGAIN = "copy or export it again"
# First bytes of the formats that OpenCV's wheels read on every platform.
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\x00", b"MM\x00*")

_MOTION_JPEG = frozenset({".mjpeg", ".mjpg"})
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1")


def is_image(head: bytes) -> bool:
    """Tell a still image from the first 16 bytes of a file; GIF counts as video."""
    return head.startswith(_SIGNATURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def is_photo(path: Path, head: bytes) -> bool:
    """Tell a still image from a video by the file's first 16 bytes; bare Motion JPEG begins like a photo."""
    return is_image(head) and path.suffix.lower() not in _MOTION_JPEG


def is_animated_webp(head: bytes) -> bool:
    """Tell an animated WebP from the first 21 bytes of a file (the flags byte of its VP8X chunk)."""
    return head[8:16] == b"WEBPVP8X" and len(head) > 20 and bool(head[20] & 2)


def is_heic(head: bytes) -> bool:
    """Tell an iPhone photo, stored in tiles that the decoders at hand do not assemble, from the first 12 bytes."""
    return head[4:8] == b"ftyp" and head[8:12] in _HEIC_BRANDS


def read_image(path: Path | str) -> np.ndarray:
    """Read a JPEG, PNG, WebP, BMP or TIFF image.

    Returns:
        RGB uint8 [H, W, 3], turned upright by its EXIF orientation; grey becomes RGB, transparency is dropped, 16 bits
        per channel become 8, from as many of them as are in use.

    Raises:
        InputError: The file is missing, empty, or no image that can be read.
    """
    return read_samples(path)[0]


def read_samples(path: Path | str) -> tuple[np.ndarray, int | None]:
    """Read an image as `read_image` does, and tell of one with 16 bits how many are in use, if fewer; else None."""
    import cv2

    try:
        data = np.fromfile(path, dtype=np.uint8)  # not cv2.imread: it cannot open every name on Windows
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}", "check the path and permissions") from error
    if data.size == 0:
        raise InputError(f"{path} is empty (0 bytes)", _AGAIN)
    try:
        with _quiet():
            image = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
            if image is not None and image.dtype not in (np.uint8, np.uint16):  # 32-bit and signed samples
                image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise InputError(f"{path} cannot be decoded ({error.err})", _hint(data)) from error
    if image is None:
        raise InputError(f"{path} is not an image that can be read, or it is damaged", _hint(data))
    bits = None
    if image.dtype == np.uint16:
        used = bits_in_use(int(image.max()))
        bits, image = used if used < 16 and image.any() else None, to_uint8(image, used)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB), bits


def _hint(data: np.ndarray) -> str:
    """What to do about an image that cannot be decoded: it is of a kind that is read, so its bytes are wrong."""
    head, tail = bytes(data[:16]), bytes(data[-64:])
    if not is_image(head):
        return _CONVERT
    ends = {b"\xff\xd8\xff": b"\xff\xd9", b"\x89PNG": b"IEND"}
    cut = any(head.startswith(start) and end not in tail for start, end in ends.items())
    if head.startswith(b"RIFF"):
        cut = int.from_bytes(head[4:8], "little") + 8 > data.size
    if head.startswith(b"BM"):
        cut = int.from_bytes(head[2:6], "little") > data.size
    if cut:
        return "it is cut off: copy or export it again"
    return "it is damaged, or of a kind that is not supported: copy it again, or convert it to JPEG or PNG"


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep OpenCV's own lines about damaged files off the terminal: one of ours says it."""
    import cv2

    before = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(before)


def write_image(path: Path | str, image: np.ndarray) -> None:
    """Write an RGB uint8 image [H, W, 3] in the format that the suffix names, whole or not at all.

    Raises:
        OutputError: The suffix names no format, or the file cannot be written.
    """
    import cv2

    path = Path(path)
    try:
        done, data = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    except cv2.error as error:
        raise OutputError(f"cannot write an image named {path.name}", "use .jpg or .png") from error
    if not done:
        raise OutputError(f"cannot encode {path}", "use .jpg or .png")
    with atomic_path(path) as partial:
        partial.write_bytes(data.tobytes())


def encode_jpeg(image: np.ndarray, quality: int) -> bytes:
    """An RGB uint8 image [H, W, 3] as a JPEG file's bytes."""
    import cv2

    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    encoded: bytes = data.tobytes()
    return encoded
