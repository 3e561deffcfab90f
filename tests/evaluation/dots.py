"""Frames of a person of coloured squares, and a model that finds them: what a test draws wrong is found wrong."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor, nn

from ttpose.core.skeleton import PENN13, Skeleton
from ttpose.models.config import ModelConfig
from ttpose.models.pose_model import PoseModel

WIDTH, HEIGHT, DOT = 200, 160, 5

# Where the thirteen Penn Action joints are: a person of 112 px with a torso of 50 px.
POINTS = np.array(
    [
        (100, 16), (115, 36), (85, 36), (135, 52), (65, 52), (150, 72), (50, 72),
        (112, 86), (88, 86), (118, 106), (82, 106), (122, 128), (78, 128),
    ],
    float,
)  # fmt: skip


def colours(count: int = 13) -> np.ndarray:
    """Distinct colours [count, 3], none of them near black."""
    levels = np.array([[r, g, b] for r in (0, 120, 255) for g in (0, 120, 255) for b in (0, 120, 255)])
    return levels[1 : 1 + count].astype(np.uint8)


def draw(points: np.ndarray) -> np.ndarray:
    """A frame, RGB uint8, with a square in joint k's colour at points[k]."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for (x, y), colour in zip(np.rint(points[:, :2]).astype(int), colours(len(points)), strict=True):
        image[max(y - DOT, 0) : y + DOT + 1, max(x - DOT, 0) : x + DOT + 1] = colour
    return image


class DotModel(PoseModel):
    """Finds joint k where the crop has joint k's colour: a pose model whose errors a test can draw."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.config = ModelConfig(input_size=256, skeleton="penn13")
        self.register_buffer("mean", torch.zeros(1, 3, 1, 1))
        self.register_buffer("std", torch.ones(1, 3, 1, 1))
        self.register_buffer("wanted", torch.from_numpy(colours()).float())

    @property
    def skeleton(self) -> Skeleton:
        return PENN13

    def forward(self, images: Tensor) -> SimpleNamespace:  # type: ignore[override]
        small = torch.nn.functional.avg_pool2d(images, 4)
        gap = (small[:, None] - self.wanted[None, :, :, None, None]).square().sum(2)
        # Averaging the matches over a square's size puts the peak into its middle.
        maps = torch.nn.functional.avg_pool2d(torch.exp(-gap / 2000), 5, 1, 2, count_include_pad=True)
        return SimpleNamespace(supervised=maps, encoded=SimpleNamespace(anchors=None, offsets=None))
