"""The paper's encoder for small machines: MoveNet's pretrained trunk in the place of an ImageNet ResNet.

It gives features and nothing else: no pretrained keypoint maps, anchors or offsets reach the heads, which are the
paper's. What was learned about people in the trunk is where ImageNet weights are in the paper.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from ttpose.models.encoders.movenet import MoveNetPyramid, SeparableConv
from ttpose.models.encoders.output import EncoderOutput

_HEAD = "heatmap.sep."


class TrunkEncoder(nn.Module):
    """MoveNet's trunk and pyramid to features [B, C, S/4, S/4] of normalised crops [B, 3, S, S], S a multiple of 32.

    Args:
        width: Channels C.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.out_channels = width
        self.trunk = MoveNetPyramid()
        self.mix = SeparableConv(24, width)
        # The pyramid carries all that is deep through 32 channels; these let more of it through.
        self.deep, self.middle = nn.Conv2d(1280, width, 1), nn.Conv2d(56, width, 1)
        for more in (self.deep, self.middle):  # nothing at first, so that the features start as what was pretrained
            nn.init.zeros_(more.weight)
            nn.init.zeros_(more.bias)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> EncoderOutput:
        """Encode normalised crops."""
        _, c3, _, c5 = stages = self.trunk.backbone(images)
        _, _, p2 = self.trunk.pyramid(*stages)
        context = _enlarged(self.deep(c5), 4) + self.middle(c3)
        return EncoderOutput(self.mix(p2) + _enlarged(context, 2))

    def load_movenet(self, tensors: dict[str, Tensor]) -> None:
        """Start from MoveNet's weights by their own names; `mix` starts as its heatmap head's first half if it fits."""
        self.trunk.load_state_dict({name: tensors[name] for name in self.trunk.state_dict()})
        head = {name.removeprefix(_HEAD): value for name, value in tensors.items() if name.startswith(_HEAD)}
        if head["pw.conv.bias"].shape == self.mix.pw.conv.bias.shape:  # type: ignore[union-attr]
            self.mix.load_state_dict(head)


def _enlarged(x: Tensor, factor: int) -> Tensor:
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
