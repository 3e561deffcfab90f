"""What a training method is: a model's structure, and the losses of a batch."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from typing import ClassVar

from torch import Tensor, nn

from ttpose.models.config import ModelConfig, PoseHeadName, SelfTaskName
from ttpose.models.perceptual import PerceptualLoss
from ttpose.models.pose_model import PoseModel
from ttpose.training.schedule import JointSettings


class TrainingMethod(nn.Module):
    """Losses of a batch, as a module so that it can be shared between processes.

    Args:
        model: The model to train.
        settings: Weights of the losses.
        perceptual: Measure of reconstructions; None for a method that reconstructs nothing.
    """

    #: Where supervised maps come from and what is learned without labels.
    pose_head: ClassVar[PoseHeadName] = "transformer"
    self_task: ClassVar[SelfTaskName] = "reconstruction"

    def __init__(self, model: PoseModel, settings: JointSettings, perceptual: PerceptualLoss | None) -> None:
        super().__init__()
        self.model, self.settings, self.perceptual = model, settings, perceptual
        if self.self_task != "reconstruction":
            # Nothing asks for self-supervised maps, and parameters without gradients would stop a shared training.
            model.self_head.requires_grad_(False)

    @classmethod
    def configure(cls, config: ModelConfig) -> ModelConfig:
        """The structure that this method trains."""
        return dataclasses.replace(config, pose_head=cls.pose_head, self_task=cls.self_task)

    @abstractmethod
    def forward(self, target: Tensor, source: Tensor, joints: Tensor) -> dict[str, Tensor]:
        """Losses by name; `loss` is what is minimised.

        Args:
            target, source: RGB uint8 [B, S, S, 3].
            joints: [B, K, 3]: x, y in the target's pixels, weight.
        """

    def images(self, pixels: Tensor) -> Tensor:
        """Normalised [B, 3, S, S] of RGB uint8 [B, S, S, 3]."""
        return self.model.normalise(pixels.permute(0, 3, 1, 2))
