from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ttpose.adaptation.pseudo_labels import distillation_targets, pseudo_labels
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.core import geometry
from ttpose.core.skeleton import COCO17
from ttpose.inference.prediction import TTAPrediction
from ttpose.inference.settings import SINGLE_VIEW
from ttpose.inference.tta import TTA_VIEWS, predict_tta

SETTINGS = PersonalizeSettings(teacher_min_score=0.25)


@pytest.fixture
def seen(walk):
    keypoints, _, crops = walk
    found = keypoints.copy()
    found[..., 2] = 0.8
    nothing, boxes = np.zeros((len(crops), 17)), np.array([crop.source_box.as_list() for crop in crops])
    return TTAPrediction(found, nothing, nothing, found, found[:, :, None], boxes)


def test_labels_are_in_the_cut_outs_pixels(walk, seen):
    keypoints, _, crops = walk
    labels, swapped = pseudo_labels(seen, crops, COCO17, SETTINGS)
    assert not swapped.any()
    for label, crop, true in zip(labels, crops, keypoints, strict=True):
        assert np.allclose(geometry.apply(crop.to_source, label[:, :2]), true[:, :2])
    assert labels[..., 2] == pytest.approx(np.full((30, 17), 0.8))


def test_trust_falls_with_the_views_disagreement_and_low_scores_do_not_teach(walk, seen):
    scores = seen.keypoints.copy()
    scores[:, 1, 2], scores[:, 2, 2] = 0.25, 0.26
    spread = seen.spread.copy()
    spread[:, 4], spread[:, 5] = 0.03, 0.3
    labels, _ = pseudo_labels(replace(seen, keypoints=scores, spread=spread), walk[2], COCO17, SETTINGS)
    assert labels[0, :6, 2] == pytest.approx([0.8, 0.0, 0.26, 0.8, 0.4, 0.8 / 101])


def test_sides_are_settled_where_the_settings_say_so(walk, seen):
    legs = [COCO17.index(f"{s}_{p}") for p in ("hip", "knee", "ankle") for s in ("left", "right")]
    broken = seen.keypoints.copy()
    broken[15, legs] = seen.keypoints[15, np.array(COCO17.flip)[legs]]
    observation = replace(seen, keypoints=broken)
    labels, swapped = pseudo_labels(observation, walk[2], COCO17, SETTINGS)
    assert np.argwhere(swapped).tolist() == [[15, 0]]
    assert np.allclose(geometry.apply(walk[2][15].to_source, labels[15, :, :2]), seen.keypoints[15, :, :2])
    raw, none = pseudo_labels(observation, walk[2], COCO17, replace(SETTINGS, refine=SINGLE_VIEW))
    assert not none.any()
    assert np.allclose(geometry.apply(walk[2][15].to_source, raw[15, :, :2]), broken[15, :, :2])


def test_an_exchanged_point_keeps_its_own_trust(walk, seen):
    left, right = COCO17.index("left_ankle"), COCO17.index("right_ankle")
    legs = [COCO17.index(f"{s}_{p}") for p in ("hip", "knee", "ankle") for s in ("left", "right")]
    broken, spread = seen.keypoints.copy(), seen.spread.copy()
    broken[15, legs] = seen.keypoints[15, np.array(COCO17.flip)[legs]]
    spread[15, left] = 0.3  # nobody knows where the point is that was called the left ankle
    labels, swapped = pseudo_labels(replace(seen, keypoints=broken, spread=spread), walk[2], COCO17, SETTINGS)
    assert swapped[15, 0]
    assert labels[15, right, 2] == pytest.approx(0.8 / 101)
    assert labels[15, left, 2] == pytest.approx(0.8)


def test_what_was_seen_stays_as_it_was(walk, seen):
    before = seen.keypoints.copy()
    pseudo_labels(seen, walk[2], COCO17, SETTINGS)
    assert np.array_equal(seen.keypoints, before)


def test_a_good_model_teaches_the_truth(dots, walk):
    keypoints, _, crops = walk
    labels, _ = pseudo_labels(predict_tta(dots, crops, TTA_VIEWS), crops, COCO17, SETTINGS)
    found = np.stack([geometry.apply(crop.to_source, row[:, :2]) for crop, row in zip(crops, labels, strict=True)])
    assert np.abs(found - keypoints[..., :2]).max() < 3
    assert labels[..., 2].min() > 0.4


def test_maps_of_renamed_limbs_are_empty_and_others_kept_near_the_labels_only(walk, seen):
    keypoints, _, crops = walk
    flip, legs = (
        np.array(COCO17.flip),
        [COCO17.index(f"{s}_{p}") for p in ("hip", "knee", "ankle") for s in ("left", "right")],
    )
    broken = seen.keypoints.copy()
    broken[15, legs] = seen.keypoints[15, flip[legs]]
    maps = torch.ones(30, 17, 48, 48, dtype=torch.float16) * torch.arange(1, 18).view(1, 17, 1, 1) / 20
    observation = replace(seen, keypoints=broken, maps=maps)
    taught = distillation_targets(observation, crops, *pseudo_labels(observation, crops, COCO17, SETTINGS), COCO17)
    peaks = taught.maps.flatten(2).max(2).values
    assert peaks[14].numpy() == pytest.approx(np.arange(1, 18) / 20, abs=0.03)
    assert (peaks[15, legs] == 0).all()
    arms = [i for i in range(17) if i not in legs]
    assert peaks[15, arms].numpy() == pytest.approx((np.array(arms) + 1) / 20, abs=0.03)
    # The window's middle is the keypoint, in cells of the plain view; far away nothing is taught.
    cell = int(taught.maps[3, 9].argmax())
    place = geometry.apply(
        geometry.compose(crops[3].matrix(48), geometry.invert(crops[3].to_source)), keypoints[3, 9:10, :2]
    )
    assert np.abs(place[0] - [cell % 48, cell // 48]).max() < 1
    assert taught.maps[3, 9, 47 - cell // 48, 47 - cell % 48] < 0.3
    assert torch.equal(maps[15, legs[0]], torch.full((48, 48), (legs[0] + 1) / 20, dtype=torch.float16))


def test_without_maps_there_are_labels_only(walk, seen):
    assert distillation_targets(seen, walk[2], *pseudo_labels(seen, walk[2], COCO17, SETTINGS), COCO17).maps is None
