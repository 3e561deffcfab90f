"""Which network's features compare images: VGG16 as in the paper, the model's own first stages, or none."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from ttpose.core.errors import UsageError, WeightsError
from ttpose.models.encoders.mobile import MobileEncoder
from ttpose.models.encoders.resnet import ResNetEncoder
from ttpose.models.encoders.trunk import TrunkEncoder
from ttpose.models.perceptual import PAPER_MEANS, PerceptualLoss
from ttpose.models.pose_model import PoseModel

#: What `perceptual_loss` takes.
PERCEPTUAL_FORMS = "vgg16, vgg16=PATH, encoder or none"

# After the stem and after these blocks of MoveNet's trunk: strides 2, 4 and 8.
_TAPS = (0, 3, 6)


def perceptual_loss(model: PoseModel, form: str | None = None) -> PerceptualLoss:
    """A fresh measure of reconstructions, on the model's device.

    Args:
        model: Its encoder's features are copied as they are now.
        form: `vgg16` (the paper's; torchvision's weights from torch hub's cache), `vgg16=PATH`, `encoder` (the first
            stages of the model's own encoder) or `none` (pixels only). None stands for `encoder` where that is
            MoveNet, and for `vgg16` where it is a ResNet.

    Raises:
        UsageError: Another form.
        WeightsError: The VGG16 weights are missing (says how to get them) or damaged.
    """
    name, given, path = (form or _own_form(model)).partition("=")
    if name == "vgg16":
        return PerceptualLoss(_vgg16(model, Path(path) if given else None).to(model.device), PAPER_MEANS)
    if given or name not in ("encoder", "none"):
        raise UsageError(f"there is no perceptual loss {form}", f"use {PERCEPTUAL_FORMS}")
    features: nn.Module = _NoFeatures()
    if name == "encoder":
        trunk = isinstance(model.encoder, (MobileEncoder, TrunkEncoder))
        if not trunk and not isinstance(model.encoder, ResNetEncoder):
            raise UsageError(f"the encoder {model.config.encoder} has no first stages that compare images",
                             "use --perceptual vgg16 or none")  # fmt: skip
        features = TrunkFeatures(model.encoder) if trunk else StageFeatures(model.encoder)  # type: ignore[arg-type]
    return PerceptualLoss(features.to(model.device))


class TrunkFeatures(nn.Module):
    """Early maps of a MoveNet trunk, and the image at a quarter of its size, which sees colours over a distance.

    Args:
        encoder: The encoder whose trunk is copied.
    """

    def __init__(self, encoder: MobileEncoder | TrunkEncoder) -> None:
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


class StageFeatures(nn.Module):
    """Maps after the first convolution and the first three stages of a ResNet.

    Args:
        encoder: The encoder whose stages are copied.
    """

    def __init__(self, encoder: ResNetEncoder) -> None:
        super().__init__()
        stem = nn.Sequential(encoder.conv1, encoder.bn1, nn.ReLU())
        parts = (stem, nn.Sequential(encoder.maxpool, encoder.layer1), encoder.layer2, encoder.layer3)
        self.parts = nn.ModuleList(copy.deepcopy(part) for part in parts)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Maps of normalised images [B, 3, H, W]."""
        maps = []
        for part in self.parts:
            images = part(images)
            maps.append(images)
        return maps


class _NoFeatures(nn.Module):
    def forward(self, images: Tensor) -> list[Tensor]:
        return []


def _own_form(model: PoseModel) -> str:
    return "encoder" if isinstance(model.encoder, (MobileEncoder, TrunkEncoder)) else "vgg16"


def _vgg16(model: PoseModel, path: Path | None) -> nn.Module:
    from ttpose.models.vgg import VGG16Features

    # Imported reference models see BGR statistics; their VGG saw the same.
    channels: Literal["rgb", "bgr"] = "bgr" if model.config.mean[0] < model.config.mean[2] else "rgb"
    try:
        return VGG16Features.load(path, channels=channels)
    except WeightsError as error:
        hint = f"{error.hint}; --perceptual encoder or none needs no file" if error.hint else None
        raise WeightsError(error.message, hint) from error
