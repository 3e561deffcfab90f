"""How a model begins: its structure for a dataset, and its first weights."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ttpose.core.errors import UsageError, WeightsError
from ttpose.core.skeleton import COCO17, Skeleton, skeleton_named
from ttpose.data.datasets import Video
from ttpose.models.affinity import AffinityTransformer
from ttpose.models.checkpoint import load_model, read_tensors
from ttpose.models.config import MOVENET_RANGE, ModelConfig
from ttpose.models.encoders.resnet import ResNetEncoder
from ttpose.models.encoders.trunk import TrunkEncoder
from ttpose.models.encoders.vitpose import ViTFeatures
from ttpose.models.pose_model import PoseModel
from ttpose.models.self_head import BoundedSelfHead
from ttpose.models.shipped import BASE_FILE
from ttpose.models.store import model_path
from ttpose.people.weights import load_base
from ttpose.training.schedule import JointSettings

_VITPOSE = "vitpose:"


def choose_skeleton(videos: list[Video], name: str | None) -> Skeleton:
    """The keypoint set to learn: the named one, else the dataset's own.

    Raises:
        UsageError: The name is no set's, the dataset has no known set, or none of the set's joints is labelled.
    """
    known = "bbc7, coco17, h36m16, lsp14 or penn13"
    found = videos[0].skeleton
    if name is None and set(COCO17.keypoints) <= set(found.keypoints):
        return COCO17
    try:
        chosen = skeleton_named(name or found.name)
    except KeyError:
        if name:
            raise UsageError(f"there is no keypoint set {name}", f"use {known}") from None
        raise UsageError(f"the dataset's keypoints are no known set: {', '.join(found.keypoints)}",
                         f"choose one to learn with --skeleton: {known}") from None  # fmt: skip
    if not set(chosen.keypoints) & set(found.keypoints):
        raise UsageError(f"the dataset labels none of the joints of {chosen.name}")
    return chosen


def build_model(
    config: ModelConfig, *, imagenet: Path | None = None, weights: Path | None = None, encoder: str | None = None
) -> PoseModel:
    """A model with its first weights; random ones come from PyTorch's current seed.

    Args:
        config: Structure.
        imagenet: torchvision's ImageNet weights for the encoder. The encoder `mobile` starts from the shipped MoveNet.
        weights: A whole model of the same structure to go on from.
        encoder: `vitpose:FILE` starts the encoder from that base's Transformer.

    Raises:
        WeightsError: A file is missing, damaged, or of another structure.
    """
    model = PoseModel(config)
    if weights is not None:
        state = load_model(weights).state_dict()
        wanted = model.state_dict()
        other = [name for name, tensor in wanted.items() if name not in state or state[name].shape != tensor.shape]
        if other or len(state) != len(wanted):
            what = other[0] if other else next(name for name in state if name not in wanted)
            raise WeightsError(f"{weights} is a model of another structure ({what})", "match --method, --encoder, data")
        model.load_state_dict(state)
    elif encoder is not None and encoder.startswith(_VITPOSE):
        assert isinstance(model.encoder, ViTFeatures)  # as `adapt_config` has said
        model.encoder.trunk.load_state_dict(_vitpose(encoder).encoder.trunk.state_dict())  # type: ignore[union-attr]
    elif imagenet is not None:
        if not isinstance(model.encoder, ResNetEncoder):
            raise UsageError(f"the encoder {config.encoder} does not start from ImageNet weights")
        _start_like_reference(model)
        model.encoder.load_imagenet(imagenet)
    elif isinstance(model.encoder, TrunkEncoder):
        movenet = _shipped_movenet()
        model.encoder.load_movenet(movenet)
        if isinstance(model.self_head, BoundedSelfHead):
            _start_maps(model.self_head, model.skeleton, movenet)
    return model


@torch.no_grad()
def _start_maps(head: BoundedSelfHead, skeleton: Skeleton, movenet: dict[str, torch.Tensor]) -> None:
    """Let the first maps start as MoveNet's of the same joints; the others start from random weights."""
    weight, bias = movenet["heatmap.out.conv.weight"], movenet["heatmap.out.conv.bias"]
    if head.weight.shape[1] != weight.shape[1]:
        return
    for row, name in enumerate(skeleton.keypoints):
        known = COCO17.index("nose" if name == "head" else name) if name in (*COCO17.keypoints, "head") else None
        if known is not None:
            head.weight[row], head.bias[row] = weight[known], bias[known]  # type: ignore[index]


def _shipped_movenet() -> dict[str, torch.Tensor]:
    """MoveNet's weights by their own names, out of the shipped model."""
    tensors, _ = read_tensors(model_path(BASE_FILE))
    trunk = "encoder.trunk."
    return {name.removeprefix(trunk): value.float() for name, value in tensors.items() if name.startswith(trunk)}


def parameter_groups(model: nn.Module, settings: JointSettings) -> list[dict[str, object]]:
    """What learns, for Adam: everything at the full rate (`share` 1), and a pretrained trunk at its share of it."""
    groups: dict[float, list[nn.Parameter]] = {1.0: []}
    for name, parameter in model.named_parameters():
        _, trunk, rest = name.partition("encoder.trunk.")
        if trunk and rest.startswith(_first_blocks(settings.trunk_still)):
            parameter.requires_grad_(False)
        if parameter.requires_grad:
            groups.setdefault(settings.trunk_rate if trunk else 1.0, []).append(parameter)
    return [{"params": parameters, "share": share} for share, parameters in groups.items() if parameters]


def _first_blocks(count: int) -> tuple[str, ...]:
    return ("stem.", *(f"blocks.{block}." for block in range(count))) if count else ()


def _vitpose(encoder: str) -> PoseModel:
    """The ViTPose base that `vitpose:FILE` names, by file or by name."""
    model = load_base(encoder.removeprefix(_VITPOSE)).model
    if model.config.encoder != "vitpose" or model.config.pose_head != "encoder":
        raise UsageError(f"{encoder.removeprefix(_VITPOSE)} is no ViTPose base", "see `ttpose import-checkpoint`")
    return model


def _start_like_reference(model: PoseModel) -> None:
    """The reference's first weights beside the encoder: N(0, 0.001) and zero biases inside the Transformer's layer.

    Its transposed convolutions are N(0, 0.001) too, as everywhere here; its last layers keep PyTorch's defaults.
    """
    if not isinstance(model.affinity, AffinityTransformer):
        return
    for module in model.affinity.decoder.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.001)
            nn.init.zeros_(module.bias)


def set_dropout(model: PoseModel, share: float) -> None:
    """Drop a share of values inside the Transformer while it is trained; the weights file does not know of it."""
    for module in model.affinity.modules():
        if isinstance(module, nn.Dropout):
            module.p = share
        elif isinstance(module, nn.MultiheadAttention):
            module.dropout = share


def freeze_norms(model: nn.Module) -> None:
    """Keep batch norms in evaluation mode, so that their statistics stay as they are."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def adapt_config(
    config: ModelConfig, skeleton: Skeleton, *, encoder: str | None = None, input_size: int | None = None
) -> ModelConfig:
    """A preset's structure for a dataset and options; raises UsageError for a size that is no multiple of 32."""
    changes: dict[str, object] = {"skeleton": skeleton.name}
    if encoder is not None and encoder.startswith(_VITPOSE):
        # Square crops as for every other encoder here; the position embedding is resampled to them.
        changes.update(encoder="vitpose", vit=_vitpose(encoder).config.vit)
    elif encoder is not None:
        if encoder not in ("resnet18", "resnet50", "mobile"):
            raise UsageError(
                f"there is no encoder {encoder} to train", "use resnet18, resnet50, mobile or vitpose:FILE"
            )
        changes["encoder"] = encoder
        if encoder == "mobile":
            changes.update(mean=MOVENET_RANGE, std=MOVENET_RANGE)
    if input_size is not None:
        shrunk = config.input_size // config.reconstruction_size
        if input_size < 32 or input_size % 32:
            raise UsageError(f"the input size {input_size} is no multiple of 32")
        changes.update(input_size=input_size, reconstruction_size=input_size // shrunk)
    return dataclasses.replace(config, **changes)  # type: ignore[arg-type]


def seed_step(seed: int, step: int, rank: int) -> None:
    """Seed PyTorch's generators for one step of one process: a resumed run draws what an unbroken one would."""
    torch.manual_seed(int(np.random.SeedSequence([seed, step, rank]).generate_state(1, np.uint32)[0]))
