"""The two losses of joint training: pose from labels, and reconstruction without (TTP paper, sections 3.1 and 3.2)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ttpose.models.bottleneck import draw_gaussians
from ttpose.models.config import ModelConfig
from ttpose.models.perceptual import PerceptualLoss
from ttpose.models.pose_model import PoseModel, PoseOutput

_STRIDE = 4  # of the heatmaps; every encoder's
_REACH = 3  # sigmas: a joint so far outside the map has no visible target


def joints_in_cells(joints: Tensor) -> Tensor:
    """Positions [B, K, 2] in heatmap cells of joints [B, K, 3] in crop pixels."""
    return (joints[..., :2] + 0.5) / _STRIDE - 0.5


def weights_of(joints: Tensor, config: ModelConfig) -> Tensor:
    """Weights [B, K]: those of the labels [B, K, 3], 0 for a joint that lies beyond the crop."""
    cells, reach = joints_in_cells(joints), _REACH * config.target_sigma
    inside = ((cells >= -reach) & (cells <= config.heatmap_size - 1 + reach)).all(-1)
    return joints[..., 2] * inside


def pose_loss(supervised: Tensor, joints: Tensor, config: ModelConfig) -> Tensor:
    """½ · mean squared error to Gaussians, times visibility, over all samples, joints and cells.

    Args:
        supervised: H_sup [B, K, h, w].
        joints: [B, K, 3]: x, y in crop pixels, weight.
        config: Sizes.
    """
    wanted = draw_gaussians(joints_in_cells(joints), config.heatmap_size, config.target_sigma)
    error = (supervised.float() - wanted).square().mean((2, 3))
    return 0.5 * (error * weights_of(joints, config)).mean()


def reconstruction_loss(
    model: PoseModel, perceptual: PerceptualLoss, output: PoseOutput, target: Tensor, source: Tensor
) -> Tensor:
    """How far the target, reconstructed from the source's appearance and the target's points, is from the target.

    Args:
        model: The learning model.
        perceptual: The measure; in training mode its running means move.
        output: What the model says of the target.
        target: Normalised [B, 3, S, S].
        source: Normalised [B, 3, S, S], the same person.
    """
    points = model.points(output.self_supervised.float())
    # The paper's nets look at the source's pixels only, so its points need not be known.
    looks = model.config.reconstructor == "transport"
    source_points = model.points(model(source).self_supervised.float()) if looks else points
    size = model.config.reconstruction_size
    target, source = (_resized(image, size) for image in (target, source))
    reconstructed = model.reconstruct(source, source_points, points)
    loss: Tensor = perceptual(reconstructed, target)[0]
    return loss


def rotation_loss(model: PoseModel, images: Tensor) -> Tensor:
    """Cross-entropy of which quarter turn each of the normalised images [B, 3, S, S] was given at random."""
    from ttpose.models.other_heads import QUARTER_TURNS, turned

    turns = torch.randint(QUARTER_TURNS, (len(images),), device=images.device)
    features = model.encoder(turned(images, turns)).features
    return F.cross_entropy(model.rotation_head(features).float(), turns)


def _resized(images: Tensor, size: int) -> Tensor:
    return images if images.shape[-1] == size else F.interpolate(images, size=size, mode="area")
