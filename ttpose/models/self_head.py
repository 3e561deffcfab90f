"""Heads that give the self-supervised maps."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ttpose.models.encoders.output import EncoderOutput

# First logit of a map that starts from nothing: low, as a map should be nearly everywhere, and not yet flat.
_LOW = -2.0


class SeededSelfHead(nn.Module):
    """The pretrained keypoint maps, then free ones.

    Map k < K is sigmoid(pretrained logits + residual), where the residual starts at zero, so the first K maps start
    exactly as the pretrained network's heatmaps; the others are a 1×1 convolution of the features.

    Args:
        channels: Channels of the feature map.
        num_self: Number of maps J.
        num_seeds: Number of pretrained maps K.
    """

    def __init__(self, channels: int, num_self: int, num_seeds: int) -> None:
        super().__init__()
        self.num_seeds = num_seeds
        self.maps = nn.Conv2d(channels, num_self, 1)
        with torch.no_grad():
            self.maps.weight[:num_seeds] = 0
            self.maps.bias.fill_(0)  # type: ignore[union-attr]

    def forward(self, encoded: EncoderOutput) -> Tensor:
        """Maps [B, J, h, w], 0..1."""
        maps = self.maps(encoded.features)
        if encoded.seeds is not None:
            maps = torch.cat([encoded.seeds + maps[:, : self.num_seeds], maps[:, self.num_seeds :]], 1)
        return torch.sigmoid(maps)


class PlainSelfHead(nn.Conv2d):
    """The paper's head: one 1×1 convolution."""

    def forward(self, encoded: EncoderOutput) -> Tensor:  # type: ignore[override]
        """Maps [B, J, h, w], unbounded."""
        return super().forward(encoded.features)


class BoundedSelfHead(PlainSelfHead):
    """The paper's head with values of 0..1, so that it can start from a network whose maps are logits.

    Args:
        channels: Channels of the feature map.
        num_self: Number of maps J.
    """

    def __init__(self, channels: int, num_self: int) -> None:
        super().__init__(channels, num_self, 1)
        nn.init.constant_(self.bias, _LOW)  # type: ignore[arg-type]

    def forward(self, encoded: EncoderOutput) -> Tensor:  # type: ignore[override]
        """Maps [B, J, h, w], 0..1."""
        return torch.sigmoid(super().forward(encoded))
