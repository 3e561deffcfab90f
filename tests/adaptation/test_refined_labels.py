from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.observed import observation
from ttpose.adaptation.refined_labels import refined_labels
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.core import geometry
from ttpose.core.skeleton import COCO17
from ttpose.inference.settings import RefineSettings

SETTINGS = PersonalizeSettings(refine=RefineSettings(rescore=False))
LEGS = [COCO17.index(f"{side}_{part}") for part in ("hip", "knee", "ankle") for side in ("left", "right")]


@pytest.fixture
def teacher(walk):
    keypoints = walk[0].copy()
    keypoints[..., 2] = 0.8
    seen = observation(keypoints)
    # Map k is k + 1 everywhere, so that a map tells whose it is.
    maps = torch.arange(1, 18, dtype=torch.float16)[None, :, None, None].expand(len(keypoints), 17, 64, 64).clone()
    return replace(seen, maps=maps)


def _in_source(labels, crops):
    rows = zip(crops, labels, strict=True)
    return np.stack([geometry.apply(crop.to_source, row[:, :2]) for crop, row in rows])


def test_labels_and_maps_have_the_corrected_names(walk, teacher):
    keypoints, _, crops = walk
    flip = np.array(COCO17.flip)
    broken = teacher.keypoints.copy()
    broken[15, LEGS] = teacher.keypoints[15, flip[LEGS]]
    clip = refined_labels(replace(teacher, keypoints=broken), crops, COCO17, SETTINGS)
    assert _in_source(clip.labels, crops) == pytest.approx(keypoints[..., :2])
    whose = clip.maps.float().amax((2, 3)).numpy()
    expected = np.arange(1, 18) * np.ones((30, 1))
    expected[15, LEGS] = flip[LEGS] + 1
    # The window about a label between four cells takes a little off the map's height.
    assert whose == pytest.approx(expected, rel=0.02)


def test_trust_falls_with_the_score_and_with_disagreement(walk, teacher):
    crops = walk[2]
    seen, spread = teacher.keypoints.copy(), np.zeros((30, 17))
    seen[:, 1, 2], seen[:, 2, 2], spread[:, 3] = 0.2, 0.5, 0.03
    clip = refined_labels(replace(teacher, keypoints=seen, spread=spread), crops, COCO17, SETTINGS)
    assert clip.labels[0, :5, 2] == pytest.approx([0.8, 0.0, 0.5, 0.4, 0.8])


def test_the_teacher_stays_as_it_was(walk, teacher):
    before, maps = teacher.keypoints.copy(), teacher.maps.clone()
    refined_labels(teacher, walk[2], COCO17, SETTINGS)
    assert np.array_equal(teacher.keypoints, before)
    assert torch.equal(teacher.maps, maps)
