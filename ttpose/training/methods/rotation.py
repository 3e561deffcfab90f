"""Baseline: which quarter turn was an image given? Test-time training with that task (Sun et al. 2020)."""

from __future__ import annotations

from torch import Tensor

from ttpose.training.losses import pose_loss, rotation_loss
from ttpose.training.methods.base import TrainingMethod


class RotationMethod(TrainingMethod):
    """Pose from a separate head, and rotation prediction from the shared features."""

    pose_head = "separate"
    self_task = "rotation"

    def forward(self, target: Tensor, source: Tensor, joints: Tensor) -> dict[str, Tensor]:
        """Losses `loss`, `pose` and `self` of a batch; the source is not looked at."""
        image = self.images(target)
        pose = pose_loss(self.model(image).supervised, joints, self.model.config)
        unlabelled = rotation_loss(self.model, image)
        return {"loss": pose + self.settings.self_weight * unlabelled, "pose": pose, "self": unlabelled}
