from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.corrections.examples import coco_of, file_of
from ttpose.core.errors import UsageError
from ttpose.core.files import sha256_of
from ttpose.corrections.matching import match_corrections


def written(path: Path, clip: str, sha256: str | None = None) -> Path:
    told = {"name": clip, "sha256": sha256, "width": 160, "height": 120, "frames": 40}
    path.write_text(json.dumps(file_of(clip=told)), encoding="utf-8")
    return path


@pytest.fixture
def clips(tmp_path: Path) -> list[Path]:
    found = [tmp_path / "monday" / "a.mp4", tmp_path / "friday" / "a.mp4", tmp_path / "b.mp4"]
    for number, path in enumerate(found):
        path.parent.mkdir(exist_ok=True)
        path.write_text(str(number))
    return found


def test_by_name_and_by_content_where_names_are_shared(tmp_path: Path, clips: list[Path]) -> None:
    b = written(tmp_path / "1.json", "b.mp4")
    friday = written(tmp_path / "2.json", "a.mp4", sha256_of(clips[1]))
    assert match_corrections([b, friday], clips) == {clips[2]: b, clips[1]: friday}
    renamed = written(tmp_path / "3.json", "other.mp4", sha256_of(clips[0]))
    assert match_corrections([renamed], clips) == {clips[0]: renamed}


def test_what_does_not_match_is_refused(tmp_path: Path, clips: list[Path]) -> None:
    b = written(tmp_path / "1.json", "b.mp4")
    with pytest.raises(UsageError, match=r"are both of .*b\.mp4"):
        match_corrections([b, written(tmp_path / "2.json", "b.mp4")], clips)
    with pytest.raises(UsageError, match=r"c\.mp4, which is not among the inputs"):
        match_corrections([written(tmp_path / "3.json", "c.mp4")], clips)
    with pytest.raises(UsageError, match=r"a\.mp4, which is not among the inputs"):
        match_corrections([written(tmp_path / "4.json", "a.mp4")], clips)  # which of the two?
    coco = tmp_path / "coco.json"
    coco.write_text(json.dumps(coco_of(1)), encoding="utf-8")
    with pytest.raises(UsageError, match="does not tell which of 3 clips"):
        match_corrections([coco], clips)
    assert match_corrections([coco], clips[:1]) == {clips[0]: coco}
