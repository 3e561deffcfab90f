"""Reconstruction: the target frame reconstructed from another frame of the same person and the target's keypoints.

TTP's own objective (Li et al. 2021, sections 3.1 and 3.4). Each frame is cropped with its own box, and the running
means of the perceptual loss start afresh for every person.
"""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ttpose.adaptation.augment import Augmentation, draw_warp
from ttpose.adaptation.losses import Step
from ttpose.inference.warps import Warp, warped_batch
from ttpose.models.perceptual import PerceptualLoss
from ttpose.models.pose_model import PoseModel
from ttpose.models.transport import TransportReconstructor, pixel_weight


class Reconstruction:
    """Perceptual error of the reconstructed views.

    Args:
        weight: Of the term.
        perceptual: The loss, just reset.
        most: How many of a step's views are reconstructed.
        augmentation: Random warps of the source, for models whose pairs do not share one (`ModelConfig.pair_warp`).
    """

    name = "reconstruction"

    def __init__(
        self, weight: float, perceptual: PerceptualLoss, most: int, augmentation: Augmentation | None = None
    ) -> None:
        self.weight, self.augmentation = weight, augmentation
        self.perceptual = perceptual.train()
        self.most = most

    def loss(self, step: Step) -> Tensor:
        """Sum of the terms over their running means, of the order of the number of terms."""
        count = min(self.most, len(step.targets))
        maps = step.output.self_supervised[:count].float()
        return self.of_points(step, step.model.points(maps), count)

    def of_points(self, step: Step, points: Tensor, count: int) -> Tensor:
        """The error when the targets' self-supervised points [count, J, 2] are these."""
        model, crop = step.model, step.model.config.crop
        warps = list(step.warps[:count])
        if self.augmentation is not None and model.config.pair_warp == "independent":
            warps = [_turned(draw_warp(step.rng, self.augmentation), warp) for warp in warps]
        images, _ = warped_batch(step.sources[:count], warps, crop)
        sources = model.normalise(images.to(step.images.device))
        source_points = points  # the paper's nets do not look at them
        if model.config.reconstructor == "transport":
            with torch.no_grad():
                source_points = model.points(model(sources).self_supervised.float())
        side = model.config.reconstruction_size
        target = _shrink(step.images[:count], side)
        reconstructed = model.reconstruct(_shrink(sources, side), source_points, points)
        return self.perceptual(reconstructed, target, person_weight(model, points.detach(), side))[0]


def _turned(drawn: Warp, warp: Warp) -> Warp:
    """A source's own turn and scale; mirrored and lit as its target."""
    return replace(drawn, flip=warp.flip, gain=warp.gain, offset=warp.offset)


def person_weight(model: PoseModel, points: Tensor, side: int) -> Tensor | None:
    """Where the person is, [B, 1, side, side]: the background must not move a keypoint. None counts all alike."""
    if not isinstance(model.reconstructor, TransportReconstructor):
        return None
    shares = (points + 0.5) / model.config.heatmap_size - 0.5
    return pixel_weight(model.reconstructor.limb_area(shares, side))


def _shrink(images: Tensor, side: int) -> Tensor:
    return images if images.shape[-1] == side else F.adaptive_avg_pool2d(images, side)
