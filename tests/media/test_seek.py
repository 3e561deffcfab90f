"""Parts of a video, read from the key frame before them: the same frames as when all are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.clips import corrupted, number_of, picture, write_clip
from ttpose.media import open_source, write_image


def numbers(path: Path, start: int, stop: int) -> list[tuple[int, int | None]]:
    found = open_source(path).part(start, stop)
    return [(frame.index, None if frame.image is None else number_of(frame.image)) for frame in found]


def same(start: int, stop: int) -> list[tuple[int, int | None]]:
    return [(i, i) for i in range(start, stop)]


@pytest.mark.parametrize(("suffix", "gop"), [(".mp4", 12), (".mp4", 250), (".mkv", 12), (".avi", 12), (".webm", 12)])
def test_every_part_has_the_frames_that_belong_there(tmp_path: Path, suffix: str, gop: int) -> None:
    codec = "libvpx-vp9" if suffix == ".webm" else "libx264"
    path = write_clip(tmp_path / f"clip{suffix}", 50, gop=gop, codec=codec)
    for start in (0, 1, 11, 12, 13, 30, 48):
        assert numbers(path, start, start + 2) == same(start, start + 2)
    assert numbers(path, 47, 99) == same(47, 50)
    assert numbers(path, 50, 60) == []


def test_varying_times_and_a_quarter_turn(tmp_path: Path) -> None:
    times = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.2, 40)).tolist()
    path = write_clip(tmp_path / "clip.mp4", times_s=times, rotation=90)
    whole = {frame.index: frame for frame in open_source(path).frames()}
    for frame in open_source(path).part(23, 27):
        assert frame.time_s == whole[frame.index].time_s
        np.testing.assert_array_equal(frame.image, whole[frame.index].image)


def test_damage_leaves_the_others_their_numbers(tmp_path: Path) -> None:
    path = corrupted(write_clip(tmp_path / "clip.mp4", 60), tmp_path / "bad.mp4")
    found = [pair for start in range(0, 60, 6) for pair in numbers(path, start, start + 6)]
    assert [index for index, _ in found] == list(range(60))
    assert all(shown == index for index, shown in found[:20] + found[-10:])


def test_a_photo_is_one_frame(tmp_path: Path) -> None:
    write_image(tmp_path / "photo.png", picture(5))
    assert numbers(tmp_path / "photo.png", 0, 4) == [(0, 5)]
    assert numbers(tmp_path / "photo.png", 1, 4) == []
