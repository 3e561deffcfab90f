"""VGG16 features, the paper's yardstick for reconstructions. The weights are the user's: nothing is downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import nn

from ttpose.core.errors import WeightsError
from ttpose.models.torch_file import load_exactly, read_state_dict

FILE_NAME = "vgg16-397923af.pth"  # torchvision's name for its ImageNet weights
_URL = f"https://download.pytorch.org/models/{FILE_NAME}"
_LAYERS = (64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool", 512, 512, 512, "pool", 512, 512)
_UNUSED = ("classifier.", "features.28.")  # parts of the file that no term needs
_TAPS = (3, 8, 13, 20, 27)  # relu1_2, relu2_2, relu3_2, relu4_2, relu5_2 (TTP paper)


class VGG16Features(nn.Module):
    """Five feature maps of an image, after relu1_2, relu2_2, relu3_2, relu4_2 and relu5_2; frozen."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for layer in _LAYERS:
            if isinstance(layer, int):
                layers += [nn.Conv2d(channels, layer, 3, padding=1), nn.ReLU()]
                channels = layer
            else:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.eval().requires_grad_(False)

    @classmethod
    def load(cls, path: Path | str | None = None, *, channels: Literal["rgb", "bgr"] = "rgb") -> VGG16Features:
        """Read torchvision's VGG16 weights.

        Args:
            path: The .pth file; None looks where torchvision keeps it (torch hub's cache folder).
            channels: "bgr" shows the network blue first, as the paper's public code does.

        Raises:
            WeightsError: The file is missing (says how to get it), damaged, or of another network.
        """
        path = Path(path) if path is not None else Path(torch.hub.get_dir()) / "checkpoints" / FILE_NAME
        if not path.is_file():
            raise WeightsError(
                f"the perceptual loss needs VGG16 weights and there are none at {path}",
                f"download {_URL} to that place, or give the path of the file",
            )
        state = {name: t for name, t in read_state_dict(path).items() if not name.startswith(_UNUSED)}
        model = cls()
        load_exactly(model, state, path)
        if channels == "bgr":
            first = model.state_dict()["features.0.weight"]
            first.copy_(first.flip(1))
        return model

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Features of ImageNet-normalised images [B, 3, H, W]: 64 channels at H, 128 at H/2 ... 512 at H/16."""
        found, x = [], images
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in _TAPS:
                found.append(x)
        return found
