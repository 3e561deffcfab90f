"""Reading checkpoints of the paper's public implementation, so that published weights run here unchanged.

That implementation feeds blue-first pixels with ImageNet's red-first statistics. Here images are red first, so the
input channels of the first convolutions and the output channels of the decoder are reversed, and with them the
statistics: every pixel is normalised by the very numbers it was trained with, and nothing is approximated.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from ttpose.core.errors import WeightsError
from ttpose.models.config import EncoderName, ModelConfig
from ttpose.models.pose_model import PoseModel
from ttpose.models.torch_file import read_state_dict, require_match

# Our prefixes and theirs.
_PREFIXES = {
    "encoder.": "pose_net.",
    "self_head.": "pose_net.final_layer_unsup.",
    "affinity.query.": "pose_net.sup_query.",
    "affinity.decoder.": "pose_net.mh_attn.decoder.",
    "affinity.weight.": "pose_net.sup_weight.",
    "reconstructor.appearance.": "image_encoder.",
    "reconstructor.keypoints.": "pose_encoder.",
    "reconstructor.decoder.": "image_renderer.",
}
# Where colour goes in and out, and on which axis it lies.
_COLOUR_AXES = {
    "encoder.conv1.weight": 1,
    "reconstructor.appearance.layer1.0.weight": 1,
    "reconstructor.decoder.layer4.6.weight": 0,
    "reconstructor.decoder.layer4.6.bias": 0,
}
_SKELETONS = {7: "bbc7", 13: "penn13", 16: "h36m16"}
# Blocks of the four ResNet stages; the deep kind of block has a third convolution.
_ENCODERS: dict[tuple[tuple[int, ...], bool], EncoderName] = {
    ((2, 2, 2, 2), False): "resnet18",
    ((3, 4, 6, 3), True): "resnet50",
}


def import_reference(path: Path | str) -> PoseModel:
    """Rebuild the model of a reference checkpoint (.pth); depth and joint count are read off its shapes.

    Args:
        path: A state dict, also inside {'state_dict': ...} or {'model': ...}, also with `module.` before each name.

    Returns:
        The model in evaluation mode. It takes RGB images and reconstructs RGB images, like every other.

    Raises:
        WeightsError: The file is missing, damaged, holds anything but data, or is of another architecture.
    """
    return import_reference_state(read_state_dict(path), path)


def is_reference(state: Mapping[str, torch.Tensor]) -> bool:
    """Whether a .pth file's tensors are named as in the reference's code."""
    return any(name.startswith("pose_net.") for name in state)


def import_reference_state(state: Mapping[str, torch.Tensor], path: Path | str) -> PoseModel:
    """`import_reference` of a state dict that was read from `path`; raises WeightsError."""
    model = PoseModel(_infer_config(state, path))
    wanted = model.state_dict()
    require_match(
        state,
        {_their_name(name): _converted(name, tensor) for name, tensor in wanted.items()},
        path,
        "the TTP reference",
    )
    model.load_state_dict({name: _converted(name, state[_their_name(name)]) for name in wanted})
    return model.eval()


def _infer_config(state: Mapping[str, torch.Tensor], path: Path | str) -> ModelConfig:
    queries, maps = (_matrix(state, f"pose_net.{name}.weight", path) for name in ("sup_query", "final_layer_unsup"))
    blocks = tuple(
        len({name.split(".")[2] for name in state if name.startswith(f"pose_net.layer{stage}.")})
        for stage in range(1, 5)
    )
    encoder = _ENCODERS.get((blocks, "pose_net.layer1.0.conv3.weight" in state))
    if encoder is None:
        raise WeightsError(f"{path}: its encoder has {blocks} blocks", "only ResNet-18 and ResNet-50 are known")
    joints = queries.shape[1]
    if joints not in _SKELETONS:
        raise WeightsError(f"{path}: it has {joints} keypoints", "known are 7 (BBC Pose), 13 (Penn Action), 16 (H36M)")
    paper = ModelConfig()
    return ModelConfig(
        encoder=encoder,
        skeleton=_SKELETONS[joints],
        num_self=maps.shape[0],
        mean=paper.mean[::-1],
        std=paper.std[::-1],
    )


def _matrix(state: Mapping[str, torch.Tensor], name: str, path: Path | str) -> torch.Tensor:
    if name not in state:
        raise WeightsError(f"{path} lacks {name}", "it is no checkpoint of the TTP reference with its Transformer")
    if state[name].ndim < 2:
        raise WeightsError(f"{path}: {name} has shape {list(state[name].shape)}", "it is of another architecture")
    return state[name]


def _their_name(name: str) -> str:
    ours = next(prefix for prefix in _PREFIXES if name.startswith(prefix))
    return _PREFIXES[ours] + name.removeprefix(ours)


def _converted(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """From their layout to ours, by our name, and as well back: queries as rows, colour channels reversed."""
    if name == "affinity.query.weight":
        return tensor.T
    return tensor.flip(_COLOUR_AXES[name]) if name in _COLOUR_AXES else tensor
