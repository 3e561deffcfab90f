from __future__ import annotations

import json
from pathlib import Path

import pytest

from ttpose.cli.corrections_files import corrections_by_source
from ttpose.core.errors import UsageError

CLIPS = [Path("a/run.mp4"), Path("b/jump.mp4")]


def _file(folder: Path, name: str, clip: str | None) -> Path:
    content = {"schema": "ttpose.corrections/1", "clip": {"name": clip}} if clip else {"images": [], "annotations": []}
    (folder / name).write_text(json.dumps(content))
    return folder / name


def test_one_input_takes_its_file_whatever_it_names(tmp_path):
    file = _file(tmp_path, "c.json", "renamed.mp4")
    assert corrections_by_source([file], CLIPS[:1]) == {"a/run.mp4": str(file)}


def test_several_inputs_are_told_apart_by_the_clips_name(tmp_path):
    jump, run = _file(tmp_path, "1.json", "jump.mp4"), _file(tmp_path, "2.json", "run.mp4")
    assert corrections_by_source([jump, run], CLIPS) == {"b/jump.mp4": str(jump), "a/run.mp4": str(run)}


@pytest.mark.parametrize(
    ("clips", "words"),
    [(["swim.mp4"], "is about swim.mp4, which is none"), ([None], "does not name"), (["run.mp4"] * 2, "both about")],
)
def test_a_file_that_belongs_to_no_input_is_refused(tmp_path, clips, words):
    files = [_file(tmp_path, f"{i}.json", clip) for i, clip in enumerate(clips)]
    with pytest.raises(UsageError, match=words):
        corrections_by_source(files, CLIPS)
