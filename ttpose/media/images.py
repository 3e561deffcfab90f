"""Still images as RGB arrays, upright, and back to files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ttpose.core.errors import InputError, OutputError
from ttpose.core.files import atomic_path

_CONVERT = "convert it to JPEG or PNG first"
# First bytes of the formats that OpenCV's wheels read on every platform.
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\x00", b"MM\x00*")

_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1")


def is_image(head: bytes) -> bool:
    """Tell a still image from the first 16 bytes of a file; GIF counts as video."""
    return head.startswith(_SIGNATURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


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
        per channel become 8.

    Raises:
        InputError: The file is missing, empty, or no image that can be read.
    """
    import cv2

    try:
        data = np.fromfile(path, dtype=np.uint8)  # not cv2.imread: it cannot open every name on Windows
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}", "check the path and permissions") from error
    if data.size == 0:
        raise InputError(f"{path} is empty (0 bytes)", "copy or export it again")
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise InputError(f"cannot read {path}: {error.err}", _CONVERT) from error
    if image is None:
        raise InputError(f"{path} is not an image that can be read, or it is damaged", _CONVERT)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


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
