"""Models small enough for tests: a random network of the paper's kind, and the shipped one at a small input size."""

from __future__ import annotations

from dataclasses import replace

import torch

from ttpose.model.checkpoint import load_model
from ttpose.model.config import ModelConfig
from ttpose.model.pose_model import PoseModel
from ttpose.model.store import model_path


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
