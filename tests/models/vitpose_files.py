"""Small ViTPose weights in the formats of others, made with the public implementation."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from transformers import VitPoseBackboneConfig, VitPoseConfig, VitPoseForPoseEstimation


def hub_model(
    *,
    simple: bool = True,
    experts: int = 1,
    width: int = 48,
    depth: int = 2,
    heads: int = 4,
    image=(64, 48),
    seed: int = 0,
) -> VitPoseForPoseEstimation:
    """A random model whose every parameter and statistic is drawn, in evaluation mode."""
    trunk = VitPoseBackboneConfig(
        image_size=list(image), hidden_size=width, num_hidden_layers=depth, num_attention_heads=heads,
        num_experts=experts, part_features=width // 4, out_indices=[depth],
    )  # fmt: skip
    torch.manual_seed(seed)
    model = VitPoseForPoseEstimation(
        VitPoseConfig(backbone_config=trunk, num_labels=17, use_simple_decoder=simple)
    ).eval()
    with torch.no_grad():
        for name, value in [*model.named_parameters(), *model.named_buffers()]:
            if value.is_floating_point():
                # Weights that keep the size of what goes through them; a variance is positive.
                size = value[0].numel() ** -0.5 if value.ndim > 1 else 0.2
                drawn = torch.rand_like(value) + 0.5 if "var" in name else torch.randn_like(value) * size
                value.copy_(drawn + (1.0 if "norm" in name and name.endswith("weight") else 0.0))
    return model


def hub_folder(folder: Path, model: VitPoseForPoseEstimation) -> Path:
    """The folder as the hub has it."""
    model.save_pretrained(folder)
    return folder


def authors_state(model: VitPoseForPoseEstimation) -> dict[str, torch.Tensor]:
    """The same weights under the names of the authors' code."""
    state = {}
    for name, value in model.state_dict().items():
        name = re.sub(r"backbone\.encoder\.layer\.(\d+)\.", r"backbone.blocks.\1.", name)
        for theirs, authors in (
            ("backbone.embeddings.patch_embeddings.projection", "backbone.patch_embed.proj"),
            ("backbone.embeddings.position_embeddings", "backbone.pos_embed"),
            ("backbone.layernorm.", "backbone.last_norm."),
            ("attention.output.dense", "attn.proj"),
            ("layernorm_before", "norm1"),
            ("layernorm_after", "norm2"),
            ("head.deconv1", "keypoint_head.deconv_layers.0"),
            ("head.batchnorm1", "keypoint_head.deconv_layers.1"),
            ("head.deconv2", "keypoint_head.deconv_layers.3"),
            ("head.batchnorm2", "keypoint_head.deconv_layers.4"),
            ("head.conv", "keypoint_head.final_layer"),
        ):
            name = name.replace(theirs, authors)
        state[name] = value
    for name in [n for n in state if ".attention.attention.query." in n]:
        parts = [state.pop(name.replace(".query.", f".{part}.")) for part in ("query", "key", "value")]
        state[name.replace("attention.attention.query", "attn.qkv")] = torch.cat(parts)
    return state
