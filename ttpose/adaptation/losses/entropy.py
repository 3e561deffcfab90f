"""Entropy: supervised heatmaps become surer of themselves (Tent, Wang et al. 2021), a baseline.

Tent minimises the entropy of class probabilities. A heatmap is taken as a distribution over its cells: negative values
count nothing, and the rest is divided by its sum.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ttpose.adaptation.losses import Step

_TINY = 1e-6  # an empty map is as unsure as can be


class Entropy:
    """Mean entropy of the supervised heatmaps, in shares of the largest possible one, 0..1.

    Args:
        weight: Of the term.
    """

    name = "entropy"

    def __init__(self, weight: float) -> None:
        self.weight = weight

    def loss(self, step: Step) -> Tensor:
        """Mean over keypoints and views."""
        cells = step.output.supervised.float().flatten(2).clamp_min(0) + _TINY
        shares = cells / cells.sum(-1, keepdim=True)
        entropy = -(shares * torch.log(shares)).sum(-1)
        return entropy.mean() / math.log(cells.shape[-1])
