"""The keypoint bottleneck: a heatmap is squeezed to one point and drawn again as a Gaussian.

Jakab et al. 2018 (IMM), as used by TTP (Li et al. 2021, section 3.1).
"""

from __future__ import annotations

import torch
from torch import Tensor

_NOTHING = 1e-8  # below half of a 32-bit float's step at 1, so that peaks are as they were


def expected_positions(heatmaps: Tensor, sharpness: float = 1.0) -> Tensor:
    """One expected position per map: softmax of row sums gives y, softmax of column sums gives x.

    Args:
        heatmaps: [B, J, h, w].
        sharpness: Factor on the sums before the softmax.

    Returns:
        [B, J, 2], (x, y) in heatmap cells, differentiable.
    """
    columns = torch.softmax(sharpness * heatmaps.sum(2), -1)
    rows = torch.softmax(sharpness * heatmaps.sum(3), -1)
    x = (columns * torch.arange(heatmaps.shape[3], device=heatmaps.device, dtype=heatmaps.dtype)).sum(-1)
    y = (rows * torch.arange(heatmaps.shape[2], device=heatmaps.device, dtype=heatmaps.dtype)).sum(-1)
    return torch.stack([x, y], -1)


def draw_gaussians(points: Tensor, size: int | tuple[int, int], sigma: float) -> Tensor:
    """Gaussians exp(-d² / 2σ²) at points, not normalised.

    Args:
        points: [B, J, 2], (x, y) in cells.
        size: Rows and columns of the maps, or the side of square ones.
        sigma: Standard deviation in cells.

    Returns:
        [B, J, h, w], values 0..1.
    """
    height, width = (size, size) if isinstance(size, int) else size
    columns, rows = (torch.arange(cells, device=points.device, dtype=points.dtype) for cells in (width, height))
    x = _bell(columns - points[..., 0, None], sigma)
    y = _bell(rows - points[..., 1, None], sigma)
    return y[..., :, None] * x[..., None, :]


def _bell(distance: Tensor, sigma: float) -> Tensor:
    """exp(-d² / 2σ²), and 0 where it is next to nothing.

    Products of far tails are denormal numbers, with which convolutions take three times as long on a CPU.
    """
    height = torch.exp(-(distance**2) / (2 * sigma**2))
    return height * (height > _NOTHING)
