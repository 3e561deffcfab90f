"""Confident: the model's own surest predictions become labels, a baseline.

After Charles et al. 2016 (personalizing human video pose) and the video adaptation of DeepLabCut (Ye et al. 2024):
predictions of the unadapted model with a high score are taken as if an annotator had made them, and the others are
left out. Ours (`self_training`) asks many views, cleans over time, and trusts each label as far as they agree.
"""

from __future__ import annotations

from torch import Tensor

from ttpose.adaptation.losses import Step
from ttpose.adaptation.losses.keypoints import SelfTraining
from ttpose.models.bottleneck import draw_gaussians


class Confident(SelfTraining):
    """The paper's supervised loss with labels that are kept or left out by `settings.teacher_min_score`."""

    name = "confident"

    def loss(self, step: Step) -> Tensor:
        """½ · mean squared error to Gaussians, mean over the labels of the step that are kept."""
        maps = step.output.supervised.float()
        points, trust = self.carried(step)
        kept = (trust > 0).to(maps)
        wanted = draw_gaussians(points, (maps.shape[2], maps.shape[3]), step.model.config.target_sigma)
        error = 0.5 * (maps - wanted).square().mean((2, 3))
        return (error * kept).sum() / kept.sum().clamp_min(1)
