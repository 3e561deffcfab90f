from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from ttpose.core.errors import InputError, OutputError, TTPoseError
from ttpose.media import open_source, read_image, write_image
from ttpose.media.images import is_image


def sample() -> np.ndarray:
    image = np.full((40, 60, 3), 50, np.uint8)
    image[:10, :10] = 250, 20, 20
    return image


def save(path: Path, image: np.ndarray) -> Path:
    done, data = cv2.imencode(path.suffix, image)
    assert done
    path.write_bytes(data.tobytes())
    return path


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".tif"])
def test_every_format_comes_as_rgb(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    write_image(path, sample())
    assert is_image(path.read_bytes()[:16])
    image = read_image(path)
    assert image.shape == (40, 60, 3) and image.dtype == np.uint8
    assert np.abs(image[2:8, 2:8].astype(int) - (250, 20, 20)).max() < 40
    assert np.abs(image[20:, 20:].astype(int) - 50).max() < 10


def exif(orientation: int) -> bytes:
    """An EXIF block (TIFF, big-endian) with nothing but the orientation."""
    return b"MM\x00*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def jpeg_turned(orientation: int) -> bytes:
    data = cv2.imencode(".jpg", cv2.cvtColor(sample(), cv2.COLOR_RGB2BGR))[1].tobytes()
    block = b"Exif\x00\x00" + exif(orientation)
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:]


@pytest.mark.parametrize(
    ("orientation", "shape", "corner"),
    [
        (1, (40, 60), (4, 4)),
        (3, (40, 60), (35, 55)),
        (6, (60, 40), (4, 35)),
        (8, (60, 40), (55, 4)),
        (2, (40, 60), (4, 55)),
    ],
)
def test_exif_rotation_is_applied(
    tmp_path: Path, orientation: int, shape: tuple[int, int], corner: tuple[int, int]
) -> None:
    path = tmp_path / "turned.jpg"
    path.write_bytes(jpeg_turned(orientation))
    source = open_source(path)
    (frame,) = source.frames()
    assert frame.image is not None
    assert frame.image.shape[:2] == shape == (source.info.height, source.info.width)
    assert frame.image[corner][0] > 200 and frame.image[corner][1] < 80


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_grey_16_bit_and_alpha_become_rgb_8_bit(tmp_path: Path, suffix: str) -> None:
    ramp = (np.arange(2400).reshape(40, 60) * 27).astype(np.uint16)
    deep = read_image(save(tmp_path / f"deep{suffix}", ramp))
    assert deep.shape == (40, 60, 3) and deep.dtype == np.uint8
    np.testing.assert_allclose(deep[..., 1], ramp / 257, atol=1.01)
    alpha = np.dstack([sample(), np.full((40, 60), 255, np.uint8)])
    np.testing.assert_array_equal(read_image(save(tmp_path / f"alpha{suffix}", alpha)), sample()[..., ::-1])


def test_png_is_read_after_decord_was_loaded(tmp_path: Path) -> None:
    pytest.importorskip("decord")
    from tests.clips import write_clip

    source = open_source(write_clip(tmp_path / "a.mp4", 3))
    assert source.decoder == "decord"
    list(source.frames())
    write_image(tmp_path / "a.png", sample())
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), sample())


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("empty.jpg", b""),
        ("text.png", b"hello, this is no picture\n" * 9),
        ("head_only.png", b"\x89PNG\r\n\x1a\n"),
        ("cut.webp", b"RIFF\x00\x01\x00\x00WEBPVP8 "),
        ("photo.heic", b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"),
        ("nothing.mp4", bytes(5000)),
    ],
)
def test_what_is_no_image_gets_one_clear_line(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        open_source(path)
    assert name in caught.value.message and "\n" not in str(caught.value)
    assert caught.value.hint


def test_a_missing_file_and_a_folder_say_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no\.png"):
        open_source(tmp_path / "no.png")
    with pytest.raises(InputError, match=r"no\.png"):
        read_image(tmp_path / "no.png")
    with pytest.raises(TTPoseError, match="folder"):
        open_source(tmp_path)


def test_an_image_under_another_name_is_read_by_its_content(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", sample())
    (tmp_path / "a.png").rename(tmp_path / "a.mp4")
    source = open_source(tmp_path / "a.mp4")
    assert source.info.kind == "image" and source.info.frames == 1


def test_writing_leaves_nothing_behind_when_it_fails(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        write_image(tmp_path / "a.nonsense", sample())
    (tmp_path / "a.png").mkdir()
    with pytest.raises(OutputError):
        write_image(tmp_path / "a.png", sample())
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("channels", [1, 3])
def test_samples_in_a_part_of_16_bits_reach_from_black_to_white(
    tmp_path: Path, suffix: str, bits: int, channels: int
) -> None:
    white = (1 << bits) - 1
    ramp = np.round(np.linspace(0, white, 2400)).astype(np.uint16).reshape(40, 60)
    path = save(tmp_path / f"deep{suffix}", np.dstack([ramp] * channels) if channels > 1 else ramp)
    source = open_source(path)
    (frame,) = source.frames()
    assert frame.image is not None
    np.testing.assert_allclose(frame.image[..., 0], ramp * (255 / white), atol=0.51)
    assert source.info.describe(1)["bits_used"] == bits and f"{bits} of 16 bits" in source.warnings[0]


def test_a_dark_or_black_picture_in_16_bits_is_not_brightened_without_end(tmp_path: Path) -> None:
    black = open_source(save(tmp_path / "black.png", np.zeros((40, 60), np.uint16)))
    assert black.info.bits is None and black.warnings == []
    dim = read_image(save(tmp_path / "dim.png", np.full((40, 60), 20, np.uint16)))
    assert dim.max() == 20  # as 8-bit samples would show it


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp"])
def test_a_picture_that_is_cut_off_says_so(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (120, 160, 3)).astype(np.uint8)
    whole = save(tmp_path / f"a{suffix}", noise)
    for share in (0.3, 0.9):
        cut = tmp_path / f"cut{suffix}"
        cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])
        with pytest.raises(InputError) as caught:
            open_source(cut)
        assert "cut off" in str(caught.value.hint) and "convert" not in str(caught.value.hint)
