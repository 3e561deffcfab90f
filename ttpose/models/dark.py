"""DARK: the sub-cell peak of a heatmap that is read as a Gaussian (Zhang et al. 2020), as ViTPose's authors decode.

The map is smoothed, and one Newton step on its logarithm leads from the highest cell to the Gaussian's middle.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_SIGMA, _REACH = 0.8, 5  # of the smoothing, in cells, and how far it reaches: a kernel of 11 cells
_LEAST, _MOST = 1e-3, 50.0  # values are kept between, before their logarithm
# A step farther than this says that there is no Gaussian: the highest cell is taken instead.
_FARTHEST = 2.0


def dark_decode(maps: Tensor) -> Tensor:
    """Peaks [B, K, 3] of float maps [B, K, h, w]: x, y in cells, and the map's highest value."""
    width = maps.shape[3]
    score, peak = maps.flatten(2).max(2)
    x, y = peak % width, peak // width
    padded = F.pad(_smooth(maps), (1, 1, 1, 1), mode="replicate").clamp(_LEAST, _MOST).log().flatten(2)
    row = width + 2
    at = (y + 1) * row + x + 1

    def near(right: int, down: int) -> Tensor:
        return padded.gather(2, (at + down * row + right)[..., None])[..., 0]

    middle, left, right, up, below = near(0, 0), near(-1, 0), near(1, 0), near(0, -1), near(0, 1)
    dx, dy = (right - left) / 2, (below - up) / 2
    dxx, dyy = right - 2 * middle + left, below - 2 * middle + up
    # The authors' mixed derivative uses two of the four diagonal neighbours.
    dxy = (near(1, 1) - right - below + 2 * middle - left - up + near(-1, -1)) / 2
    determinant = dxx * dyy - dxy * dxy
    safe = torch.where(determinant.abs() > 1e-12, determinant, torch.ones_like(determinant))
    step = torch.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], -1) / safe[..., None]
    believed = (determinant.abs() > 1e-12) & (step.abs().amax(-1) <= _FARTHEST)
    position = torch.stack([x, y], -1).to(maps.dtype) + torch.where(believed[..., None], step, torch.zeros_like(step))
    return torch.cat([position, score[..., None]], -1)


def _smooth(maps: Tensor) -> Tensor:
    """Gaussian smoothing; beyond its edges a map goes on as its mirror image, edge cells included."""
    offsets = torch.arange(-_REACH, _REACH + 1, device=maps.device, dtype=maps.dtype)
    kernel = torch.exp(-(offsets**2) / (2 * _SIGMA**2))
    kernel = kernel / kernel.sum()
    batch, count, height, width = maps.shape
    flat = maps.reshape(batch * count, 1, height, width)
    flat = flat[:, :, _mirrored(height, maps)][..., _mirrored(width, maps)]
    flat = F.conv2d(F.conv2d(flat, kernel.view(1, 1, -1, 1)), kernel.view(1, 1, 1, -1))
    return flat.view(batch, count, height, width)


def _mirrored(cells: int, like: Tensor) -> Tensor:
    """Numbers of the cells that stand at -reach .. cells + reach - 1."""
    line = torch.arange(-_REACH, cells + _REACH, device=like.device)
    line = line % (2 * cells)
    return torch.where(line < cells, line, 2 * cells - 1 - line)
