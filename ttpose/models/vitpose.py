"""Reading ViTPose's weights: folders of the Hugging Face hub, and the authors' own .pth files.

Models with experts ("ViTPose+") share all but the last part of each feed-forward layer's output among their data sets.
Only the part for COCO is kept, which makes them plain models that give the same heatmaps.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ttpose.core.errors import WeightsError
from ttpose.models.checkpoint import read_tensors
from ttpose.models.config import ModelConfig, ViTConfig
from ttpose.models.encoders.vitpose import draw_adapters
from ttpose.models.pose_model import PoseModel
from ttpose.models.torch_file import require_match

#: What can be read, for messages.
READABLE = "a Hugging Face ViTPose folder (config.json and model.safetensors) or a ViTPose .pth of its authors"
_CLASS = "VitPoseForPoseEstimation"
_JOINTS = 17  # COCO's
# Attention heads by width of the authors' sizes S, B, L and H; a state dict does not tell.
_HEADS = {384: 12, 768: 12, 1024: 16, 1280: 16}
_SIZES = {384: "s", 768: "b", 1024: "l", 1280: "h"}
# The authors' names for parts of a state dict, and the hub's; `{}` stands for a block's number.
_NAMES = {
    "encoder.trunk.patches": ("backbone.patch_embed.proj", "backbone.embeddings.patch_embeddings.projection"),
    "encoder.trunk.positions": ("backbone.pos_embed", "backbone.embeddings.position_embeddings"),
    "encoder.trunk.norm": ("backbone.last_norm", "backbone.layernorm"),
    "encoder.decoder.up1": ("keypoint_head.deconv_layers.0", "head.deconv1"),
    "encoder.decoder.norm1": ("keypoint_head.deconv_layers.1", "head.batchnorm1"),
    "encoder.decoder.up2": ("keypoint_head.deconv_layers.3", "head.deconv2"),
    "encoder.decoder.norm2": ("keypoint_head.deconv_layers.4", "head.batchnorm2"),
    "encoder.decoder.last": ("keypoint_head.final_layer", "head.conv"),
}
_BLOCK = {
    "norm1": ("norm1", "layernorm_before"),
    "qkv": ("attn.qkv", "attention.attention.qkv"),
    "proj": ("attn.proj", "attention.output.dense"),
    "norm2": ("norm2", "layernorm_after"),
    "fc1": ("mlp.fc1", "mlp.fc1"),
    "fc2": ("mlp.fc2", "mlp.fc2"),
}
_AUTHORS, _HUB = 0, 1
_BLOCKS = ("backbone.blocks", "backbone.encoder.layer")
_EXPERT = re.compile(r"(.*\.mlp\.)experts\.(?:experts\.)?(\d+)\.(weight|bias)")
# Parts of a file that are not for COCO, or that nothing reads.
_UNREAD = ("associate_keypoint_heads.", "associate_heads.", "backbone.cls_token")


def is_vitpose(state: Mapping[str, Tensor]) -> bool:
    """Whether a .pth file's tensors are named as in the authors' code."""
    return "backbone.pos_embed" in state and any(name.startswith("keypoint_head.") for name in state)


def import_authors(state: Mapping[str, Tensor], path: Path | str) -> PoseModel:
    """The model of an authors' state dict (`torch_file.read_state_dict`), in evaluation mode.

    Raises:
        WeightsError: It is of another architecture, size or keypoint set.
    """
    positions, patches = (
        _tensor(state, "backbone.pos_embed", path),
        _tensor(state, "backbone.patch_embed.proj.weight", path),
    )
    width = positions.shape[-1]
    if width not in _HEADS or positions.ndim != 3 or patches.ndim != 4:
        raise WeightsError(
            f"{path}: its tokens have {width} channels", f"known are {', '.join(map(str, _HEADS))} (S to H)"
        )
    grid = _grid(positions.shape[1] - 1, path)
    depth = len({name.split(".")[2] for name in state if name.startswith("backbone.blocks.")})
    decoder = "classic" if "keypoint_head.deconv_layers.0.weight" in state else "simple"
    vit = ViTConfig(width, depth, _HEADS[width], 4.0, patches.shape[-1], grid, decoder)  # type: ignore[arg-type]
    return _build(state, vit, path, _AUTHORS)


def import_folder(folder: Path | str) -> PoseModel:
    """The model of a Hugging Face folder, in evaluation mode.

    Raises:
        WeightsError: It is incomplete or damaged, or holds another model.
    """
    folder = Path(folder)
    config = _json(folder / "config.json", folder)
    kind = (config.get("architectures") or [config.get("model_type", "an unknown model")])[0]
    if kind != _CLASS and config.get("model_type") != "vitpose":
        raise WeightsError(f"{folder} holds {kind}, not {_CLASS}", f"what can be read: {READABLE}")
    weights = folder / "model.safetensors"
    if not weights.is_file():
        others = ", ".join(sorted(path.name for path in folder.iterdir() if path.is_file())) or "nothing"
        raise WeightsError(
            f"{folder} has no model.safetensors (it has {others})", "download that file of the model too"
        )
    state, _ = read_tensors(weights)
    settings = _json(folder / "preprocessor_config.json", folder) if _has_preprocessor(folder) else {}
    return _build({n: t.float() if t.is_floating_point() else t for n, t in state.items()}, _hub_vit(config, folder),
                  weights, _HUB, settings)  # fmt: skip


def _has_preprocessor(folder: Path) -> bool:
    return (folder / "preprocessor_config.json").is_file()


def _hub_vit(config: Mapping[str, Any], folder: Path) -> ViTConfig:
    """The structure that a hub's config.json describes; what it leaves out has the library's defaults."""
    trunk = config.get("backbone_config") or {}
    image, patch = trunk.get("image_size", [256, 192]), trunk.get("patch_size", [16, 16])
    image, patch = ([v, v] if isinstance(v, int) else list(v) for v in (image, patch))
    act = trunk.get("hidden_act", "gelu")
    if act != "gelu" or patch[0] != patch[1] or not trunk.get("qkv_bias", True):
        raise WeightsError(
            f"{folder} is a ViTPose of an unknown kind ({act}, patches {patch})", f"what can be read: {READABLE}"
        )
    return ViTConfig(
        width=trunk.get("hidden_size", 768),
        depth=trunk.get("num_hidden_layers", 12),
        heads=trunk.get("num_attention_heads", 12),
        hidden=trunk.get("mlp_ratio", 4),
        patch=patch[0],
        positions=(image[0] // patch[0], image[1] // patch[0]),
        decoder="simple" if config.get("use_simple_decoder", True) else "classic",
        upsample=config.get("scale_factor", 4),
        norm_eps=trunk.get("layer_norm_eps", 1e-12),
    )


def vitpose_config(vit: ViTConfig, **changes: Any) -> ModelConfig:
    """How a ViTPose model is used: crops, normalisation and decoding as its authors trained and tested it."""
    height, width = (cells * vit.patch for cells in vit.positions)
    config = ModelConfig(
        preset=f"vitpose-{_SIZES.get(vit.width, vit.width)}",
        encoder="vitpose",
        skeleton="coco17",
        input_size=height,
        input_width=width,
        num_self=_JOINTS,
        pose_head="encoder",
        self_task="none",
        target_sigma=2.0,  # cells of 4 px at 256×192
        stride=vit.patch // (vit.upsample if vit.decoder == "simple" else 4),
        crop_pad=1.25,
        corner_cells=True,
        decoding="dark",
        bounded=False,
        vit=vit,
    )
    return dataclasses.replace(config, **changes)


def _build(
    state: Mapping[str, Tensor],
    vit: ViTConfig,
    path: Path | str,
    source: int,
    settings: Mapping[str, Any] | None = None,
) -> PoseModel:
    state = _one_head(_one_expert({n: t for n, t in state.items() if not n.startswith(_UNREAD)}))
    last = _tensor(state, f"{_NAMES['encoder.decoder.last'][source]}.weight", path)
    if last.shape[0] != _JOINTS:
        raise WeightsError(f"{path} has {last.shape[0]} keypoints", f"known are COCO's {_JOINTS}")
    changes = {
        name: tuple(255 * float(v) for v in settings[key])
        for name, key in (("mean", "image_mean"), ("std", "image_std"))
        if settings and key in settings
    }
    try:
        model = PoseModel(vitpose_config(vit, **changes))
    except (RuntimeError, ValueError, TypeError, AssertionError) as error:
        raise WeightsError(f"{path} describes no model that can be built: {error}") from error
    draw_adapters(model)
    own = model.state_dict()
    adapters = {name: value for name, value in own.items() if name.endswith((".down", ".up"))}
    wanted = {_their_name(name, source): _theirs(name, value) for name, value in own.items() if name not in adapters}
    require_match(state, wanted, path, "ViTPose")
    found = {name: _ours(name, state[_their_name(name, source)], vit) for name in own if name not in adapters}
    model.load_state_dict(found | adapters)
    return model.eval()


def _one_expert(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The feed-forward layers with their outputs for COCO, which is expert 0."""
    plain = {name: tensor for name, tensor in state.items() if not _EXPERT.fullmatch(name)}
    for name, tensor in state.items():
        match = _EXPERT.fullmatch(name)
        if match is None or match[2] != "0":
            continue
        whole, hidden = f"{match[1]}fc2.{match[3]}", plain.get(f"{match[1]}fc1.weight")
        # The authors' own tool leaves the experts in a file whose layers it has completed.
        if whole in plain and hidden is not None and len(plain[whole]) < hidden.shape[1]:
            plain[whole] = torch.cat([plain[whole], tensor])
    return plain


def _one_head(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Queries, keys and values as one linear map, as in the authors' code."""
    found = dict(state)
    for name in state:
        if ".attention.attention.query." in name:
            parts = [found.pop(name.replace(".query.", f".{part}."), None) for part in ("query", "key", "value")]
            if any(part is None for part in parts):
                continue
            found[name.replace(".query.", ".qkv.")] = torch.cat(parts)  # type: ignore[arg-type]
    return found


def _their_name(name: str, source: int) -> str:
    match = re.fullmatch(r"encoder\.trunk\.blocks\.(\d+)\.(\w+)\.(\w+)", name)
    if match:
        return f"{_BLOCKS[source]}.{match[1]}.{_BLOCK[match[2]][source]}.{match[3]}"
    if name == "encoder.trunk.positions":
        return _NAMES[name][source]
    part, _, which = name.rpartition(".")
    return f"{_NAMES[part][source]}.{which}"


def _theirs(name: str, tensor: Tensor) -> Tensor:
    """An empty tensor of the shape that their file has."""
    if name != "encoder.trunk.positions":
        return tensor
    return tensor.new_empty(1, tensor.shape[2] * tensor.shape[3] + 1, tensor.shape[1])


def _ours(name: str, tensor: Tensor, vit: ViTConfig) -> Tensor:
    if name != "encoder.trunk.positions":
        return tensor
    # The first position was the class token's in pretraining; it is added to all others.
    whole = tensor[:, 1:] + tensor[:, :1]
    return whole.transpose(1, 2).unflatten(2, vit.positions)


def _grid(patches: int, path: Path | str) -> tuple[int, int]:
    """Rows and columns of that many patches, 4 to 3."""
    unit = round((patches / 12) ** 0.5)
    if unit < 1 or 12 * unit * unit != patches:
        raise WeightsError(
            f"{path}: its image has {patches} patches, which are no grid of 4 to 3", f"what can be read: {READABLE}"
        )
    return 4 * unit, 3 * unit


def _tensor(state: Mapping[str, Tensor], name: str, path: Path | str) -> Tensor:
    if name not in state:
        raise WeightsError(f"{path} lacks {name}", f"what can be read: {READABLE}")
    return state[name]


def _json(path: Path, folder: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WeightsError(f"{folder} has no {path.name}", f"what can be read: {READABLE}") from None
    except (OSError, ValueError) as error:
        raise WeightsError(f"cannot read {path}: {error}", "download it again") from error
    if not isinstance(values, dict):
        raise WeightsError(f"{path} is no JSON object", "download it again")
    return values
