"""MoveNet SinglePose as a plain trainable module: MobileNetV2 trunk, feature pyramid to stride 4, four heads.

Batch norm is folded into the convolutions, so there are no norm statistics to freeze. Structure and weights: MoveNet
SinglePose v4 (Google, Apache-2.0); parameter names are those of the converted safetensors file.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from ttpose.models.mobile_blocks import ConvAct, InvertedResidual, upsample


@dataclass(frozen=True)
class MoveNetOutput:
    """What the trunk and heads give for a batch of crops of side S.

    Attributes:
        p4: Pyramid map [B, 32, S/16, S/16] with the deepest (stride 32) context mixed in.
        p3: [B, 24, S/8, S/8].
        p2: [B, 24, S/4, S/4].
        heatmaps: Keypoint logits [B, 17, S/4, S/4].
        center: Logits [B, 1, S/4, S/4] of a person's middle.
        regress: [B, 34, S/4, S/4], from a person's middle to each keypoint, (y, x) pairs in cells.
        offsets: [B, 34, S/4, S/4], from a cell to the keypoint in it, (y, x) pairs in cells.
    """

    p4: Tensor
    p3: Tensor
    p2: Tensor
    heatmaps: Tensor
    center: Tensor
    regress: Tensor
    offsets: Tensor


class SeparableConv(nn.Module):
    """Depthwise 3×3, then pointwise with ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.dw = ConvAct(inputs, inputs, 3, depthwise=True, bias=False)
        self.pw = ConvAct(inputs, outputs, act="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, inputs, H, W] to [B, outputs, H, W]."""
        return self.pw(self.dw(x))


class Head(nn.Module):
    """Separable convolution to 96 channels, then 1×1 to the outputs."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.sep = SeparableConv(inputs, 96)
        self.out = ConvAct(96, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, inputs, H, W] to [B, outputs, H, W]."""
        return self.out(self.sep(x))


# MobileNetV2's strides, and its channels at width 1.75 (Thunder).
_STRIDES = (1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1)
_CHANNELS = (32, 40, 40, 56, 56, 56, 112, 112, 112, 112, 168, 168, 168, 280, 280, 280, 560)
_STEM = 56


class MoveNetPyramid(nn.Module):
    """Thunder's trunk and pyramid (width 1.75): crops [B, 3, S, S], RGB scaled to -1..1, S a multiple of 32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvAct(3, _STEM, 3, 2, act="relu6")
        blocks, inputs = [], _STEM
        for position, (outputs, stride) in enumerate(zip(_CHANNELS, _STRIDES, strict=True)):
            hidden = inputs if position == 0 else inputs * 6
            blocks.append(InvertedResidual(inputs, outputs, stride, hidden, expand=position > 0))
            inputs = outputs
        self.blocks = nn.ModuleList(blocks)
        self.last = ConvAct(inputs, 1280, act="relu6")
        self.lat5, self.lat4 = ConvAct(1280, 64), ConvAct(_CHANNELS[9], 64)
        self.lat3, self.lat2 = ConvAct(_CHANNELS[5], 32), ConvAct(_CHANNELS[2], 24)
        self.sep4, self.sep3, self.sep2 = SeparableConv(64, 32), SeparableConv(32, 24), SeparableConv(24, 24)

    def backbone(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Maps at strides 4, 8, 16 and 32 of images [B, 3, S, S], -1..1."""
        x, kept = self.stem(images), []
        for position, block in enumerate(self.blocks):
            x = block(x)
            if position in (2, 5, 9):
                kept.append(x)
        return kept[0], kept[1], kept[2], self.last(x)

    def pyramid(self, c2: Tensor, c3: Tensor, c4: Tensor, c5: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Maps p4, p3 and p2 (`MoveNetOutput`) of the trunk's."""
        p4 = self.sep4(upsample(self.lat5(c5)) + self.lat4(c4))
        p3 = self.sep3(upsample(p4) + self.lat3(c3))
        return p4, p3, self.sep2(upsample(p3) + self.lat2(c2))


class MoveNet(MoveNetPyramid):
    """The whole network (trained at 256×256)."""

    def __init__(self) -> None:
        super().__init__()
        self.heatmap, self.center = Head(24, 17), Head(24, 1)
        self.regress, self.offset = Head(24, 34), Head(24, 34)

    def forward(self, images: Tensor) -> MoveNetOutput:
        """Pyramid and heads of images [B, 3, S, S], -1..1."""
        p4, p3, p2 = self.pyramid(*self.backbone(images))
        return MoveNetOutput(p4, p3, p2, self.heatmap(p2), self.center(p2), self.regress(p2), self.offset(p2))
