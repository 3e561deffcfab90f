"""Image encoders behind one small interface: normalised crops in, `EncoderOutput` out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from ttpose.models.config import ModelConfig


@dataclass(frozen=True)
class EncoderOutput:
    """What an encoder gives for a batch of crops.

    Attributes:
        features: F, [B, C, h, w] at stride 4.
        seeds: Keypoint logits [B, K, h, w] of a pretrained head, or None.
        anchors: Coarse keypoint positions [B, K, 2] in heatmap cells, (x, y), of the person in the crop's middle, or
            None. They tell that person's peaks from a bystander's.
        offsets: Sub-cell offsets [B, K, 2, h, w], (x, y) in cells, or None.
    """

    features: Tensor
    seeds: Tensor | None = None
    anchors: Tensor | None = None
    offsets: Tensor | None = None


def build_encoder(config: ModelConfig) -> nn.Module:
    """The encoder that a configuration names."""
    if config.encoder == "movenet":
        from ttpose.models.encoders.mobile import MobileEncoder

        return MobileEncoder(config.transformer_width)
    if config.encoder == "mobile":
        from ttpose.models.encoders.trunk import TrunkEncoder

        return TrunkEncoder(config.transformer_width)
    from ttpose.models.encoders.resnet import ResNetEncoder

    depth: Literal[18, 50] = 50 if config.encoder == "resnet50" else 18
    return ResNetEncoder(depth, width=config.encoder_width, out_channels=config.transformer_width)
