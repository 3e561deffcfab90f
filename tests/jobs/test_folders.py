from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ttpose.core.errors import OutputError
from ttpose.jobs import folders
from ttpose.jobs.folders import RECORD_NAME, ResultFolder, output_folders


def names(*inputs: str) -> list[str]:
    return [folder.name for folder in output_folders([Path(path) for path in inputs], Path("out")).values()]


def test_a_folder_is_named_after_the_stem() -> None:
    assert output_folders([Path("x/walk.two.mp4")], Path("out")) == {
        Path("x/walk.two.mp4"): Path("out/walk.two_ttpose")
    }


def test_shared_stems_say_more_until_none_is_shared() -> None:
    assert names("clip.mp4", "clip.mov", "other.mp4") == ["clip_mp4_ttpose", "clip_mov_ttpose", "other_ttpose"]
    assert names("day1/clip.mp4", "day2/clip.mp4") == ["day1_clip_mp4_ttpose", "day2_clip_mp4_ttpose"]
    assert names("Clip.mp4", "clip.mov") == ["Clip_mp4_ttpose", "clip_mov_ttpose"]
    deep = names("x/day/clip.mp4", "y/day/clip.mp4")
    assert len(set(deep)) == 2
    assert all(name.startswith("clip_") for name in deep)


def test_a_longer_name_does_not_take_another_inputs_name() -> None:
    taken = names("clip.mp4", "clip.mov", "clip_mp4.avi", "clip_mp4.mov")
    assert len(set(taken)) == 4


def test_no_names_are_shared_whatever_the_inputs() -> None:
    stems = ("a", "a_mp4", "b_a", "A")
    inputs = [f"{top}{stem}.{end}" for top in ("", "b/", "c/b/", "b/b/") for stem in stems for end in ("mp4", "mov")]
    taken = names(*inputs)
    assert len({name.casefold() for name in taken}) == len(inputs)


def test_files_are_finished_once_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, path = tmp_path / "walk.mp4", tmp_path / "walk_ttpose"
    folder = ResultFolder(path, source)
    path.mkdir()
    (path / "keypoints.json").write_text("{}")
    assert not folder.finished(["keypoints.json"])
    folder.remember(["keypoints.json"], {"preset": "fast"})
    again = ResultFolder(path, source)
    assert again.finished(["keypoints.json"])
    assert not again.finished(["keypoints.json", "overlay.mp4"])
    assert again.differences(["keypoints.json"], {"preset": "fast"}) == []
    assert again.differences(["keypoints.json"], {"preset": "thorough"}) == ["preset: fast"]
    assert again.unchanged(["keypoints.json"], {"preset": "fast"})
    assert not again.unchanged(["keypoints.json"], {"preset": "thorough"})
    monkeypatch.setattr(folders, "__version__", "9.9")
    assert not again.unchanged(["keypoints.json"], {"preset": "fast"})
    (path / "keypoints.json").unlink()
    assert not again.finished(["keypoints.json"])
    assert not again.unchanged(["keypoints.json"], {"preset": "fast"})


def test_forgotten_files_are_unfinished_and_the_others_stay(tmp_path: Path) -> None:
    source, path = tmp_path / "walk.mp4", tmp_path / "walk_ttpose"
    path.mkdir()
    for name in ("a", "b"):
        (path / name).write_text("")
    ResultFolder(path, source).remember(["a", "b"], {})
    ResultFolder(path, source).forget(["a"])
    assert not ResultFolder(path, source).finished(["a"])
    assert ResultFolder(path, source).finished(["b"])


def test_the_folder_of_another_input_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "walk_ttpose"
    ResultFolder(path, tmp_path / "one" / "walk.mp4").remember([], {})
    folder = ResultFolder(path, tmp_path / "two" / "walk.mp4")
    assert folder.other_owner == str(tmp_path / "one" / "walk.mp4")
    assert not folder.finished([])


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"schema": "ttpose.run/1", "files": 3, "input": "x"}', "\udcff"])
def test_a_damaged_record_means_unfinished(tmp_path: Path, content: str) -> None:
    (tmp_path / RECORD_NAME).write_text(content, errors="surrogateescape")
    folder = ResultFolder(tmp_path, tmp_path / "walk.mp4")
    assert folder.other_owner is None
    assert not folder.finished(["keypoints.json"])
    folder.remember(["keypoints.json"], {})
    assert json.loads((tmp_path / RECORD_NAME).read_text())["input"] == str(tmp_path / "walk.mp4")


def test_a_folder_that_cannot_be_written_is_noticed_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file"):
        ResultFolder(tmp_path / "file" / "walk_ttpose", tmp_path / "walk.mp4").check_writable()
    ResultFolder(tmp_path / "new" / "walk_ttpose", tmp_path / "walk.mp4").check_writable()
    assert not (tmp_path / "new").exists()


def test_a_folder_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputError, match="no permission"):
        ResultFolder(tmp_path / "walk_ttpose", tmp_path / "walk.mp4").check_writable()
