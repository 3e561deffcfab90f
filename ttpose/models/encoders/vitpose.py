"""ViTPose (Xu et al. 2022): a plain vision Transformer and a light decoder to heatmaps at stride 4."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ttpose.models.config import ViTConfig
from ttpose.models.encoders.output import EncoderOutput
from ttpose.models.encoders.vit import VisionTransformer

_CLASSIC_WIDTH = 256  # channels of the classic decoder


class SimpleDecoder(nn.Module):
    """ReLU, bilinear upsampling, one 3×3 convolution."""

    def __init__(self, config: ViTConfig, num_keypoints: int) -> None:
        super().__init__()
        self.upsample = config.upsample
        self.last = nn.Conv2d(config.width, num_keypoints, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Heatmaps [B, K, u · h, u · w] of features [B, C, h, w]."""
        x = F.interpolate(F.relu(features), scale_factor=self.upsample, mode="bilinear", align_corners=False)
        return self.last(x)


class ClassicDecoder(nn.Module):
    """Two transposed convolutions (Xiao et al. 2018), one 1×1 convolution."""

    def __init__(self, config: ViTConfig, num_keypoints: int) -> None:
        super().__init__()
        self.up1 = nn.ConvTranspose2d(config.width, _CLASSIC_WIDTH, 4, 2, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(_CLASSIC_WIDTH)
        self.up2 = nn.ConvTranspose2d(_CLASSIC_WIDTH, _CLASSIC_WIDTH, 4, 2, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(_CLASSIC_WIDTH)
        self.last = nn.Conv2d(_CLASSIC_WIDTH, num_keypoints, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Heatmaps [B, K, 4 · h, 4 · w] of features [B, C, h, w]."""
        x = F.relu(self.norm1(self.up1(features)))
        return self.last(F.relu(self.norm2(self.up2(x))))


class ViTPoseEncoder(nn.Module):
    """The whole network as an encoder that brings its own heatmaps.

    Args:
        config: Structure.
        num_keypoints: Number of heatmaps K.
    """

    def __init__(self, config: ViTConfig, num_keypoints: int) -> None:
        super().__init__()
        self.trunk = VisionTransformer(config)
        kind = SimpleDecoder if config.decoder == "simple" else ClassicDecoder
        self.decoder: nn.Module = kind(config, num_keypoints)

    def forward(self, images: Tensor) -> EncoderOutput:
        """The trunk's features and the decoder's heatmaps of normalised crops [B, 3, H, W]."""
        features = self.trunk(images)
        return EncoderOutput(features, heatmaps=self.decoder(features))


class ViTFeatures(nn.Module):
    """The trunk as the encoder of the paper's model: its features brought to stride 4 and to the Transformer's width.

    Args:
        config: Structure.
        width: Channels of the features.
    """

    def __init__(self, config: ViTConfig, width: int) -> None:
        super().__init__()
        self.out_channels = width
        self.trunk = VisionTransformer(config)
        self.narrow = nn.Conv2d(config.width, width, 1)
        self.mix = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        self.scale = config.patch // 4

    def forward(self, images: Tensor) -> EncoderOutput:
        """Features [B, width, S / 4, S / 4] of normalised crops [B, 3, S, S]; S is a multiple of the patch's side."""
        coarse = self.narrow(self.trunk(images))
        fine = F.interpolate(coarse, scale_factor=self.scale, mode="bilinear", align_corners=False)
        return EncoderOutput(self.mix(fine))


def draw_adapters(model: nn.Module, seed: int = 0) -> None:
    """Draw the fixed halves of all adapters anew, so that importing the same weights twice gives the same file."""
    rng = torch.Generator().manual_seed(seed)
    for module in model.modules():
        down = getattr(module, "down", None)
        if isinstance(down, Tensor):
            down.copy_(torch.randn(down.shape, generator=rng) / down.shape[1] ** 0.5)
