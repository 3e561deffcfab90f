"""Labels with a trust, from any source: what a person corrected counts fully, the rest is the refined teacher's.

A joint that a person placed in a frame is a supervised label with the trust 1. For every other joint, in that frame and
in the frames around, the teacher's heatmap near its refined place is the distillation target, so that learning a few
labels does not cost what the base knew. Corrected joints also tell the teacher which side is left in their frames, and
over time in the frames around.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ttpose.adaptation.losses import Clip
from ttpose.adaptation.pseudo_labels import distillation_targets, pseudo_labels
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.core import geometry
from ttpose.core.geometry import CropGrid
from ttpose.core.skeleton import Skeleton
from ttpose.corrections.model import NOT_IN_PICTURE, FrameCorrection
from ttpose.inference.crops import PersonCrop
from ttpose.inference.prediction import TTAPrediction
from ttpose.inference.refine.corrected import CorrectedFrames


@dataclass(frozen=True)
class TrainingLabels:
    """What is learned from N crops; both parts have the same crops.

    Attributes:
        corrected: Labels [N, K, 3] in the cut-outs' pixels, with the trust 1 where a person placed a joint, else 0.
        distilled: Pseudo-labels and the teacher's heatmaps; these are empty where a person said something.
    """

    corrected: Clip
    distilled: Clip

    @property
    def supervised_rows(self) -> list[int]:
        """The crops that have corrected joints."""
        return np.flatnonzero((self.corrected.labels[..., 2] > 0).any(1)).tolist()

    def without(self, rows: Sequence[int]) -> TrainingLabels:
        """Without some crops, which are not learned from."""
        left = sorted(set(range(len(self.corrected.crops))) - set(rows))
        return TrainingLabels(self.corrected.part(left), self.distilled.part(left))


def training_labels(
    teacher: TTAPrediction,
    crops: Sequence[PersonCrop],
    corrections: Mapping[int, FrameCorrection],
    skeleton: Skeleton,
    settings: PersonalizeSettings,
    grid: CropGrid | int = 256,
) -> TrainingLabels:
    """Put corrections and pseudo-labels together.

    Args:
        teacher: The base's prediction of the crops by test-time augmentation, with heatmaps.
        crops: N of them, in order of time in each clip.
        corrections: By the crops' numbers.
        skeleton: The keypoint set.
        settings: As for `pseudo_labels`.
        grid: The network's crops, as for `distillation_targets`.
    """
    known = [corrections.get(crop.index) for crop in crops]
    sides = np.full((len(crops), len(skeleton), 2), np.nan)
    labels = np.zeros((len(crops), len(skeleton), 3))
    said = np.zeros((len(crops), len(skeleton)), bool)
    for row, (crop, correction) in enumerate(zip(crops, known, strict=True)):
        if correction is not None:
            sides[row], said[row] = correction.sides, correction.corrected
            labels[row] = _in_cutout(correction, crop)
    pseudo, swapped = pseudo_labels(teacher, crops, skeleton, settings, reference=sides)
    distilled = distillation_targets(teacher, crops, pseudo, swapped, skeleton, grid=grid)
    if distilled.maps is not None:
        distilled.maps[torch.from_numpy(said)] = 0
    return TrainingLabels(Clip(crops, labels), distilled)


def corrected_frames(
    corrections: Mapping[int, FrameCorrection], frames: Sequence[int], joints: int
) -> CorrectedFrames | None:
    """Corrections as the refinement takes them; None where none of the frames is corrected.

    Args:
        corrections: By the frame's number.
        frames: The numbers of N frames, in order.
        joints: K.
    """
    known = [corrections.get(frame) for frame in frames]
    if all(correction is None for correction in known):
        return None
    nowhere, nothing = np.full((joints, 2), np.nan), np.zeros(joints, bool)
    return CorrectedFrames(
        np.stack([nowhere if c is None else np.where(c.placed[:, None], c.keypoints[:, :2], np.nan) for c in known]),
        np.stack([nothing if c is None else c.keypoints[:, 2] == NOT_IN_PICTURE for c in known]),
        np.stack([nowhere if c is None else c.sides for c in known]),
    )


def _in_cutout(correction: FrameCorrection, crop: PersonCrop) -> np.ndarray:
    """Labels [K, 3] in the cut-out's pixels, the trust 1 where a person placed the joint."""
    labels, placed = np.zeros((len(correction.keypoints), 3)), correction.placed
    labels[placed, :2] = geometry.apply(geometry.invert(crop.to_source), correction.keypoints[placed, :2])
    labels[placed, 2] = 1.0
    return labels
