"""A network of one's own as a base: a U-shaped network of a few layers, personalized on a clip.

python own_network.py clip.mp4 weights.pth
"""

import sys

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ttpose.models.base import as_base


class SmallNetwork(nn.Module):
    """Four strided convolutions, and a way back to a quarter of the crop's size."""

    skeleton = "coco17"
    input_size = (128, 96)
    mean, std = (127.5, 127.5, 127.5), (127.5, 127.5, 127.5)
    bounded = True  # a sigmoid ends it

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(nn.Conv2d(i, o, 3, 2, 1) for i, o in ((3, 16), (16, 32), (32, 64), (64, 64)))
        self.up = nn.Conv2d(64 + 32, 32, 3, padding=1)
        self.maps = nn.Conv2d(32, 17, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Heatmaps [B, 17, 32, 24] of normalised crops [B, 3, 128, 96]."""
        stages = [images]
        for layer in self.down:
            stages.append(F.relu(layer(stages[-1])))
        coarse = F.interpolate(stages[-1], scale_factor=4.0, mode="bilinear")
        return torch.sigmoid(self.maps(F.relu(self.up(torch.cat([coarse, stages[2]], 1)))))


if __name__ == "__main__":
    from ttpose import api

    network = SmallNetwork()
    network.load_state_dict(torch.load(sys.argv[2], weights_only=True))
    made = api.personalize(sys.argv[1], base=as_base(network, "small"))
    made.person.save("person.safetensors")
