"""Supervised: joints that a person placed are learned with full trust, by every output that locates a keypoint.

The heatmap gets a Gaussian at the place, the offset head the place within its cell, and the person anchors (the
coarse regression that tells one person's peaks from another's, and a left limb from a right one) the place itself.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from ttpose.adaptation.losses import Step
from ttpose.adaptation.losses.heatmaps import gaussian_error
from ttpose.adaptation.losses.keypoints import SelfTraining, offset_error

# The height of MoveNet's own sure peaks; a target of 1 would have it grow surer everywhere, which trains nothing else.
_PEAK_HEIGHT = 0.9
# Errors of the offset head and of anchors are in cells, of the order of 0.3 and 2, beside a cross-entropy of the order
# of 0.05: each then adds a fraction of it.
_OFFSET_WEIGHT = 0.02
_ANCHOR_WEIGHT = 0.01


class Supervised(SelfTraining):
    """Cross-entropy to Gaussians at labels, and the error of offsets and anchors; weighted by the labels' trust."""

    name = "supervised"

    def loss(self, step: Step) -> Tensor:
        """Mean over labelled joints."""
        points, trust = self.carried(step)
        maps, encoded = step.output.supervised.float(), step.output.encoded
        error, inside = gaussian_error(maps, points, step.model.config, _PEAK_HEIGHT)
        trust = trust * inside
        if encoded.offsets is not None:
            error = error + _OFFSET_WEIGHT * offset_error(encoded.offsets.float(), points)
        if encoded.anchors is not None:
            away = F.smooth_l1_loss(encoded.anchors.float(), points, reduction="none").sum(-1)
            error = error + _ANCHOR_WEIGHT * away
        return (error * trust).sum() / trust.sum().clamp_min(1)
