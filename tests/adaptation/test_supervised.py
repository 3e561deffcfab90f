"""Learning from corrected frames, and the guard that leaves some of them out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ttpose.adaptation.augment import Augmentation
from ttpose.adaptation.correction_settings import CorrectionSettings
from ttpose.adaptation.from_corrections import personalize_from_corrections
from ttpose.adaptation.guard.leave_one_out import LeaveOneOut, leave_one_out
from ttpose.adaptation.labels import training_labels
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.adaptation.supervised import adapt_to_corrections
from ttpose.core import geometry
from ttpose.core.skeleton import COCO17
from ttpose.corrections.model import FrameCorrection
from ttpose.inference.settings import SINGLE_VIEW
from ttpose.inference.tta import TTA_VIEWS, predict_tta

STILL = Augmentation(rotation_share=0, scale=(1, 1), shift_sd=0, flip=False, contrast=0, tint=0, brightness=0)
SETTINGS = PersonalizeSettings(
    distillation=1.0,
    self_training=0.0,
    augmentation=STILL,
    refine=SINGLE_VIEW,
    ema=0.5,
    corrections=CorrectionSettings(steps=30, corrected_batch=3, distilled_batch=1, rate=2e-4, folds=2, fold_steps=25),
)
SHIFT = np.array([8.0, -6.0])  # two cells of the heatmap, in the 160-pixel picture a tenth of the person
FRAMES = (1, 4, 7, 10)


@pytest.fixture(scope="module")
def teacher(tiny, painted_crops):
    return predict_tta(tiny, painted_crops, TTA_VIEWS[:2], keep_maps=True)


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
def corrections(teacher, painted_crops):
    return _corrections(teacher, painted_crops, dict.fromkeys(FRAMES, SHIFT))


def _off(model, crops, teacher, rows):
    """Mean distance from the shifted places in some frames, pixels."""
    found = predict_tta(model, [crops[row] for row in rows]).keypoints[..., :2]
    return float(np.linalg.norm(found - teacher.single_view_keypoints[rows, :, :2] - SHIFT, axis=-1).mean())


def test_a_few_labels_move_the_keypoints_of_frames_without_any(tiny, painted_crops, teacher, corrections):
    labels = training_labels(teacher, painted_crops, corrections, COCO17, SETTINGS)
    adapter = adapt_to_corrections(tiny, labels, SETTINGS, SETTINGS.corrections.steps)
    corrected, other = list(FRAMES), [0, 3, 6, 9]
    learned = adapter.average
    assert _off(learned, painted_crops, teacher, corrected) < 0.7 * _off(tiny, painted_crops, teacher, corrected)
    assert _off(learned, painted_crops, teacher, other) < 0.9 * _off(tiny, painted_crops, teacher, other)
    assert {"supervised", "distillation", "total"} <= set(adapter.history[0])


def test_the_early_blocks_stay_as_they_are(tiny, painted_crops, teacher, corrections):
    labels = training_labels(teacher, painted_crops, corrections, COCO17, SETTINGS)
    adapter = adapt_to_corrections(tiny, labels, SETTINGS, 1)
    before, after = dict(tiny.named_parameters()), dict(adapter.model.named_parameters())
    still = {name for name in before if name.startswith(("encoder.trunk.stem.", "encoder.trunk.blocks.5."))}
    assert still
    assert all(torch.equal(before[name], after[name]) for name in still)
    assert any(not torch.equal(before[n], after[n]) for n in before if n.startswith("encoder.trunk.blocks.6."))


def test_the_guard_keeps_what_holds_in_frames_that_were_left_out(tiny, painted_crops, teacher, corrections):
    labels = training_labels(teacher, painted_crops, corrections, COCO17, SETTINGS)
    measured = leave_one_out(tiny, labels, SETTINGS)
    assert measured.frames == 4
    assert measured.joints == 4 * 17
    assert measured.mean("base") == pytest.approx(_off(tiny, painted_crops, teacher, list(FRAMES)), rel=0.05)
    report = measured.decide()
    assert report.decision != "base"
    assert report.leave_one_out["error_px"]["base"] == pytest.approx(measured.mean("base"), abs=1e-3)


def test_the_guard_keeps_the_base_where_labels_contradict_one_another(tiny, painted_crops, teacher):
    shifts = {1: SHIFT, 4: -SHIFT, 7: SHIFT[::-1], 10: -SHIFT[::-1]}
    said = _corrections(teacher, painted_crops, shifts)
    done = personalize_from_corrections(tiny, painted_crops, said, SETTINGS, teacher=teacher)
    assert done.guard.decision == "base"
    assert done.guard.reason.endswith("kept the base")
    assert done.delta.changes == {}


def test_with_two_corrected_frames_the_label_free_guard_decides(tiny, painted_crops, teacher):
    said = _corrections(teacher, painted_crops, {1: SHIFT, 7: SHIFT})
    done = personalize_from_corrections(tiny, painted_crops, said, SETTINGS, teacher=teacher)
    assert done.guard.leave_one_out is None
    assert set(done.guard.checks) == {"base", "interpolated", "personalized"}


def test_swaps_alone_are_no_labels(tiny, painted_crops, teacher):
    nothing = np.full((17, 3), np.nan)
    said = {painted_crops[3].index: FrameCorrection(nothing, ("legs",), teacher.single_view_keypoints[3, :, :2])}
    settings = replace(SETTINGS, steps=1, guard=False)
    done = personalize_from_corrections(tiny, painted_crops, said, settings, teacher=teacher)
    assert "supervised" not in done.history[0]


@pytest.mark.parametrize(
    ("errors", "decision"),
    [((10.0, 6.0, 4.0), "personalized"), ((10.0, 5.0, 4.95), "interpolated"), ((10.0, 9.9, 12.0), "base")],
)
def test_the_smallest_error_decides_and_less_change_where_it_is_as_good(errors, decision):
    names = ("base", "interpolated", "personalized")
    measured = LeaveOneOut(5, 40, 90.0, {n: np.full(40, e) for n, e in zip(names, errors, strict=True)})
    report = measured.decide()
    assert report.decision == decision
    assert "each predicted by a model that had not seen it: 10.0 px → " in report.reason


def test_labels_are_compared_in_original_pixels(tiny, painted_crops, teacher, corrections):
    labels = training_labels(teacher, painted_crops, corrections, COCO17, SETTINGS)
    wanted = geometry.apply(painted_crops[4].to_source, labels.corrected.labels[4, :, :2])
    assert wanted == pytest.approx(teacher.single_view_keypoints[4, :, :2] + SHIFT)
