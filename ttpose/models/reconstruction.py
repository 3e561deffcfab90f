"""The paper's reconstruction: a target frame from the appearance of a source frame and the target's keypoints.

Layer sizes follow the TTP paper's Penn Action configuration (after Jakab et al. 2018); module names follow its public
checkpoints.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

_WIDTHS = (1, 2, 4, 8)  # of an encoder's four stages, in widths of the first; the decoder walks them backwards


class StageEncoder(nn.Module):
    """Four stages of two convolutions, down to stride 8: encodes a source image, or a stack of keypoint maps.

    Args:
        in_channels: 3 for an image, the number of maps for keypoints.
        width: Channels of the first stage, 32 in the paper.
    """

    def __init__(self, in_channels: int, width: int = 32) -> None:
        super().__init__()
        first, second, third, fourth = (width * wider for wider in _WIDTHS)
        self.layer1 = nn.Sequential(*_conv(in_channels, first, kernel=7), *_conv(first, first))
        self.layer2 = nn.Sequential(*_conv(first, second, stride=2), *_conv(second, second))
        self.layer3 = nn.Sequential(*_conv(second, third, stride=2), *_conv(third, third))
        self.layer4 = nn.Sequential(*_conv(third, fourth, stride=2), *_conv(fourth, fourth))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B, in_channels, S, S] to [B, 8 · width, S/8, S/8]."""
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


class Decoder(nn.Module):
    """Makes a normalised image [B, 3, S, S] from the two encodings side by side [B, 16 · width, S/8, S/8]."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        fourth, third, second, first = (width * wider for wider in _WIDTHS[::-1])
        self.layer1 = nn.Sequential(*_conv(2 * fourth, fourth), *_conv(fourth, fourth))
        self.layer2 = nn.Sequential(*_conv(fourth, third), *_conv(third, third))
        self.layer3 = nn.Sequential(*_conv(third, second), *_conv(second, second))
        self.layer4 = nn.Sequential(*_conv(second, first), *_conv(first, first), nn.Conv2d(first, 3, 3, padding=1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B, 16 · width, S/8, S/8] to [B, 3, S, S]."""
        for layer in (self.layer1, self.layer2, self.layer3):
            x = F.interpolate(layer(x), scale_factor=2, mode="nearest")
        return self.layer4(x)


class Reconstructor(nn.Module):
    """Conditional image reconstruction: appearance of the source, pose of the target.

    Args:
        num_maps: How many keypoint maps the bottleneck renders, 30 in the paper.
        width: Channels at full size, 32 in the paper.
    """

    def __init__(self, num_maps: int, width: int = 32) -> None:
        super().__init__()
        self.appearance = StageEncoder(3, width)
        self.keypoints = StageEncoder(num_maps, width)
        self.decoder = Decoder(width)

    def forward(self, source: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
        """Reconstruct the target.

        Args:
            source: Normalised images of the same person in another pose, [B, 3, S, S].
            maps: Rendered keypoints of the target at image size, [B, num_maps, S, S].

        Returns:
            Normalised images [B, 3, S, S] in the channel order of `source`.
        """
        return self.decoder(torch.cat([self.appearance(source), self.keypoints(maps)], dim=1))


def _conv(channels: int, out: int, *, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
    """Convolution without bias, batch norm, ReLU."""
    return [
        nn.Conv2d(channels, out, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=True),
    ]
