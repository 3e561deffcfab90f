from __future__ import annotations

import os
from pathlib import Path

import pytest

from ttpose.core.errors import UsageError
from ttpose.media import find_inputs


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def names(folder: Path, found: list[Path]) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in found]


def test_a_folder_is_searched_in_natural_order_for_known_suffixes(tmp_path: Path) -> None:
    touch(tmp_path, "clip10.mp4", "clip2.MP4", "notes.txt", ".hidden.mp4", "b/a.JPG", ".git/x.mp4")
    touch(tmp_path, "clip2_ttpose/overlay.mp4", "b/deep/c.mov")
    assert names(tmp_path, find_inputs([tmp_path])) == ["b/a.JPG", "b/deep/c.mov", "clip2.MP4", "clip10.mp4"]


def test_order_does_not_depend_on_the_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, *(f"{letter}{number}.png" for letter in "aBc" for number in (1, 2, 10)))
    forward = find_inputs([tmp_path])
    listing = list(os.walk(tmp_path))
    monkeypatch.setattr(os, "walk", lambda folder: [(where, dirs, files[::-1]) for where, dirs, files in listing])
    assert find_inputs([tmp_path]) == forward
    assert names(tmp_path, forward)[:4] == ["a1.png", "a2.png", "a10.png", "B1.png"]


def test_a_named_file_is_taken_whatever_its_suffix_and_once(tmp_path: Path) -> None:
    touch(tmp_path, "film.bin", "a.mp4")
    found = find_inputs([tmp_path / "film.bin", tmp_path / "a.mp4", tmp_path, tmp_path / "." / "a.mp4"])
    assert names(tmp_path, found) == ["film.bin", "a.mp4"]


def test_numbers_with_odd_digits_do_not_break_the_order(tmp_path: Path) -> None:
    touch(tmp_path, "a².mp4", "a٣.mp4", "7.mp4", "b.mp4")
    assert len(find_inputs([tmp_path])) == 4


@pytest.mark.parametrize("make", ["missing", "empty", "unusable", "nothing"])
def test_nothing_to_work_on_is_a_usage_error_with_a_hint(tmp_path: Path, make: str) -> None:
    if make == "unusable":
        touch(tmp_path, "notes.txt", "run_ttpose/overlay.mp4")
    paths = {"missing": [tmp_path / "no.mp4"], "empty": [tmp_path], "unusable": [tmp_path], "nothing": []}[make]
    with pytest.raises(UsageError) as caught:
        find_inputs(paths)
    assert caught.value.hint
    assert "\n" not in str(caught.value)
