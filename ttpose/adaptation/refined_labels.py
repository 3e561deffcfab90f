"""The refined keypoints of a clip as labels: what test-time augmentation, ensemble, trees and Viterbi say together.

Heatmaps alone do not tell what the refinement found: where it moved a joint to another candidate, or corrected left and
right, the teacher's own map still peaks at the wrong place. So the refined place is the label, with a trust, and the
map is distilled under the corrected names and near that place only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from ttpose.adaptation.losses import Clip
from ttpose.adaptation.pseudo_labels import SPREAD, near
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.core import geometry
from ttpose.core.geometry import CropGrid
from ttpose.core.skeleton import Skeleton, torso_lengths
from ttpose.inference.crops import PersonCrop, by_clip
from ttpose.inference.prediction import TTAPrediction
from ttpose.inference.refine.clip import refine
from ttpose.inference.refine.corrected import CorrectedFrames
from ttpose.inference.refine.left_right import limb_groups

# A label counts half as much where the refinement moved the joint by this much, in torsos: more than test-time
# augmentation and the ensemble disagree as a rule (0.1), less than the way to another candidate that is in doubt.
_MOVED = 0.15


def refined_labels(
    teacher: TTAPrediction,
    crops: Sequence[PersonCrop],
    skeleton: Skeleton,
    settings: PersonalizeSettings,
    grid: CropGrid | int = 256,
    corrected: CorrectedFrames | None = None,
) -> Clip:
    """Labels of crops, and heatmaps where the teacher kept them.

    Args:
        teacher: The base's prediction of the crops by the settings' refinement, before it is refined over time.
        crops: N of them, in order of time in each clip.
        skeleton: The keypoint set.
        settings: `refine` and `teacher_min_score` are used.
        grid: The network's crops, over which the maps lie; a number stands for squares of the usual kind.
        corrected: What a person said of some of the N frames, which the refinement of the others then knows.

    Returns:
        Labels [N, K, 3] in the cut-outs' pixels, the third value the trust 0..1, and maps near them under the names
        that the labels have.
    """
    labels, swapped = np.zeros((len(crops), len(skeleton), 3)), np.zeros((len(crops), 2), bool)
    for part in by_clip(crops):
        one, times = replace(teacher.part(part), maps=None), [crop.time_s for crop in crops[part]]
        said = None if corrected is None else corrected.part(range(part.start, part.stop))
        refined = refine(one, times, skeleton, settings.refine, said)
        labels[part], swapped[part] = refined.keypoints, refined.swapped
        labels[part, :, 2] *= _trust(one, refined.keypoints, _order(refined.swapped, skeleton), skeleton)
        labels[part, :, 2] *= refined.keypoints[..., 2] > settings.teacher_min_score
    for row, crop in zip(labels, crops, strict=True):
        row[:, :2] = geometry.apply(geometry.invert(crop.to_source), row[:, :2])
    return Clip(crops, labels, _maps(teacher, crops, labels, _order(swapped, skeleton), CropGrid.of(grid)))


def _trust(seen: TTAPrediction, refined: np.ndarray, order: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """[N, K] how far refined keypoints can be trusted beside their score, 0..1."""
    rows = np.arange(len(order))[:, None]
    torso = max(float(np.median(torso_lengths(refined, skeleton))), 1e-3)
    moved = np.linalg.norm(refined[..., :2] - seen.keypoints[rows, order, :2], axis=-1) / torso
    return np.asarray(1 / (1 + (seen.spread[rows, order] / SPREAD) ** 2) / (1 + (moved / _MOVED) ** 2))


def _order(swapped: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """[N, K]: for each keypoint the one whose place it takes where limbs were swapped, bool [N, 2]."""
    order = np.tile(np.arange(len(skeleton)), (len(swapped), 1))
    for limb, group in enumerate(limb_groups(skeleton)):
        order[:, group] = np.where(swapped[:, [limb]], np.array(skeleton.flip)[group], group)
    return order


def _maps(
    teacher: TTAPrediction, crops: Sequence[PersonCrop], labels: np.ndarray, order: np.ndarray, grid: CropGrid
) -> torch.Tensor | None:
    """The teacher's maps [N, K, g, g] under the labels' names, near the labels."""
    if teacher.maps is None:
        return None
    maps = torch.stack([own[torch.from_numpy(row)] for own, row in zip(teacher.maps, order, strict=True)])
    for own, label, crop in zip(maps, labels, crops, strict=True):
        own *= near(label, crop, grid.resized(own.shape[-2], own.shape[-1]))
    return maps
