"""The paper's method: pose through the Transformer, and reconstruction, at once (Li et al. 2021)."""

from __future__ import annotations

from torch import Tensor

from ttpose.training.losses import pose_loss, reconstruction_loss
from ttpose.training.methods.base import TrainingMethod


class JointMethod(TrainingMethod):
    """L = L_sup + 0.001 · L_self."""

    def forward(self, target: Tensor, source: Tensor, joints: Tensor) -> dict[str, Tensor]:
        """Losses `loss`, `pose` and `self` of a batch."""
        if self.perceptual is None:
            raise ValueError("reconstruction needs a perceptual loss")
        image = self.images(target)
        output = self.model(image)
        pose = pose_loss(output.supervised, joints, self.model.config)
        unlabelled = reconstruction_loss(self.model, self.perceptual, output, image, self.images(source))
        return {"loss": pose + self.settings.self_weight * unlabelled, "pose": pose, "self": unlabelled}
