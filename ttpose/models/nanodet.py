"""NanoDet-g 416: a small one-stage detector, here with the person class alone.

Architecture after RangiLyu/nanodet (Apache-2.0), model "nanodet-g": a CSP backbone of plain 3×3 convolutions, a path
aggregation neck without weights of its own, and one small head per level. Batch norm is folded into the convolutions.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ttpose.core.errors import WeightsError
from ttpose.models.uninitialised import Uninitialised

#: Distances to the four box edges are distributions over 0..7 cells upstream in the small models, 0..10 in this one.
BINS = 11
STRIDES = (8, 16, 32)
#: Mean and standard deviation that the network was trained with (ImageNet's), in RGB order; upstream says them in BGR.
MEAN = (123.675, 116.28, 103.53)
STD = (58.395, 57.12, 57.375)


class ConvAct(nn.Sequential):
    """3×3 convolution and leaky ReLU; the slope is upstream's."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1) -> None:
        super().__init__(nn.Conv2d(inputs, outputs, 3, stride, padding=1), nn.LeakyReLU(0.1, inplace=True))


class TinyBlock(nn.Module):
    """Two convolutions whose results are stacked: [B, C, h, w] to [B, C, h, w]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduce = ConvAct(channels, channels // 2)
        self.mix = ConvAct(channels // 2, channels // 2)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        x = self.reduce(x)
        return torch.cat([self.mix(x), x], dim=1)


class CSPStage(nn.Module):
    """Cross-stage-partial stage: the input and what the blocks make of it, stacked to twice the channels."""

    def __init__(self, channels: int, *, blocks: int, stride: int) -> None:
        super().__init__()
        self.enter = ConvAct(channels, channels, stride=stride)
        self.blocks = nn.Sequential(*(TinyBlock(channels) for _ in range(blocks)))
        self.leave = ConvAct(channels, channels)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        x = self.enter(x)
        return torch.cat([self.leave(self.blocks(x)), x], dim=1)


class Neck(nn.Module):
    """Path aggregation: coarse context flows to the fine level and back, by resizing and adding."""

    def __init__(self, inputs: tuple[int, ...], channels: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(count, channels, 1) for count in inputs)

    def forward(self, levels: list[Tensor]) -> list[Tensor]:  # noqa: D102
        levels = [lateral(level) for lateral, level in zip(self.lateral, levels, strict=True)]
        for fine in reversed(range(len(levels) - 1)):
            levels[fine] = levels[fine] + _resize_like(levels[fine + 1], levels[fine])
        for coarse in range(1, len(levels)):
            levels[coarse] = levels[coarse] + _resize_like(levels[coarse - 1], levels[coarse])
        return levels


def _resize_like(source: Tensor, target: Tensor) -> Tensor:
    return F.interpolate(source, size=target.shape[-2:], mode="bilinear", align_corners=False)


class Head(nn.Sequential):
    """One level's head: channel 0 is the person logit, then 4 × BINS logits of the edge distances (l, t, r, b)."""

    def __init__(self, channels: int) -> None:
        super().__init__(ConvAct(channels, channels), nn.Conv2d(channels, 1 + 4 * BINS, 1))


class NanoDet(nn.Module):
    """The detector: RGB images in, person scores and boxes of every cell out."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(ConvAct(3, 32, stride=2), nn.MaxPool2d(3, 2, padding=1))
        self.stages = nn.ModuleList(
            [
                CSPStage(32, blocks=1, stride=1),
                CSPStage(64, blocks=2, stride=2),
                CSPStage(128, blocks=2, stride=2),
                CSPStage(256, blocks=3, stride=2),
            ]
        )
        self.neck = Neck((128, 256, 512), 128)
        self.heads = nn.ModuleList(Head(128) for _ in STRIDES)
        self.register_buffer("mean", torch.tensor(MEAN).reshape(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).reshape(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Score every cell and decode its box.

        Args:
            images: uint8 or float [B, H, W, 3], RGB, 0..255; H and W multiples of 32.

        Returns:
            Scores [B, N] in 0..1, and boxes [B, N, 4] as x0, y0, x1, y1 in pixels of the given images.
        """
        return self.decode(self.raw(images))

    @staticmethod
    def decode(levels: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Scores [B, N] and boxes [B, N, 4], as in `forward`, of what `raw` gives."""
        scores, boxes = zip(*(_decode(raw, s) for raw, s in zip(levels, STRIDES, strict=True)), strict=True)
        return torch.cat(scores, dim=1), torch.cat(boxes, dim=1)

    def raw(self, images: Tensor) -> list[Tensor]:
        """The heads' logits [B, 1 + 4 * BINS, H / stride, W / stride] for each stride, from images as in `forward`."""
        x = (images.permute(0, 3, 1, 2).to(self.mean.dtype) - self.mean) / self.std
        x = self.stem(x)
        levels = []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        return [head(level) for head, level in zip(self.heads, self.neck(levels[1:]), strict=True)]


def _decode(raw: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """Logits of one level to scores [B, N] and boxes [B, N, 4]."""
    batch, _, height, width = raw.shape
    scores = raw[:, 0].flatten(1).sigmoid()
    # The expected value of each edge's distribution is its distance from the cell's centre, in cells.
    odds = raw[:, 1:].reshape(batch, 4, BINS, height * width).softmax(dim=2)
    distance = torch.einsum("bekn,k->ben", odds, torch.arange(BINS, dtype=raw.dtype, device=raw.device)) * stride
    # Cell i covers pixels i * stride to (i + 1) * stride - 1; with pixel centres at integers its middle is half a
    # pixel less than upstream's (i + 0.5) * stride.
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    centers = (torch.stack([x, y]).reshape(2, -1).to(raw) + 0.5) * stride - 0.5
    corners = torch.cat([centers - distance[:, :2], centers + distance[:, 2:]], dim=1)
    return scores, corners.transpose(1, 2)


def load_nanodet(path: Path) -> NanoDet:
    """Build the detector from a safetensors file, in float32 on the CPU and ready for inference.

    Raises:
        WeightsError: The file is missing, damaged, or holds another architecture.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"cannot read the person detector's weights {path}: {error}", "reinstall ttpose") from error
    with Uninitialised():
        model = NanoDet()
    try:
        model.load_state_dict({name: value.float() for name, value in weights.items()}, strict=True)
    except RuntimeError as error:
        raise WeightsError(f"{path} does not hold the person detector's weights", "reinstall ttpose") from error
    return model.eval().requires_grad_(False)
