"""Heads of the baselines that the TTP paper compares itself with: pose without a Transformer, rotation as a task."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ttpose.core.errors import WeightsError
from ttpose.models.bottleneck import draw_gaussians, expected_positions
from ttpose.models.config import ModelConfig

#: Quarter turns that the rotation task tells apart (Sun et al. 2020, after Gidaris et al. 2018).
QUARTER_TURNS = 4


class SeparateHead(nn.Conv2d):
    """Supervised maps by one 1×1 convolution of the features: the tasks share the encoder and nothing else."""

    def __init__(self, channels: int, num_supervised: int) -> None:
        super().__init__(channels, num_supervised, 1)
        nn.init.normal_(self.weight, std=0.001)  # Xiao et al. 2018
        nn.init.zeros_(self.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor, self_supervised: Tensor) -> Tensor:  # type: ignore[override]
        """Maps [B, K, h, w] of features [B, C, h, w]."""
        return super().forward(features)


class LinearHead(nn.Module):
    """Supervised points as a linear map of the self-supervised ones (Jakab et al. 2018), drawn as Gaussians.

    Args:
        config: Model structure.
        num_supervised: Number of supervised keypoints K.
    """

    def __init__(self, config: ModelConfig, num_supervised: int) -> None:
        super().__init__()
        self.size, self.sharpness, self.sigma = config.heatmap_size, config.bottleneck_sharpness, config.target_sigma
        self.map = nn.Linear(2 * config.num_self, 2 * num_supervised)

    def points(self, self_supervised: Tensor) -> Tensor:
        """Supervised points [B, K, 2], (x, y) in cells; no gradient reaches the self-supervised maps [B, J, h, w]."""
        found = expected_positions(self_supervised.detach().to(self.map.weight.dtype), self.sharpness)
        middle = (self.size - 1) / 2
        shares = (found - middle) / self.size
        with torch.autocast(shares.device.type, enabled=False):  # 16-bit floats would round positions
            return self.map(shares.flatten(1)).unflatten(1, (-1, 2)) * self.size + middle

    def forward(self, features: Tensor, self_supervised: Tensor) -> Tensor:
        """Maps [B, K, h, w], 0..1."""
        return draw_gaussians(self.points(self_supervised), self.size, self.sigma)


class RotationHead(nn.Module):
    """Which quarter turn an image was given, from the mean of its features.

    Args:
        channels: Channels of the feature map.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.classify = nn.Linear(channels, QUARTER_TURNS)

    def forward(self, features: Tensor) -> Tensor:
        """Logits [B, 4] of features [B, C, h, w]."""
        return self.classify(features.mean((2, 3)))


def turned(images: Tensor, turns: Tensor) -> Tensor:
    """Images [B, C, S, S], each turned by its number of quarter turns [B], counter-clockwise."""
    return torch.stack([torch.rot90(image, int(turn), (1, 2)) for image, turn in zip(images, turns, strict=True)])


def build_pose_head(config: ModelConfig, num_supervised: int) -> nn.Module:
    """The head of a configuration that has no Transformer; raises WeightsError for a name that is none."""
    if config.pose_head == "separate":
        return SeparateHead(config.transformer_width, num_supervised)
    if config.pose_head == "linear":
        return LinearHead(config, num_supervised)
    raise WeightsError(f"there is no pose head {config.pose_head}")
