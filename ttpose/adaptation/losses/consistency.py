"""Consistency: a turned, scaled or mirrored view must give the turned, scaled or mirrored pose of an average teacher.

Mean teacher (Tarvainen & Valpola 2017) with equivariance to the crop's geometry; no pseudo-labels from the past.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ttpose.adaptation.losses import Clip, Step
from ttpose.adaptation.losses.keypoints import SelfTraining
from ttpose.core import geometry
from ttpose.inference.warps import PLAIN, warped_batch
from ttpose.models.decode import decode

_STRIDE = 4


class Consistency:
    """Self-training whose labels are the average model's present answers to the plain views.

    Args:
        weight: Of the term.
        min_score: Answers with a lower score do not teach.
    """

    name = "consistency"

    def __init__(self, weight: float, min_score: float) -> None:
        self.weight = weight
        self.min_score = min_score

    def loss(self, step: Step) -> Tensor:
        """Cross-entropy to the teacher's keypoints."""
        size = step.model.config.input_size
        images, matrices = warped_batch(step.targets, [PLAIN] * len(step.targets), size)
        with torch.no_grad():
            out = step.average(step.average.normalise(images.to(step.images.device)))
        found = decode(out.supervised, out.encoded.anchors, out.encoded.offsets).double().cpu().numpy()
        found[..., :2] = geometry.heatmap_to_crop(found[..., :2], _STRIDE)
        for row, matrix in zip(found, matrices, strict=True):
            row[:, :2] = geometry.apply(geometry.invert(matrix), row[:, :2])
        found[..., 2] = np.where(found[..., 2] > self.min_score, found[..., 2], 0.0)
        return SelfTraining(Clip(step.targets, found), 1.0).loss(step)
