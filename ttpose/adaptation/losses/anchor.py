"""Anchor: supervised heatmaps stay near the base's, so that another objective cannot trade the pose away."""

from __future__ import annotations

import torch
from torch import Tensor

from ttpose.adaptation.losses import Step

# Mean squared errors of heatmaps are of the order of 1e-4; this brings the term to the order of 1.
_SCALE = 5000.0


class Anchor:
    """Mean squared distance between the model's and the base's supervised heatmaps of the same views."""

    name = "anchor"

    def __init__(self, weight: float) -> None:
        self.weight = weight

    def loss(self, step: Step) -> Tensor:
        """Mean over cells, keypoints and views."""
        with torch.no_grad():
            wanted = step.base(step.images).supervised
        return _SCALE * (step.output.supervised - wanted).square().mean()
