from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.evaluation.dots import POINTS, DotModel
from tests.evaluation.test_protocol import make_video, still
from ttpose.adaptation.settings import preset_named
from ttpose.core.errors import InputError, OutputError, UsageError
from ttpose.core.progress import Progress
from ttpose.data.datasets import Video
from ttpose.evaluation.journal import Journal
from ttpose.evaluation.protocol import PROTOCOLS, Method, run_protocol
from ttpose.evaluation.protocol_report import ProtocolReport

SETTINGS = {"seed": 1, "methods": {"online": {"batch": 32}}}


def test_what_was_added_is_there_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "new" / "videos.jsonl", SETTINGS)
    given = journal.add("a", {"score": [1.5, float("nan")], "points": np.arange(3)})
    journal.add("b", {"score": None})
    again = Journal(journal.path, SETTINGS)
    assert (len(again), again.get("a"), again.get("c")) == (2, given, None)
    assert given == {"video": "a", "score": [1.5, None], "points": [0, 1, 2]}


@pytest.mark.parametrize("cut", [1, 5, 12])
def test_a_line_that_a_kill_cut_short_is_dropped(tmp_path: Path, cut: int) -> None:
    journal = Journal(tmp_path / "videos.jsonl", SETTINGS)
    journal.add("a", {"n": 1})
    whole = journal.path.read_bytes()
    journal.add("b", {"n": 2})
    os.truncate(journal.path, len(whole) + cut)
    again = Journal(journal.path, SETTINGS)
    assert (len(again), journal.path.read_bytes()) == (1, whole)
    again.add("b", {"n": 2})
    assert len(Journal(journal.path, SETTINGS)) == 2


def test_a_cut_head_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "videos.jsonl"
    path.write_text('{"schema": "ttpo')
    assert len(Journal(path, SETTINGS)) == 0
    assert len(path.read_text().splitlines()) == 1


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "videos.jsonl"
    Journal(path, SETTINGS)
    with pytest.raises(UsageError, match="another methods online batch: 32, now 8"):
        Journal(path, {**SETTINGS, "methods": {"online": {"batch": 8}}})
    with pytest.raises(UsageError, match="another split: None, now test"):
        Journal(path, {**SETTINGS, "split": "test"})


@pytest.mark.parametrize("line", ["no json", "3", "{}"])
def test_damage_is_said_with_its_line(tmp_path: Path, line: str) -> None:
    journal = Journal(tmp_path / "videos.jsonl", SETTINGS)
    with open(journal.path, "a") as handle:
        handle.write(f'{line}\n{{"video": "a"}}\n')
    with pytest.raises(UsageError, match="damaged in line 2"):
        Journal(journal.path, SETTINGS)


def test_another_files_lines_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "videos.jsonl"
    path.write_text('{"schema": "other/1", "settings": {}}\n')
    with pytest.raises(UsageError, match="no evaluation"):
        Journal(path, SETTINGS)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        Journal(tmp_path / "file" / "videos.jsonl", SETTINGS)


class Died(Exception):
    """As sudden as a kill."""


def personalizer(calls: list[int], dies_at: int | None = None) -> Any:
    """Finds a joint more right with each call, so that a result tells when it was made; dies at a call."""

    def personalize(model: Any, images: Any, boxes: Any, *, settings: Any, progress: Any) -> SimpleNamespace:
        calls.append(len(boxes))
        if len(calls) - 1 == dies_at:
            raise Died
        shift = np.where(np.arange(13)[:, None] < len(boxes), 20, 0)
        keypoints = np.concatenate([POINTS + shift, np.full((13, 1), 1 / 3)], 1)
        guard = SimpleNamespace(decision="personalized", to_dict=dict)
        return SimpleNamespace(keypoints=np.stack([keypoints] * len(boxes)), guard=guard, timings={"a": 0.1})

    return personalize


def run(videos: list[Video], model: DotModel, personalize: Any, path: Path | None, **how: Any) -> ProtocolReport:
    methods = [Method("offline", preset_named("paper"), personalize)]
    return run_protocol(videos, model, PROTOCOLS["penn"], methods, journal=path, **how)


def test_a_run_that_died_goes_on_and_ends_like_one_that_did_not(tmp_path: Path, dot_model: DotModel) -> None:
    videos = [make_video(tmp_path, name, still(frames)) for name, frames in (("a", 1), ("b", 4), ("c", 2))]
    path, calls = tmp_path / "out" / "videos.jsonl", []
    whole = run(videos, dot_model, personalizer(calls), None)
    with pytest.raises(Died):
        run(videos, dot_model, personalizer([], dies_at=2), path)
    with open(path, "ab") as handle:
        handle.write(b'{"video": "c", "sco')  # what a kill leaves
    told: list[str] = []
    calls.clear()
    report = run(videos, dot_model, personalizer(calls), path, progress=_notes(told))
    assert calls == [2]  # the third video only
    assert report.to_dict() == whole.to_dict()
    assert told == ["going on after 2 of 3 videos"]
    calls.clear()
    assert run(videos, dot_model, personalizer(calls), path).to_dict() == whole.to_dict()
    assert calls == []
    with pytest.raises(UsageError, match="another seed: 0, now 5"):
        run(videos, dot_model, personalizer([]), path, seed=5)
    with pytest.raises(UsageError, match="another videos: 3, now 2"):
        run(videos[:2], dot_model, personalizer([]), path)


def test_a_failed_video_is_tried_again(tmp_path: Path, dot_model: DotModel) -> None:
    good, bad = make_video(tmp_path, "good", still(2)), make_video(tmp_path, "bad", still(2))
    whole = bad.frames[1].path.read_bytes()
    bad.frames[1].path.write_bytes(b"no picture")
    path = tmp_path / "videos.jsonl"
    assert list(run([good, bad], dot_model, personalizer([]), path).failed) == ["bad"]
    bad.frames[1].path.write_bytes(whole)
    report = run([good, bad], dot_model, personalizer([]), path)
    assert ([video.video for video in report.videos], report.failed) == (["good", "bad"], {})


def test_predictions_for_oks_are_noted_too(tmp_path: Path, dot_model: DotModel, monkeypatch: Any) -> None:
    from ttpose.evaluation import protocol

    seen: list[Any] = []
    monkeypatch.setattr(protocol, "oks_ap", lambda file, found, names: seen.append(found) or {"AP": 0.5})
    video, path = make_video(tmp_path, "a", still(2)), tmp_path / "videos.jsonl"
    for _ in range(2):
        run([video], dot_model, personalizer([]), path, annotations=tmp_path / "people.json")
    first, again = seen[1], seen[3]
    assert again[0][0] is video
    np.testing.assert_array_equal(first[0][1], again[0][1])
    entry = json.loads(path.read_text().splitlines()[1])
    assert np.shape(entry["found"]["offline"]) == (2, 13, 3)


def test_single_frames_are_left_out_where_pairs_are_needed(tmp_path: Path, dot_model: DotModel) -> None:
    videos = [make_video(tmp_path, "one", still(1)), make_video(tmp_path, "also", still(1))]
    told: list[str] = []
    with pytest.raises(InputError, match="none of the 2 videos") as caught:
        run(videos, dot_model, None, None, progress=_notes(told))
    assert "--mode before" in str(caught.value)
    assert told == ["left out 2 videos of one frame, which cannot be reconstructed from another"]
    report = run_protocol(videos, dot_model, PROTOCOLS["penn"], left_out=["penn: left out 3 frames"])
    assert (len(report.videos), report.to_dict()["left_out"]) == (2, ["penn: left out 3 frames"])


def _notes(told: list[str]) -> Progress:
    progress = Progress()
    progress.note = told.append  # type: ignore[method-assign]
    return progress
