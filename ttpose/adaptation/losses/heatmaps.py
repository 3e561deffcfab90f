"""How heatmaps are compared, cell by cell, with what they should be."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from ttpose.models.bottleneck import draw_gaussians
from ttpose.models.config import ModelConfig

# A heatmap's few cells at the peak weigh as much as its many empty ones: 4,096 cells, about 14 above half height.
_PEAK_WEIGHT = 20.0
_TINY = 1e-4
_CURVATURE = 2.0  # of cross-entropy about ½, so that both ways of comparing have the same size there


def cross_entropy(found: Tensor, wanted: Tensor) -> Tensor:
    """Binary cross-entropy of each cell, in the shape of both maps; `found` is kept off 0 and 1."""
    return F.binary_cross_entropy(off_the_ends(found), wanted, reduction="none")


def divergence(found: Tensor, wanted: Tensor, bounded: bool) -> Tensor:
    """How far each cell is from what it should be, 0 where they are equal, in the shape of both maps.

    Args:
        found: Of the model.
        wanted: 0..1.
        bounded: Whether `found` is 0..1 by construction. Cross-entropy needs that, and stops learning outside; maps of
            a network that was trained by mean squared error are compared by it.
    """
    if bounded:
        wanted = off_the_ends(wanted)
        return cross_entropy(found, wanted) - cross_entropy(wanted, wanted)
    return _CURVATURE * (found - wanted).square()


def peak_weight(wanted: Tensor) -> Tensor:
    """How much each cell counts, given maps of height 0..1."""
    return 1 + _PEAK_WEIGHT * wanted


def gaussian_error(maps: Tensor, points: Tensor, config: ModelConfig, height: float) -> tuple[Tensor, Tensor]:
    """How far heatmaps are from Gaussians at points.

    Args:
        maps: [B, K, h, w] of the model.
        points: [B, K, 2] cells (x, y).
        config: The model's.
        height: Of the Gaussians, 0..1.

    Returns:
        Errors [B, K], means over cells in which the peak counts more, and which points are on the map, bool [B, K].
    """
    rows, columns = maps.shape[2:]
    inside = ((points > -0.5) & (points < points.new_tensor([columns - 0.5, rows - 0.5]))).all(-1)
    drawn = draw_gaussians(points, (rows, columns), config.target_sigma)
    apart = cross_entropy(maps, drawn * height) if config.bounded else divergence(maps, drawn * height, False)
    return (apart * peak_weight(drawn)).mean((2, 3)), inside


def off_the_ends(maps: Tensor) -> Tensor:
    """Maps kept off 0 and 1, where entropies have no end."""
    return maps.clamp(_TINY, 1 - _TINY)
