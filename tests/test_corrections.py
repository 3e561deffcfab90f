"""A clip personalized from a corrections file, from the file to the keypoints."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import ttpose
from tests import sample
from ttpose.adaptation.correction_settings import CorrectionSettings
from ttpose.adaptation.settings import PRESETS
from ttpose.core.errors import InputError, UsageError
from ttpose.core.skeleton import COCO17
from ttpose.corrections.model import Corrections, FrameCorrection

LEAST = replace(
    PRESETS["fast"],
    corrections=CorrectionSettings(
        steps=2, corrected_batch=1, distilled_batch=1, folds=2, fold_steps=1, later_rounds=1, later_steps=1
    ),
)
FRAMES = (1, 5, 8)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return sample.write_part(tmp_path_factory.mktemp("clip") / "walk.mp4", range(0, 40, 4))


@pytest.fixture(scope="module")
def corrections():
    """All joints of three frames where they truly are; one is not in the picture."""
    truth, found = sample.truth()[0:40:4], {}
    for frame in FRAMES:
        placed = truth[frame].copy()
        placed[:, 2] = 2
        found[frame] = FrameCorrection(placed)
    found[5].keypoints[3] = np.nan, np.nan, 0
    return Corrections(found)


@pytest.fixture(scope="module")
def made(clip, corrections):
    return ttpose.personalize(clip, corrections=corrections, settings=LEAST, device="cpu")


def test_corrected_frames_come_out_exactly_as_they_were_corrected(made, corrections):
    told = made.keypoints.to_dict()["frames"]
    for frame, correction in corrections.frames.items():
        (person,) = told[frame]["people"]
        assert person["corrected"] == list(range(17))
        for joint, (found, said) in enumerate(zip(person["keypoints"], correction.keypoints, strict=True)):
            if said[2] == 0:
                assert (frame, joint, found[2]) == (5, 3, 0)
            else:
                assert found == [pytest.approx(said[0], abs=0.005), pytest.approx(said[1], abs=0.005), 1.0]
    assert all("corrected" not in told[i]["people"][0] for i in range(10) if i not in FRAMES)


def test_base_and_refined_keypoints_know_nothing_of_corrections(made):
    for result in (made.base_keypoints, made.refined_keypoints):
        assert all(not person.corrected for frame in result.frames for person in frame.people)


def test_the_user_is_told_what_was_measured(made):
    assert made.guard.leave_one_out["frames"] == 3
    assert "on the 3 frames you corrected, each predicted by a model that had not seen it: " in made.guard.reason
    assert made.keypoints.model["guard"]["leave_one_out"]["joints"] == 3 * 17 - 1
    assert made.person.notes["corrected_frames"] == "3"
    assert json.loads(made.person.notes["guard"])["leave_one_out"] == made.guard.leave_one_out


def test_the_person_file_loads_with_its_guard(made, tmp_path):
    from ttpose.adaptation.weights import PersonalizedWeights
    from ttpose.models.device import choose_device
    from ttpose.people.weights import load_base

    made.person.save(tmp_path / "person.safetensors")
    loaded = PersonalizedWeights.load(tmp_path / "person.safetensors", load_base(None, choose_device("cpu")))
    assert loaded.guard.leave_one_out == made.guard.leave_one_out
    assert loaded.guard.decision == made.guard.decision


def test_corrections_of_another_clip_and_online_learning_are_refused(clip, corrections, tmp_path):
    file = tmp_path / "corrections.json"
    file.write_text(json.dumps({
        "schema": "ttpose.corrections/1",
        "clip": {"name": "walk.mp4", "width": 99, "height": 99, "frames": 10, "sha256": None},
        "skeleton": COCO17.name, "frames": [],
    }))  # fmt: skip
    with pytest.raises(InputError, match="99"):
        ttpose.personalize(clip, corrections=file, settings=LEAST, device="cpu")
    with pytest.raises(UsageError, match="learned offline"):
        ttpose.personalize(clip, corrections=corrections, mode="online", device="cpu")
