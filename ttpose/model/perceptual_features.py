"""Which network's features compare images: the mobile model's own frozen trunk, or VGG16 as in the paper."""

from __future__ import annotations

import copy
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from ttpose.model.encoders.mobile import MobileEncoder
from ttpose.model.perceptual import PAPER_MEANS, PerceptualLoss
from ttpose.model.pose_model import PoseModel

# After the stem and after these blocks of MoveNet's trunk: strides 2, 4 and 8.
_TAPS = (0, 3, 6)


class TrunkFeatures(nn.Module):
    """Early maps of a MoveNet trunk, and the image at a quarter of its size, which sees colours over a distance.

    Args:
        encoder: The encoder whose trunk is copied.
    """

    def __init__(self, encoder: MobileEncoder) -> None:
        super().__init__()
        layers = [encoder.trunk.stem, *encoder.trunk.blocks[: _TAPS[-1]]]
        self.layers = nn.ModuleList(copy.deepcopy(layer) for layer in layers)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Maps of normalised images [B, 3, H, W]."""
        maps, x = [F.avg_pool2d(images, 4)], images
        for position, layer in enumerate(self.layers):
            x = layer(x)
            if position in _TAPS:
                maps.append(x)
        return maps


def perceptual_loss(base: PoseModel) -> PerceptualLoss:
    """A fresh perceptual loss for a model; raises WeightsError where it needs VGG16 and has none."""
    if isinstance(base.encoder, MobileEncoder):
        return PerceptualLoss(TrunkFeatures(base.encoder).to(base.device))
    from ttpose.model.vgg import VGG16Features

    # Imported reference models see BGR statistics; their VGG saw the same.
    channels: Literal["rgb", "bgr"] = "bgr" if base.config.mean[0] < base.config.mean[2] else "rgb"
    return PerceptualLoss(VGG16Features.load(channels=channels).to(base.device), PAPER_MEANS)
