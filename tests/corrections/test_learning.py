"""Real learning from corrections, as the page's button starts it, on a part of the sample clip."""

from __future__ import annotations

import inspect
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import sample
from ttpose import api
from ttpose.cli.correct_learning import learner_for
from ttpose.core.skeleton import COCO17
from ttpose.corrections.page import CorrectPage
from ttpose.corrections.store import CorrectionsFile
from ttpose.media import open_source
from ttpose.results import read_json

WRIST = COCO17.index("left_wrist")


@pytest.mark.skipif(
    "corrections" not in inspect.signature(api.personalize).parameters,
    reason="this version of personalize does not learn from corrections",
)
def test_the_button_learns_and_writes_the_results_anew(tmp_path: Path) -> None:
    clip = sample.write_part(tmp_path / "part.mp4", range(0, 36, 3))
    words = ("personalize", clip, "--no-overlay", "--no-report", *sample.LEAST)
    assert sample.ttpose(*words, cwd=tmp_path).returncode == 0
    folder = tmp_path / "part_ttpose"
    before, source = read_json(folder / "keypoints.json"), open_source(clip)
    file = CorrectionsFile(folder / "corrections.json", before.skeleton, source.info)
    learner, why_not = learner_for(clip, folder, "cpu")
    assert why_not is None
    page = CorrectPage(source, before, file, learner)
    for index in (1, 6, 10):
        true = sample.truth()[3 * index]
        joints = {name: {"x": float(x), "y": float(y)} for name, (x, y, _) in zip(COCO17.keypoints, true, strict=True)}
        page.put(index, {"index": index, "joints": joints})
    page.learn()
    state: dict[str, Any] = {}
    for _ in range(600):
        state = page.learning()
        if state["state"] != "running":
            break
        time.sleep(0.5)
    assert state["state"] == "done", state
    after = read_json(folder / "keypoints.json")
    for index in (1, 6, 10):
        person = after.frames[index].people[0]
        np.testing.assert_allclose(person.keypoints[WRIST, :2], sample.truth()[3 * index, WRIST, :2], atol=0.01)
        assert person.keypoints[WRIST, 2] == 1
    clip_values = page.clip()
    assert clip_values["before"] is not None
    assert clip_values["poses"][6][3 * WRIST : 3 * WRIST + 2] != clip_values["before"][6][3 * WRIST : 3 * WRIST + 2]
    settings = json.loads((folder / "run.json").read_text(encoding="utf-8"))["files"]["keypoints.json"]["settings"]
    assert settings["preset"] == "fast" and settings["steps"] == 2
