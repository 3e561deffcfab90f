"""BlazePose's landmark network, the heavy one: another trained eye, whose errors are others than MoveNet's.

Structure and weights: MediaPipe's pose landmark model "heavy" (Google, Apache-2.0; Bazarevsky et al. 2020, Grishchenko
et al. 2022), batch norm folded into the convolutions, without the heads that are not read here (heatmaps, world
coordinates, presence of a person).
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ttpose.core.errors import WeightsError
from ttpose.models.checkpoint import read_tensors
from ttpose.models.mobile_blocks import ConvAct, InvertedResidual, upsample
from ttpose.models.uninitialised import Uninitialised

#: Crops are squares of so many pixels.
BLAZEPOSE_SIZE = 256
#: Landmarks that carry a name of ours, and their numbers among the network's.
LANDMARKS = {
    "nose": 0, "left_eye": 2, "right_eye": 5, "left_ear": 7, "right_ear": 8,
    "left_shoulder": 11, "right_shoulder": 12, "left_elbow": 13, "right_elbow": 14, "left_wrist": 15, "right_wrist": 16,
    "left_hip": 23, "right_hip": 24, "left_knee": 25, "right_knee": 26, "left_ankle": 27, "right_ankle": 28,
    "left_heel": 29, "right_heel": 30, "left_big_toe": 31, "right_big_toe": 32,  # "foot index" there
}  # fmt: skip
# 33 landmarks and 6 points for cropping the next frame; each has x, y, depth, and logits of visibility and presence.
_POINTS, _VALUES = 39, 5


class Separable(nn.Module):
    """Depthwise 3×3, then pointwise."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.dw = ConvAct(inputs, inputs, 3, depthwise=True, act="relu6")
        self.pw = ConvAct(inputs, outputs, act="relu6")

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, inputs, H, W] to [B, outputs, H, W]."""
        return self.pw(self.dw(x))


class Halve(nn.Module):
    """Residual unit to half the side; the short way is pooled, and filled up with empty channels."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.dw = ConvAct(inputs, inputs, 3, 2, depthwise=True, act="relu6")
        self.pw = ConvAct(inputs, outputs)
        self.more = outputs - inputs

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, inputs, H, W] to [B, outputs, H / 2, W / 2]."""
        short = F.pad(F.max_pool2d(x, 2), (0, 0, 0, 0, 0, self.more))
        return F.relu6(short + self.pw(self.dw(x)), inplace=True)


class Keep(nn.Module):
    """Residual unit of the same side."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.dw = ConvAct(channels, channels, 3, depthwise=True, act="relu6")
        self.pw = ConvAct(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, channels, H, W] to the same."""
        return F.relu6(x + self.pw(self.dw(x)), inplace=True)


# Inverted residuals of the trunk: inputs, hidden, outputs, kernel, stride; after which ones maps are kept for later.
_BLOCKS = (
    (24, 96, 32, 3, 2), (32, 128, 32, 3, 1), *[(32, 192, 32, 3, 1)] * 2,
    (32, 192, 56, 5, 2), *[(56, 336, 56, 5, 1)] * 3,
    (56, 336, 112, 3, 2), *[(112, 672, 112, 3, 1)] * 5, (112, 672, 160, 5, 1), *[(160, 960, 160, 5, 1)] * 5,
    (160, 960, 272, 5, 2), *[(272, 1632, 272, 5, 1)] * 7,
)  # fmt: skip
_KEPT = (3, 7, 19)
_DEEPEST = 1632
_PYRAMID = 48


class BlazePose(nn.Module):
    """Crops [B, 3, 256, 256] of one person, RGB 0..1, to landmarks."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvAct(3, 24, 3, 2, act="relu6", even=True)
        self.stem_dw = ConvAct(24, 24, 3, depthwise=True, act="relu6")
        self.stem_pw = ConvAct(24, 24)
        self.blocks = nn.ModuleList(
            InvertedResidual(inputs, outputs, stride, hidden, kernel=kernel, even=True)
            for inputs, hidden, outputs, kernel, stride in _BLOCKS
        )
        self.last = ConvAct(272, _DEEPEST, act="relu6")
        self.last_dw = ConvAct(_DEEPEST, _DEEPEST, 3, depthwise=True, act="relu6")
        self.lateral = nn.ModuleList(Separable(channels, _PYRAMID) for channels in (32, 56, 160, _DEEPEST))
        self.skip = nn.ModuleList(Separable(*pair) for pair in ((56, 96), (160, 192), (_DEEPEST, 288)))
        self.down = nn.ModuleList(
            nn.Sequential(Halve(inputs, outputs), *(Keep(outputs) for _ in range(units)))
            for inputs, outputs, units in ((48, 96, 6), (96, 192, 7), (192, 288, 7), (288, 288, 7), (288, 288, 7))
        )
        self.landmarks = nn.Conv2d(288, _POINTS * _VALUES, 2)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.landmarks.weight.device

    def forward(self, images: Tensor) -> Tensor:
        """Landmarks [B, 39, 5]: x, y and depth in the crop's pixels, logits of visibility and of presence."""
        x, kept = self.stem_pw(self.stem_dw(self.stem(images))), []
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in _KEPT:
                kept.append(x)
        kept.append(self.last_dw(self.last(x)))
        x = self.lateral[3](kept[3])
        for level in (2, 1, 0):
            x = upsample(x) + self.lateral[level](kept[level])
        for level, down in enumerate(self.down):
            x = down(x)
            if level < len(self.skip):
                x = x + self.skip[level](kept[level + 1])
        return self.landmarks(x).view(-1, _POINTS, _VALUES)


def load_blazepose(path: Path) -> BlazePose:
    """The network from a safetensors file, in float32 on the CPU and ready for inference.

    Raises:
        WeightsError: The file is missing, damaged, or holds another network.
    """
    tensors, _ = read_tensors(path)
    with Uninitialised():
        model = BlazePose()
    try:
        model.load_state_dict({name: value.float() for name, value in tensors.items()}, strict=True)
    except RuntimeError as error:
        raise WeightsError(f"{path} does not hold BlazePose's weights", "reinstall ttpose") from error
    return model.to(memory_format=torch.channels_last).eval().requires_grad_(False)  # type: ignore[call-overload]
