"""Baseline: labels only, a plain heatmap network (Xiao et al. 2018), the paper's starting point."""

from __future__ import annotations

from torch import Tensor

from ttpose.training.losses import pose_loss
from ttpose.training.methods.base import TrainingMethod


class SupervisedMethod(TrainingMethod):
    """No self-supervision."""

    pose_head = "separate"
    self_task = "none"

    def forward(self, target: Tensor, source: Tensor, joints: Tensor) -> dict[str, Tensor]:
        """Losses `loss` and `pose` of a batch; the source is not looked at."""
        pose = pose_loss(self.model(self.images(target)).supervised, joints, self.model.config)
        return {"loss": pose, "pose": pose}
