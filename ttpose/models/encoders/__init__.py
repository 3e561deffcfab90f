"""Image encoders behind one small interface: normalised crops in, `EncoderOutput` out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from ttpose.core.errors import WeightsError
from ttpose.models.config import ModelConfig, ViTConfig


@dataclass(frozen=True)
class EncoderOutput:
    """What an encoder gives for a batch of crops.

    Attributes:
        features: F, [B, C, h, w]; at stride 4 where other heads are to read it.
        seeds: Keypoint logits [B, K, h, w] of a pretrained head, or None.
        anchors: Coarse keypoint positions [B, K, 2] in heatmap cells, (x, y), of the person in the crop's middle, or
            None. They tell that person's peaks from a bystander's.
        offsets: Sub-cell offsets [B, K, 2, h, w], (x, y) in cells, or None.
        heatmaps: The encoder's own supervised heatmaps [B, K, h, w], or None.
    """

    features: Tensor
    seeds: Tensor | None = None
    anchors: Tensor | None = None
    offsets: Tensor | None = None
    heatmaps: Tensor | None = None


def build_encoder(config: ModelConfig, num_keypoints: int) -> nn.Module:
    """The encoder that a configuration names.

    Raises:
        WeightsError: It is a network of the user's own, which only its maker can build.
    """
    if config.encoder == "movenet":
        from ttpose.models.encoders.mobile import MobileEncoder

        return MobileEncoder(config.transformer_width)
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
