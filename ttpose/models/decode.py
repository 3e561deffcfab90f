"""From heatmaps to keypoints."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ttpose.models.dark import dark_decode

# The prior divides a peak by (distance to the regressed keypoint + softness): cells of a 64-cell map. MoveNet's own
# decoding has 1.8; a softer prior keeps more of what the heatmap says (500 held-out stills of LSP-extended: PCK@0.2
# 0.641 at 1.8, 0.653 at 4, 0.657 at 6, 0.660 at 9).
_PRIOR_SOFTNESS = 9.0
_WINDOW = 2  # the peak's neighbourhood is 5×5 cells, on maps of more than 64 rows in proportion more


def decode(
    heatmaps: Tensor, anchors: Tensor | None = None, offsets: Tensor | None = None, *, dark: bool = False
) -> Tensor:
    """Peaks of heatmaps with sub-cell positions.

    With `dark` each map is read as a Gaussian (`ttpose.models.dark`). Else, without anchors, this is the paper's
    decoding: argmax plus a quarter cell towards the larger neighbour. With anchors the peak nearest to the person in
    the crop's middle is taken, and the position is the mean of the local centre of mass and, where given, of the offset
    head.

    Args:
        heatmaps: [B, K, h, w].
        anchors: [B, K, 2] cells (x, y), or None.
        offsets: [B, K, 2, h, w] cells (x, y), or None.
        dark: Which way.

    Returns:
        [B, K, 3]: x, y in cells, and the map's value at the peak.
    """
    maps = heatmaps.float()
    if dark:
        return dark_decode(maps)
    if anchors is None:
        return _quarter_decode(maps)
    height, width = maps.shape[2:]
    ys = torch.arange(height, device=maps.device, dtype=maps.dtype)[:, None]
    xs = torch.arange(width, device=maps.device, dtype=maps.dtype)[None, :]
    distance = torch.hypot(ys - anchors[..., 1, None, None], xs - anchors[..., 0, None, None])
    peak = (maps.clamp_min(0) / (distance + _PRIOR_SOFTNESS * height / 64)).flatten(2).argmax(2)
    cell = torch.stack([peak % width, peak // width], -1).to(maps.dtype)
    score = maps.flatten(2).gather(2, peak[..., None])
    position = _center_of_mass(maps, peak)
    if offsets is not None:
        at_peak = offsets.float().flatten(3).gather(3, peak[:, :, None, None].expand(-1, -1, 2, 1))[..., 0]
        # MoveNet reads its offsets as crop pixel = 4 · (cell + offset), which is this in cells.
        position = (position + cell + at_peak - 0.375) / 2
    return torch.cat([position, score], -1)


def peaks(heatmaps: Tensor, count: int) -> Tensor:
    """The highest local maxima of heatmaps, highest first.

    Args:
        heatmaps: [B, K, h, w].
        count: How many.

    Returns:
        [B, K, count, 3]: x, y in cells by the local centre of mass, and the value; where a map has fewer maxima, the
        others have the value 0.
    """
    maps = heatmaps.float()
    reach = max(maps.shape[2] // 32, 1)
    highest = _highest_within(_highest_within(maps, reach, 2), reach, 3)
    values, cells = torch.where(maps >= highest, maps, 0.0).flatten(2).topk(count, 2)
    places = torch.stack([_center_of_mass(maps, cells[..., i]) for i in range(count)], 2)
    return torch.cat([places, values[..., None]], -1)


def _highest_within(maps: Tensor, reach: int, axis: int) -> Tensor:
    """The highest value up to `reach` cells away along an axis; on a CPU ten times as fast as `max_pool2d`."""
    cells = maps.shape[axis]
    padded = F.pad(maps, (0, 0, reach, reach) if axis == 2 else (reach, reach), value=-torch.inf)
    highest = padded.narrow(axis, 0, cells)
    for step in range(1, 2 * reach + 1):
        highest = torch.maximum(highest, padded.narrow(axis, step, cells))
    return highest


def _center_of_mass(maps: Tensor, peak: Tensor) -> Tensor:
    """Centre of mass [B, K, 2] of the peak's neighbourhood, weak cells left out."""
    height, width = maps.shape[2:]
    reach = max(int(_WINDOW * height) // 64, _WINDOW)  # int: a graph that is exported has a fixed size
    span = torch.arange(-reach, reach + 1, device=maps.device)
    padded = F.pad(maps, (reach,) * 4)
    rows = (peak // width + reach)[..., None, None] + span[:, None]
    columns = (peak % width + reach)[..., None, None] + span[None, :]
    values = (
        padded.flatten(2).gather(2, (rows * padded.shape[3] + columns).flatten(2)).unflatten(2, (span.numel(),) * 2)
    )
    values = values * (values > 0.2 * values[..., reach, reach][..., None, None])
    total = values.sum((2, 3)) + 1e-9
    x = (values * span).sum((2, 3)) / total + peak % width
    y = (values * span[:, None]).sum((2, 3)) / total + peak // width
    return torch.stack([x, y], -1)


def _quarter_decode(maps: Tensor) -> Tensor:
    height, width = maps.shape[2:]
    score, peak = maps.flatten(2).max(2)
    x, y = peak % width, peak // width
    padded = F.pad(maps, (1, 1, 1, 1), mode="replicate").flatten(2)
    at = (y + 1) * (width + 2) + x + 1

    def step(right: int) -> Tensor:
        difference = padded.gather(2, (at + right)[..., None]) - padded.gather(2, (at - right)[..., None])
        return torch.sign(difference[..., 0])

    inside_x, inside_y = (x > 0) & (x < width - 1), (y > 0) & (y < height - 1)
    return torch.stack([x + 0.25 * step(1) * inside_x, y + 0.25 * step(width + 2) * inside_y, score], -1)
