"""Models small enough for tests: a random one of the paper's kind, the shipped one at a small size, one for dots."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.painted import GROUPS, dot_color, group_of
from ttpose.core.skeleton import COCO17
from ttpose.models.checkpoint import load_model
from ttpose.models.config import ModelConfig, mobile_config
from ttpose.models.encoders.output import EncoderOutput
from ttpose.models.pose_model import PoseModel, PoseOutput
from ttpose.models.store import model_path


def small_config(**changes) -> ModelConfig:
    """A thin ResNet-18 at 64 px with 7 keypoints and 9 maps."""
    config = ModelConfig(
        preset="small",
        encoder="resnet18",
        skeleton="bbc7",
        input_size=64,
        num_self=9,
        transformer_width=16,
        transformer_heads=2,
        transformer_hidden=32,
        encoder_width=8,
        reconstruction_width=4,
        reconstruction_size=32,
    )
    return replace(config, **changes)


def small_model(seed: int = 0, **changes) -> PoseModel:
    """A random model of `small_config`, in evaluation mode, whose norm statistics are not the neutral ones."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = PoseModel(small_config(**changes))
        for name, buffer in model.named_buffers():
            if name.endswith("running_var"):
                buffer.uniform_(0.5, 1.5)
            elif name.endswith("running_mean"):
                buffer.normal_(0, 0.1)
    return model.eval()


def shipped_at(size: int, reconstruction_size: int = 32) -> PoseModel:
    """The shipped weights in a model for smaller crops; only the tokens' positions, which depend on it, are new."""
    shipped = load_model(model_path("mobile.safetensors"))
    model = PoseModel(replace(shipped.config, input_size=size, reconstruction_size=reconstruction_size))
    weights = shipped.state_dict()
    weights["affinity.positions"] = torch.zeros_like(model.affinity.positions)
    model.load_state_dict(weights)
    return model.eval()


class DotModel(nn.Module):
    """A pose model that knows the colours of `painted.paint_dots`; what it learns are those colours.

    It treats both sides alike: of two dots of one colour the one further to the right is the person's left.

    Args:
        size: Side of its crops.
    """

    def __init__(self, size: int = 128) -> None:
        super().__init__()
        self.config = replace(mobile_config(), input_size=size, num_self=len(COCO17), reconstruction_size=size // 2)
        self.skeleton = COCO17
        self.encoder = nn.Module()
        self.encoder.colors = nn.Parameter(torch.tensor([dot_color(g) for g in range(len(GROUPS))]) / 255.0)
        self.encoder.gain = nn.Parameter(torch.ones(1))

    @property
    def device(self) -> torch.device:
        return self.encoder.colors.device

    def normalise(self, images: Tensor) -> Tensor:
        return images.float() / 255

    def forward(self, images: Tensor) -> PoseOutput:
        apart = (images[:, None] - self.encoder.colors[None, :, :, None, None]).square().sum(2)
        groups = F.avg_pool2d(torch.exp(-apart / (2 * 0.2**2)), 4)
        groups = self.encoder.gain * F.avg_pool2d(groups, 3, 1, 1) * 6
        column = torch.arange(groups.shape[-1]).to(groups)
        mass = groups.detach().sum(2) + 1e-4
        middle = (mass * column).sum(-1, keepdim=True) / mass.sum(-1, keepdim=True)
        right = (column > middle).to(groups)[:, :, None]
        sides = {"left": right * groups, "right": (1 - right) * groups}
        maps = [sides.get(name.split("_")[0], groups)[:, group_of(name)] for name in COCO17.keypoints]
        stacked = torch.stack(maps, 1).clamp(0, 1)
        affinity = torch.eye(len(COCO17)).expand(len(images), -1, -1)
        # The person is in the middle; anchors as the shipped model's ask for sub-cell decoding.
        anchors = torch.full((len(images), len(COCO17), 2), (groups.shape[-1] - 1) / 2)
        return PoseOutput(stacked, stacked, affinity, EncoderOutput(groups, anchors=anchors))


class CountedDots(DotModel):
    """A dot model that counts the crops it predicts; copies of it count for themselves."""

    def __init__(self, size: int = 128) -> None:
        super().__init__(size)
        self.predicted = self.taught = 0

    def forward(self, images: Tensor) -> PoseOutput:
        if torch.is_grad_enabled():
            self.taught += len(images)
        else:
            self.predicted += len(images)
        return super().forward(images)


def recoloured(model: DotModel, *shift: float) -> DotModel:
    """A copy that knows the dots' colours a little wrong, and so finds them almost where they are, and is less sure."""
    other = copy.deepcopy(model)
    with torch.no_grad():
        other.encoder.colors += torch.tensor(shift or (0.1, -0.1, 0.1))
    return other.eval()
