"""Image encoders behind one small interface: normalised crops in, `EncoderOutput` out."""

from __future__ import annotations

from typing import Literal

from torch import nn

from ttpose.core.errors import WeightsError
from ttpose.models.config import ModelConfig, ViTConfig


def build_encoder(config: ModelConfig, num_keypoints: int) -> nn.Module:
    """The encoder that a configuration names.

    Raises:
        WeightsError: It is a network of the user's own, which only its maker can build.
    """
    if config.encoder == "movenet":
        from ttpose.models.encoders.mobile import MobileEncoder

        return MobileEncoder(config.transformer_width)
    if config.encoder == "mobile":
        from ttpose.models.encoders.trunk import TrunkEncoder

        return TrunkEncoder(config.transformer_width)
    if config.encoder == "vitpose":
        from ttpose.models.encoders.vitpose import ViTFeatures, ViTPoseEncoder

        vit = config.vit or ViTConfig()
        own_maps = config.pose_head == "encoder"
        return ViTPoseEncoder(vit, num_keypoints) if own_maps else ViTFeatures(vit, config.transformer_width)
    if config.encoder == "own":
        raise WeightsError(
            "the weights are of a network that ttpose does not know", "see docs/bases.md, a network of your own"
        )
    from ttpose.models.encoders.resnet import ResNetEncoder

    depth: Literal[18, 50] = 50 if config.encoder == "resnet50" else 18
    return ResNetEncoder(depth, width=config.encoder_width, out_channels=config.transformer_width)
