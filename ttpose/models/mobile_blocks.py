"""Building blocks of MobileNet-like networks, batch norm folded into the convolutions."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class ConvAct(nn.Module):
    """Convolution, then nothing, ReLU or ReLU6; padded as TensorFlow's SAME does, or alike on all edges (`even`)."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        stride: int = 1,
        *,
        depthwise: bool = False,
        act: str | None = None,
        bias: bool = True,
        even: bool = False,
    ) -> None:
        super().__init__()
        self.kernel, self.act, self.pads = kernel, act, stride == 2 and not even
        groups = inputs if depthwise else 1
        padding = 0 if self.pads else kernel // 2
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=padding, groups=groups, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, inputs, H, W] to [B, outputs, ceil(H / stride), ceil(W / stride)]."""
        if self.pads:
            # SAME padding of an even side with stride 2 adds one row below and one column on the right only.
            x = F.pad(x, (*_same_padding(x.shape[3], self.kernel), *_same_padding(x.shape[2], self.kernel)))
        x = self.conv(x)
        # In place, as nothing else needs the convolution's own output: a tenth of the network's time on a CPU.
        if self.act == "relu6":
            return F.relu6(x, inplace=True)
        return F.relu(x, inplace=True) if self.act == "relu" else x


def _same_padding(length: int, kernel: int) -> tuple[int, int]:
    total = max((-(-length // 2) - 1) * 2 + kernel - length, 0)
    return total // 2, total - total // 2


class InvertedResidual(nn.Module):
    """MobileNetV2 block (Sandler et al. 2018): expand, depthwise, project."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        stride: int,
        hidden: int,
        *,
        expand: bool = True,
        kernel: int = 3,
        even: bool = False,
    ) -> None:
        super().__init__()
        self.residual = stride == 1 and inputs == outputs and expand
        self.expand = ConvAct(inputs, hidden, act="relu6") if expand else None
        self.dw = ConvAct(hidden, hidden, kernel, stride, depthwise=True, act="relu6", even=even)
        self.project = ConvAct(hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, inputs, H, W] to [B, outputs, H / stride, W / stride]."""
        y = self.project(self.dw(self.expand(x) if self.expand is not None else x))
        return x + y if self.residual else y


def upsample(x: Tensor) -> Tensor:
    """Map [B, C, H, W] to [B, C, 2 H, 2 W]."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
