"""A network of one's own as a base: any torch module that turns crops of a person into heatmaps.

    class MyNetwork(nn.Module):
        skeleton = "coco17"            # a keypoint set of ttpose.core.skeleton
        input_size = (256, 192)        # height and width of its crops
        mean, std = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)   # of RGB 0..255

        def forward(self, images):     # float [B, 3, 256, 192], normalised
            return ...                 # heatmaps [B, 17, 64, 48]

    base = as_base(MyNetwork())
    result = ttpose.api.personalize("clip.mp4", base=base)

See docs/bases.md, which also tells how a package makes its network known to the commands.
"""

from __future__ import annotations

import hashlib
from importlib.metadata import entry_points
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from ttpose.core.errors import UsageError, WeightsError
from ttpose.core.skeleton import skeleton_named
from ttpose.models.config import ModelConfig
from ttpose.models.pose_model import PoseModel

#: Entry points of this group make networks known by name: functions without arguments that return one.
NETWORKS = "ttpose.networks"


@runtime_checkable
class HeatmapNetwork(Protocol):
    """What a network needs to be a base; it is a `torch.nn.Module` besides.

    Attributes:
        skeleton: Name of its keypoint set, whose order its heatmaps have.
        input_size: Height and width of its crops in pixels.
        mean, std: Normalisation of RGB values 0..255, a number for each channel.

    It may also say how it was trained, by the names of `ModelConfig`'s attributes `crop_pad`, `corner_cells`,
    `decoding`, `bounded` and `target_sigma`; else the defaults there count.
    """

    skeleton: str
    input_size: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __call__(self, images: Tensor) -> Tensor:
        """Heatmaps [B, K, H / s, W / s] of normalised RGB crops [B, 3, H, W]; s is the same for both sides."""


_OPTIONAL = ("crop_pad", "corner_cells", "decoding", "bounded", "target_sigma")


def as_base(network: nn.Module, name: str = "own") -> PoseModel:
    """A base of a network.

    Args:
        network: A `HeatmapNetwork`; it is used as it is, in evaluation mode, where it is.
        name: What the base is called; the name of its entry point, if it is to be saved and loaded.

    Raises:
        UsageError: It lacks an attribute, or its heatmaps do not fit its description.
    """
    missing = [key for key in ("skeleton", "input_size", "mean", "std") if not hasattr(network, key)]
    if missing:
        raise UsageError(
            f"{type(network).__name__} lacks {', '.join(missing)}", "see ttpose.models.base.HeatmapNetwork"
        )
    try:
        joints = len(skeleton_named(network.skeleton))  # type: ignore[arg-type]
    except KeyError:
        raise UsageError(f"there is no keypoint set {network.skeleton!r}", "see ttpose.core.skeleton") from None
    height, width = network.input_size  # type: ignore[misc]
    config = ModelConfig(
        preset=name,
        encoder="own",
        skeleton=str(network.skeleton),
        input_size=height,
        input_width=width,
        num_self=joints,
        mean=tuple(network.mean),  # type: ignore[arg-type]
        std=tuple(network.std),  # type: ignore[arg-type]
        pose_head="encoder",
        self_task="none",
        stride=_stride(network, joints, height, width),
        **{key: getattr(network, key) for key in _OPTIONAL if hasattr(network, key)},
    )
    model = PoseModel(config, network)
    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    return model.to(device).eval()


def _stride(network: nn.Module, joints: int, height: int, width: int) -> int:
    """Pixels a cell, as a forward of an empty crop shows."""
    network.eval()
    like = next(network.parameters(), torch.zeros(1))
    with torch.inference_mode():
        maps = network(torch.zeros(1, 3, height, width, device=like.device, dtype=like.dtype))
    if not isinstance(maps, Tensor) or maps.ndim != 4 or maps.shape[1] != joints:
        found = list(maps.shape) if isinstance(maps, Tensor) else type(maps).__name__
        raise UsageError(f"{type(network).__name__} gives {found}", f"heatmaps [B, {joints}, h, w] are needed")
    stride = height // maps.shape[2]
    if (stride * maps.shape[2], stride * maps.shape[3]) != (height, width):
        raise UsageError(f"heatmaps of {list(maps.shape[2:])} do not divide crops of {[height, width]}")
    return stride


def known_network(name: str) -> nn.Module:
    """The network that an installed package offers under a name; raises WeightsError where none does."""
    for entry in entry_points(group=NETWORKS, name=name):
        network: Any = entry.load()()
        return network
    raise WeightsError(
        f"no installed package offers the network {name!r}",
        f"install the one with the entry point {name} of {NETWORKS}",
    )


def fingerprint(model: PoseModel) -> str:
    """SHA-256 of a model's description and weights, in the place of a file's."""
    digest = hashlib.sha256(model.config.to_json().encode())
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode() + value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
