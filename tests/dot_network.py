"""A network of the user's own kind that finds dots, and so shows whether crops of its shape are cut right."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.painted import GROUPS, dot_color, group_of
from ttpose.core.skeleton import COCO17


class DotNetwork(nn.Module):
    """Finds `painted.paint_dots`; of two dots of one colour the one further to the right is the person's left.

    Args:
        input_size: Height and width.
        corner_cells: Whether the outer cells lie on the outer pixels.
        decoding: "peak" or "dark".
    """

    skeleton = "coco17"
    mean, std = (0.0, 0.0, 0.0), (255.0, 255.0, 255.0)

    def __init__(self, input_size=(128, 96), corner_cells=True, decoding="dark") -> None:
        super().__init__()
        self.input_size, self.corner_cells, self.decoding = input_size, corner_cells, decoding
        self.crop_pad, self.bounded, self.target_sigma = 1.25, False, 1.5
        self.colors = nn.Parameter(torch.tensor([dot_color(g) for g in range(len(GROUPS))]) / 255.0)

    def forward(self, images: Tensor) -> Tensor:
        apart = (images[:, None] - self.colors[None, :, :, None, None]).square().sum(2)
        groups = torch.exp(-apart / (2 * 0.25**2))
        for _ in range(3):  # nearly a Gaussian
            groups = F.avg_pool2d(groups, 7, 1, 3, count_include_pad=False)
        size = images.shape[2] // 4, images.shape[3] // 4
        groups = F.interpolate(groups, size, mode="bilinear", align_corners=self.corner_cells)
        groups = groups / groups.amax((2, 3), keepdim=True).clamp_min(1e-3)
        column = torch.arange(groups.shape[-1]).to(groups)
        mass = groups.detach().sum(2) + 1e-4
        middle = (mass * column).sum(-1, keepdim=True) / mass.sum(-1, keepdim=True)
        right = torch.sigmoid(4 * (column - middle))[:, :, None]
        sides = {"left": right * groups, "right": (1 - right) * groups}
        maps = [sides.get(name.split("_")[0], groups)[:, group_of(name)] for name in COCO17.keypoints]
        return torch.stack(maps, 1)
