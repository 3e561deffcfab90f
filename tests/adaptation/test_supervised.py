"""Learning from corrected frames, and the guard that leaves some of them out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests import sample
from tests.painted import box_of
from tests.recorded import Recorded
from tests.small_models import shipped_at
from ttpose.adaptation.augment import Augmentation
from ttpose.adaptation.correction_settings import CorrectionSettings
from ttpose.adaptation.cross_fit import cross_fit
from ttpose.adaptation.from_corrections import personalize_from_corrections
from ttpose.adaptation.guard.leave_one_out import LeaveOneOut
from ttpose.adaptation.labels import training_labels
from ttpose.adaptation.later_rounds import _trusted
from ttpose.adaptation.losses import Clip
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.adaptation.supervised import adapt_to_corrections
from ttpose.core import geometry
from ttpose.core.skeleton import COCO17
from ttpose.corrections.model import FrameCorrection
from ttpose.inference.crops import cut_crop
from ttpose.inference.settings import SINGLE_VIEW
from ttpose.inference.tta import TTA_VIEWS, predict_tta

STILL = Augmentation(rotation_share=0, scale=(1, 1), shift_sd=0, flip=False, contrast=0, tint=0, brightness=0)
SETTINGS = PersonalizeSettings(
    distillation=1.0,
    self_training=0.0,
    augmentation=STILL,
    refine=SINGLE_VIEW,
    ema=0.5,
    corrections=CorrectionSettings(
        steps=16, corrected_batch=3, distilled_batch=1, folds=2, fold_steps=12, later_rounds=2, later_steps=10
    ),
)
SIZE = 128
SHIFT = np.array([14.0, -10.0])  # about two cells of the heatmap: a person with a convention of their own
FRAMES = (1, 4, 7, 10)


@pytest.fixture(scope="module")
def base():
    return shipped_at(SIZE)


@pytest.fixture(scope="module")
def crops():
    """12 frames of the sample clip."""
    rows = list(zip(sample.images()[:96:8], sample.truth()[:96:8], strict=True))
    return [cut_crop(image, box_of(joints), SIZE, index=i, time_s=i / 4) for i, (image, joints) in enumerate(rows)]


@pytest.fixture(scope="module")
def teacher(base, crops):
    return predict_tta(base, crops, TTA_VIEWS[:2], keep_maps=True)


def _corrections(teacher, crops, shifts):
    """The teacher's own places, moved: what a person with a convention of their own would say."""
    found = {}
    for frame, shift in shifts.items():
        placed = teacher.single_view_keypoints[frame].copy()
        placed[:, :2] += shift
        placed[:, 2] = 2
        found[crops[frame].index] = FrameCorrection(placed)
    return found


@pytest.fixture(scope="module")
def corrections(teacher, crops):
    return _corrections(teacher, crops, dict.fromkeys(FRAMES, SHIFT))


def _off(model, crops, teacher, rows):
    """Mean distance from the shifted places in some frames, pixels."""
    found = predict_tta(model, [crops[row] for row in rows]).keypoints[..., :2]
    return float(np.linalg.norm(found - teacher.single_view_keypoints[rows, :, :2] - SHIFT, axis=-1).mean())


def test_a_few_labels_move_the_keypoints_of_frames_without_any(base, crops, teacher, corrections):
    labels = training_labels(teacher, crops, corrections, COCO17, SETTINGS)
    adapter = adapt_to_corrections(base, labels, SETTINGS, SETTINGS.corrections.steps)
    corrected, other = list(FRAMES), [0, 3, 6, 9]
    learned = adapter.average
    assert _off(learned, crops, teacher, corrected) < 0.6 * _off(base, crops, teacher, corrected)
    assert _off(learned, crops, teacher, other) < 0.8 * _off(base, crops, teacher, other)
    assert {"supervised", "distillation", "total"} <= set(adapter.history[0])


def test_the_early_blocks_stay_as_they_are(base, crops, teacher, corrections):
    labels = training_labels(teacher, crops, corrections, COCO17, SETTINGS)
    adapter = adapt_to_corrections(base, labels, SETTINGS, 1)
    before, after = dict(base.named_parameters()), dict(adapter.model.named_parameters())
    still = {name for name in before if name.startswith(("encoder.trunk.stem.", "encoder.trunk.blocks.5."))}
    assert still
    assert all(torch.equal(before[name], after[name]) for name in still)
    assert any(not torch.equal(before[n], after[n]) for n in before if n.startswith("encoder.trunk.blocks.6."))


def test_the_guard_keeps_what_holds_in_frames_that_were_left_out(base, crops, teacher, corrections):
    labels = training_labels(teacher, crops, corrections, COCO17, SETTINGS)
    fitted = cross_fit(base, labels, SETTINGS)
    measured = fitted.left_out
    assert len(fitted.history) == SETTINGS.corrections.fold_steps
    assert _off(fitted.model, crops, teacher, [0, 3, 6, 9]) < 0.8 * _off(base, crops, teacher, [0, 3, 6, 9])
    assert measured.frames == 4
    assert measured.joints == 4 * 17
    assert measured.mean("base") == pytest.approx(_off(base, crops, teacher, list(FRAMES)), rel=0.05)
    report = measured.decide()
    assert report.decision != "base"
    assert report.leave_one_out["error_px"]["base"] == pytest.approx(measured.mean("base"), abs=1e-3)


def test_the_learned_model_gives_pseudo_labels_for_later_rounds(base, crops, teacher, corrections):
    once = replace(SETTINGS, corrections=replace(SETTINGS.corrections, later_rounds=0))
    told, off = Recorded(), []
    for settings in (once, SETTINGS):
        done = personalize_from_corrections(base, crops, corrections, settings, teacher=teacher.frames(), progress=told)
        off.append([_off(done.model, crops, teacher, rows) for rows in (list(FRAMES), [0, 3, 6, 9])])
    for number in (2, 3):
        assert told.stages[f"learn from all frames (round {number} of 3)"] == [10, 10]
        assert told.stages[f"predict other frames (round {number} of 3)"] == [len(crops), len(crops)]
    assert off[1][0] < off[0][0]
    assert off[1][1] < off[0][1], "other frames follow further"


def test_corrected_joints_and_untrusted_ones_are_no_pseudo_labels(crops, corrections):
    labels = np.ones((len(crops), 17, 3))
    labels[2, 3, 2] = 0.1
    clip = _trusted(Clip(crops, labels, torch.ones(len(crops), 17, 4, 4)), crops, corrections)
    taught = clip.maps.amax((2, 3)).bool().numpy()
    expected = np.ones((len(crops), 17), bool)
    expected[list(FRAMES)], expected[2, 3] = False, False
    assert np.array_equal(taught, expected)


def test_the_guard_keeps_the_base_where_labels_contradict_one_another(base, crops, teacher):
    small = SHIFT / 2  # a twelfth of the torso; beyond a fifth wrong is wrong
    shifts = {1: small, 4: -small, 7: small[::-1], 10: -small[::-1]}
    said = _corrections(teacher, crops, shifts)
    done = personalize_from_corrections(base, crops, said, SETTINGS, teacher=teacher.frames())
    assert done.guard.decision == "base"
    assert done.guard.reason.endswith("kept the base")
    assert done.delta.changes == {}


def test_with_two_corrected_frames_the_label_free_guard_decides(base, crops, teacher):
    said = _corrections(teacher, crops, {1: SHIFT, 7: SHIFT})
    done = personalize_from_corrections(base, crops, said, SETTINGS, teacher=teacher.frames())
    assert done.guard.leave_one_out is None
    assert set(done.guard.checks) == {"base", "interpolated", "personalized"}


def test_swaps_alone_are_no_labels(base, crops, teacher):
    nothing = np.full((17, 3), np.nan)
    said = {crops[3].index: FrameCorrection(nothing, ("legs",), teacher.single_view_keypoints[3, :, :2])}
    settings = replace(SETTINGS, steps=1, guard=False)
    done = personalize_from_corrections(base, crops, said, settings, teacher=teacher.frames())
    assert "supervised" not in done.history[0]


@pytest.mark.parametrize(
    ("half", "whole", "decision"),
    [
        ((-1, -1, -1, -1, -1), (-3, -2, -3, -2, -3), "personalized"),
        ((0, 0, 0, 0, 0), (4, -2, 5, -3, 2), "personalized"),  # five frames that disagree say nothing
        ((-1, 1, -1, 1, -1), (2, 1, 2, 1, 2), "interpolated"),  # every frame is worse
        ((1, 1, 1, 1, 2), (2, 1, 2, 1, 2), "base"),
        ((-1, 1, -1, 1, -1), (30, 0, 0, 0, 0), "interpolated"),  # plainly worse, whoever disagrees
    ],
)
def test_the_change_is_kept_unless_left_out_frames_speak_against_it(half, whole, decision):
    """Changes of the error of 10 px in each of five frames with eight joints."""
    rows = np.repeat(np.arange(5), 8)
    changes = {"base": np.zeros(5), "interpolated": half, "personalized": whole}
    errors = {name: 10.0 + np.asarray(change, float)[rows] for name, change in changes.items()}
    report = LeaveOneOut(5, 40, 90.0, rows, errors).decide()
    assert report.decision == decision
    assert "each predicted by a model that had not seen it: 10.0 px → " in report.reason


def test_labels_are_compared_in_original_pixels(base, crops, teacher, corrections):
    labels = training_labels(teacher, crops, corrections, COCO17, SETTINGS)
    wanted = geometry.apply(crops[4].to_source, labels.corrected.labels[4, :, :2])
    assert wanted == pytest.approx(teacher.single_view_keypoints[4, :, :2] + SHIFT)
