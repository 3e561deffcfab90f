"""The paper's encoder: a ResNet to stride 32 and three transposed convolutions back to stride 4.

He et al. 2016 for the ResNet, Xiao et al. 2018 (simple baselines) for the upsampling. Parameters carry the names that
torchvision gives them, so that ImageNet weights and published checkpoints map one to one by prefix.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import nn

from ttpose.models.encoders.output import EncoderOutput
from ttpose.models.torch_file import load_exactly, read_state_dict

_STAGES: dict[int, tuple[int, int, int, int]] = {18: (2, 2, 2, 2), 50: (3, 4, 6, 3)}
_WIDTHS = (1, 2, 4, 8)  # of the stages, in widths of the first


class ResNetEncoder(nn.Module):
    """Turns normalised images [B, 3, S, S] into features [B, C, S/4, S/4]; S is a multiple of 32.

    Args:
        depth: 18 or 50 layers.
        width: Channels of the first stage, 64 in He et al. 2016.
        out_channels: Channels C of the features, 256 in Xiao et al. 2018; the width of the Transformer's tokens.
    """

    stride = 4

    def __init__(self, depth: Literal[18, 50], *, width: int = 64, out_channels: int = 256) -> None:
        super().__init__()
        block = _BasicBlock if depth == 18 else _Bottleneck
        self.out_channels = out_channels
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        stages, channels = [], width
        for index, (wider, count) in enumerate(zip(_WIDTHS, _STAGES[depth], strict=True)):
            blocks = [block(channels, width * wider, stride=1 if index == 0 else 2)]
            channels = width * wider * block.expansion
            blocks += [block(channels, width * wider, stride=1) for _ in range(count - 1)]
            stages.append(nn.Sequential(*blocks))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.deconv_layers = nn.Sequential(
            *_upsample(channels, out_channels),
            *_upsample(out_channels, out_channels),
            *_upsample(out_channels, out_channels),
        )
        self._initialise()

    def forward(self, images: torch.Tensor) -> EncoderOutput:
        """Features [B, C, S/4, S/4] of normalised images [B, 3, S, S]."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return EncoderOutput(self.deconv_layers(x))

    def load_imagenet(self, path: Path | str) -> None:
        """Start from torchvision's ImageNet weights of the same depth; the transposed convolutions keep theirs.

        Raises:
            WeightsError: The file is missing, damaged, or of another network.
        """
        found = {name: tensor for name, tensor in read_state_dict(path).items() if not name.startswith("fc.")}
        kept = {name: tensor for name, tensor in self.state_dict().items() if name.startswith("deconv_layers.")}
        load_exactly(self, {**found, **kept}, path)

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.ConvTranspose2d):
                nn.init.normal_(module.weight, std=0.001)  # Xiao et al. 2018


def _upsample(channels: int, out: int) -> list[nn.Module]:
    return [
        nn.ConvTranspose2d(channels, out, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=True),
    ]


def _shortcut(channels: int, out: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and channels == out:
        return None
    return nn.Sequential(nn.Conv2d(channels, out, 1, stride=stride, bias=False), nn.BatchNorm2d(out))


class _BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    expansion = 1

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(channels, width, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class _Bottleneck(nn.Module):
    """1x1, 3x3 (which carries the stride) and 1x1 convolutions, four times wider at the end, and a shortcut."""

    expansion = 4

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, width * self.expansion, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(channels, width * self.expansion, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))
