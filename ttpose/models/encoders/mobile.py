"""The `mobile` encoder: MoveNet Thunder's trunk and heads, and a thin neck that widens its pyramid."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ttpose.models.encoders.movenet import MoveNet, MoveNetOutput, SeparableConv
from ttpose.models.encoders.output import EncoderOutput

# MoveNet's decoding divides by (distance + 1.8 cells) when it looks for the person in the middle of the crop.
_CENTER_SOFTNESS = 1.8


class MobileEncoder(nn.Module):
    """MoveNet and the feature map F for the Transformer and the free self-supervised maps.

    Args:
        width: Channels of F.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.out_channels = width
        self.trunk = MoveNet()
        self.from_p2, self.from_p3, self.from_p4 = (nn.Conv2d(c, width, 1) for c in (24, 24, 32))
        self.mix = SeparableConv(width, width)

    def forward(self, images: Tensor) -> EncoderOutput:
        """Encode normalised crops [B, 3, S, S]."""
        out: MoveNetOutput = self.trunk(images)
        coarse = _upsample(self.from_p4(out.p4)) + self.from_p3(out.p3)
        features = self.mix(F.relu(_upsample(coarse) + self.from_p2(out.p2)))
        return EncoderOutput(features, out.heatmaps, person_anchors(out), out.offsets.unflatten(1, (-1, 2)).flip(2))


def person_anchors(out: MoveNetOutput) -> Tensor:
    """Regressed keypoints [B, 17, 2], (x, y) in cells, of the person nearest to the middle of the crop."""
    h, w = out.center.shape[2:]
    ys = torch.arange(h, device=out.center.device, dtype=torch.float32)[:, None]
    xs = torch.arange(w, device=out.center.device, dtype=torch.float32)[None, :]
    closeness = 1 / (torch.hypot(ys - h / 2, xs - w / 2) + _CENTER_SOFTNESS)
    peak = (torch.sigmoid(out.center[:, 0].float()) * closeness).flatten(1).argmax(1)
    cell = torch.stack([peak % w, peak // w], -1)
    everywhere = out.regress.float().flatten(2)
    regress = everywhere.gather(2, peak[:, None, None].expand(-1, everywhere.shape[1], 1))[..., 0]
    return regress.unflatten(1, (-1, 2)).flip(2) + cell[:, None]


def _upsample(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
