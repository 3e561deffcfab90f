"""Pseudo-labels: the base's test-time augmentation of the clip, left/right corrected, for the model to learn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ttpose.adaptation.losses import Clip
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.core import geometry
from ttpose.core.geometry import CropGrid
from ttpose.core.progress import Progress
from ttpose.core.skeleton import Skeleton
from ttpose.inference.crops import PersonCrop, by_clip
from ttpose.inference.onnx_ensemble import merge_onnx
from ttpose.inference.prediction import TTAPrediction
from ttpose.inference.refine.left_right import apply_swaps, correct_swaps, limb_groups
from ttpose.inference.tta import TTA_VIEWS, predict_tta
from ttpose.models.engine import compiled
from ttpose.models.pose_model import PoseModel

# A label counts half as much when its views disagree by this share of the crop: 3 % of a crop is about 10 % of the
# person's torso, the finer of the two PCK thresholds.
SPREAD = 0.03
# Standard deviation of the window about a label within which the teacher's map is a target, in shares of the crop's
# side: wider than any peak (0.03), narrower than a torso (about 0.3).
_REACH = 1 / 12


def predict_teacher(
    base: PoseModel, crops: Sequence[PersonCrop], settings: PersonalizeSettings, progress: Progress, *, keep_maps: bool
) -> TTAPrediction:
    """The base's prediction of N crops by the teacher's views, computed by the engine, with heatmaps on request."""
    with progress.stage("predict pseudo-labels", len(crops)) as advance:
        views = TTA_VIEWS[: settings.teacher_views]
        return predict_tta(compiled(base), crops, views, advance, keep_maps=keep_maps)


def distillation_targets(
    seen: TTAPrediction,
    crops: Sequence[PersonCrop],
    labels: np.ndarray,
    swapped: np.ndarray,
    skeleton: Skeleton,
    rows: Sequence[int] | None = None,
    grid: CropGrid | int = 256,
) -> Clip:
    """What losses learn from: pseudo-labels with left/right corrected, and the heatmaps where the teacher kept them.

    The maps of limbs that had to be swapped are emptied, and are no targets: a model that had learned to swap limbs in
    one clip did so wrongly in others more often.

    Args:
        seen: The base's prediction of `crops` by the teacher's views.
        crops: The same frames, in order of time in each clip.
        labels, swapped: Of the same frames, from `pseudo_labels`.
        skeleton: The keypoint set.
        rows: The crops that are learned from, None for all.
        grid: The network's crops, over which the maps lie; a number stands for squares of the usual kind.
    """
    chosen, grid = list(range(len(crops)) if rows is None else rows), CropGrid.of(grid)
    targets, swapped = Clip(crops, labels, seen.maps).part(chosen), swapped[chosen]
    if targets.maps is None:
        return targets
    for limb, group in enumerate(limb_groups(skeleton)):
        swapped_rows = torch.from_numpy(np.flatnonzero(swapped[:, limb]))
        targets.maps[swapped_rows[:, None], torch.tensor(group, dtype=torch.long)] = 0  # a skeleton may lack the limb
    for maps, label, crop in zip(targets.maps, targets.labels, targets.crops, strict=True):
        # One at a time: all windows take much memory.
        maps *= near(label, crop, grid.resized(maps.shape[1], maps.shape[2]))
    return targets


def near(label: np.ndarray, crop: PersonCrop, cells: CropGrid) -> torch.Tensor:
    """Gaussian windows [K, h, w] about labels [K, 3]: a peak elsewhere, on another person, is no target."""
    centers = torch.from_numpy(geometry.apply(crop.matrix(cells), label[:, :2])).float()
    rows, columns = (torch.arange(count, dtype=torch.float32) for count in cells.size)
    down = torch.exp(-((rows - centers[..., 1, None]) ** 2) / (2 * (_REACH * cells.height) ** 2))
    across = torch.exp(-((columns - centers[..., 0, None]) ** 2) / (2 * (_REACH * cells.height) ** 2))
    return (down[..., :, None] * across[..., None, :]).half()


def pseudo_labels(
    seen: TTAPrediction,
    crops: Sequence[PersonCrop],
    skeleton: Skeleton,
    settings: PersonalizeSettings,
    *,
    reference: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Pseudo-labels of crops from the base's prediction.

    Args:
        seen: The base's prediction of `crops` by the teacher's views.
        crops: The same frames, in order of time in each clip.
        skeleton: The keypoint set.
        settings: `teacher_min_score` and `refine.correct_swaps` are used.
        reference: [N, K, 2] original pixels: where left and right are known; NaN elsewhere.

    Returns:
        Labels [N, K, 3] in the cut-outs' pixels, the third value the trust 0..1, and which limbs were swapped, bool
        [N, 2] (legs, arms).
    """
    swapped = np.zeros((len(crops), 2), bool)
    if settings.refine.correct_swaps:
        times = np.array([crop.time_s for crop in crops])
        for part in by_clip(crops):
            known = None if reference is None else reference[part]
            found, odds = seen.keypoints[part], seen.side_odds[part]
            _, swapped[part] = correct_swaps(found, odds, times[part], skeleton, reference=known)
    corrected = apply_swaps(seen, swapped, skeleton)
    labels = corrected.keypoints.copy()
    if corrected.ensemble_onnx is not None:
        labels = merge_onnx(labels, corrected.ensemble_onnx, skeleton)
    trust = labels[..., 2] / (1 + (corrected.spread / SPREAD) ** 2)
    labels[..., 2] = np.where(labels[..., 2] > settings.teacher_min_score, trust, 0.0)
    for row, crop in zip(labels, crops, strict=True):
        row[:, :2] = geometry.apply(geometry.invert(crop.to_source), row[:, :2])
    return labels, swapped
