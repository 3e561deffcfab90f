"""Baseline: plain self-supervised keypoints, and a linear map from them to pose (IMM, Jakab et al. 2018)."""

from __future__ import annotations

from torch import Tensor

from ttpose.models.other_heads import LinearHead
from ttpose.training.losses import joints_in_cells, reconstruction_loss, weights_of
from ttpose.training.methods.base import TrainingMethod


class ImmMethod(TrainingMethod):
    """Labels reach the linear map only: the keypoints themselves are learned by reconstruction alone."""

    pose_head = "linear"

    def forward(self, target: Tensor, source: Tensor, joints: Tensor) -> dict[str, Tensor]:
        """Losses `loss`, `pose` (mean squared distance in crop sides) and `self` of a batch."""
        head, config = self.model.pose_head, self.model.config
        if self.perceptual is None or not isinstance(head, LinearHead):
            raise ValueError("IMM needs a perceptual loss and a linear head")
        image = self.images(target)
        output = self.model(image)
        unlabelled = reconstruction_loss(self.model, self.perceptual, output, image, self.images(source))
        apart = (head.points(output.self_supervised) - joints_in_cells(joints)) / config.heatmap_size
        pose = (apart.square().sum(-1) * weights_of(joints, config)).mean()
        # The two parts share no parameter, so their relative weight only scales Adam's input.
        return {"loss": pose + self.settings.self_weight * unlabelled, "pose": pose, "self": unlabelled}
