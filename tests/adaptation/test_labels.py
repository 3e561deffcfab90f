from __future__ import annotations

import numpy as np
import pytest

from tests.observed import observation
from ttpose.adaptation.labels import training_labels
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.core import geometry
from ttpose.core.skeleton import COCO17
from ttpose.corrections.model import FrameCorrection
from ttpose.inference.tta import TTA_VIEWS, predict_tta

SETTINGS = PersonalizeSettings(distillation=1.0, self_training=0.0)
LEGS = [COCO17.index(f"{side}_{part}") for part in ("hip", "knee", "ankle") for side in ("left", "right")]


def _corrections(keypoints: np.ndarray, joints: list[int]) -> FrameCorrection:
    placed = np.full((17, 3), np.nan)
    placed[joints, :2], placed[joints, 2] = keypoints[joints, :2], 2
    return FrameCorrection(placed)


@pytest.fixture
def labels(walk, dots):
    keypoints, _, crops = walk
    teacher = predict_tta(dots, crops, TTA_VIEWS, keep_maps=True)
    corrections = {crops[3].index: _corrections(keypoints[3] + 2.0, [0, 5, 13])}
    return training_labels(teacher, crops, corrections, COCO17, SETTINGS)


def test_corrected_joints_have_full_trust_and_the_others_none(walk, labels):
    keypoints, _, crops = walk
    assert labels.supervised_rows == [3]
    assert np.argwhere(labels.corrected.labels[..., 2] > 0).tolist() == [[3, 0], [3, 5], [3, 13]]
    placed = geometry.apply(crops[3].to_source, labels.corrected.labels[3, [0, 5, 13], :2])
    assert placed == pytest.approx(keypoints[3, [0, 5, 13], :2] + 2.0)


def test_the_teacher_is_silent_about_corrected_joints_only(labels):
    taught = labels.distilled.maps.amax((2, 3)) > 0
    assert np.argwhere(~taught[3].numpy()).ravel().tolist() == [0, 5, 13]
    assert bool(taught[4].all())


def test_leaving_rows_out_takes_their_crops_from_both_parts(labels):
    left = labels.without([3, 5])
    assert left.supervised_rows == []
    assert len(left.corrected.crops) == len(left.distilled.crops) == len(labels.corrected.crops) - 2
    assert left.distilled.maps.shape[0] == len(left.distilled.crops)


def test_corrected_sides_reach_the_pseudo_labels_of_other_frames(walk):
    keypoints, _, crops = walk
    swapped = keypoints.copy()
    swapped[:, LEGS] = keypoints[:, np.array(COCO17.flip)[LEGS]]
    swapped[..., 2] = 0.8
    teacher = observation(swapped)
    teacher.side_odds[:] = 0.8
    without = training_labels(teacher, crops, {}, COCO17, SETTINGS)
    assert np.allclose(_in_source(without, crops)[:, LEGS], swapped[:, LEGS, :2])
    known = training_labels(teacher, crops, {crops[9].index: _corrections(keypoints[9], LEGS)}, COCO17, SETTINGS)
    assert np.allclose(_in_source(known, crops)[:, LEGS], keypoints[:, LEGS, :2])


def _in_source(labels, crops):
    rows = zip(crops, labels.distilled.labels, strict=True)
    return np.stack([geometry.apply(crop.to_source, row[:, :2]) for crop, row in rows])
