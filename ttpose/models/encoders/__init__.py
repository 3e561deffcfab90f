"""Image encoders behind one small interface: normalised crops in, `EncoderOutput` out."""

from __future__ import annotations

from typing import Literal

from torch import nn

from ttpose.models.config import ModelConfig


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
