from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.dots import POINTS, DotModel
from ttpose.adaptation.boxed_clip import PersonalizedClip
from ttpose.adaptation.guard.metrics import GuardReport
from ttpose.core.errors import UsageError
from ttpose.core.geometry import Box
from ttpose.core.skeleton import COCO17, PENN13
from ttpose.data.labelled_clip import LabelledClip, LabelledFrame
from ttpose.evaluation import clips as module
from ttpose.evaluation.corrections import corrections_from_labels, evenly_picked, suggested


def _clip(frames: int = 10) -> LabelledClip:
    keypoints = np.concatenate([POINTS, np.full((13, 1), 2.0)], 1)
    keypoints[4, 2] = 0
    box, step = Box(40, 10, 120, 125), np.array([1.0, 0, 0])
    rows = tuple(LabelledFrame(Path(f"{i}.jpg"), keypoints + i * step, box) for i in range(frames))
    return LabelledClip(Path(), "walk", "her", PENN13.keypoints, PENN13.keypoints[:6], "drawn", rows)


@pytest.mark.parametrize(("frames", "count", "picked"), [(48, 5, [5, 14, 24, 33, 42]), (10, 1, [5]), (50, 2, [12, 37])])
def test_evenly_picked_frames_stand_for_equal_parts(frames, count, picked):
    found = evenly_picked(frames, count)
    assert np.abs(np.array(found) - picked).max() <= 1
    assert max(found) < frames


def test_no_frame_left_to_score_is_refused():
    with pytest.raises(UsageError, match="leave none to score"):
        evenly_picked(5, 5)


def test_scored_labelled_joints_that_the_model_has_become_corrections():
    said = corrections_from_labels(_clip(), [2, 7], COCO17)
    assert sorted(said.frames) == [2, 7]
    placed = {COCO17.keypoints[k] for k in np.flatnonzero(said.frames[7].placed)}
    # "head" is no joint of COCO's, and the fifth joint is not labelled.
    assert placed == set(PENN13.keypoints[:6]) - {PENN13.keypoints[4]} - {"head"}
    shoulder = COCO17.index("left_shoulder")
    column = PENN13.keypoints.index("left_shoulder")
    assert said.frames[7].keypoints[shoulder].tolist() == [POINTS[column, 0] + 7, POINTS[column, 1], 2]


def test_suggested_frames_are_those_in_doubt():
    clip = _clip(20)
    found = np.stack([np.concatenate([frame.keypoints[:, :2], np.full((13, 1), 0.9)], 1) for frame in clip.frames])
    found[11, :, 2] = 0.05
    assert 11 in suggested(clip, found, found, PENN13, 2)


def test_corrected_frames_are_not_scored_and_the_rest_is(monkeypatch, tmp_path, dot_model: DotModel):
    """The stand-in for learning is right in corrected frames and off by a torso in every other one."""
    from tests.evaluation.test_evaluate_clips import labels, save

    save(tmp_path / "walk", labels(), labels())
    truth = labels()
    calls = []

    def personalize(model, images, boxes, *, settings, corrections=None, before=None, progress=None):
        calls.append(corrections)
        keypoints = truth.copy()
        if corrections is not None:
            rest = [i for i in range(len(truth)) if i not in corrections.frames]
            keypoints[rest, :, :2] += 100
        return PersonalizedClip(keypoints, truth.copy(), GuardReport("personalized", "", {}), {}, model, before)

    monkeypatch.setattr("ttpose.adaptation.boxed_clip.personalize_crops", personalize)
    report = module.evaluate_clips(tmp_path, weights=dot_model, personalize=True, preset="fast", corrections=2)
    (clip,) = report.clips
    assert calls[0] is None and sorted(calls[1].frames) == list(clip.corrected_frames)
    assert len(clip.corrected_frames) == 2
    assert clip.scores["personalized"]["pck@0.05"] == 1
    assert clip.scores["corrected"]["pck@0.2"] == 0
    told = report.to_dict()
    assert told["mean"]["corrected"]["pck@0.1"] == 0
    assert {"base", "refined", "personalized", "corrected"} <= set(told["clips"][0])
    assert sum(joint.labels for joint in clip.joints) == 13 * (len(truth) - 2)
