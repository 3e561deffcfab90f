"""What the mobile model's nets learn beside its frozen trunk: reconstruction, mixed maps, and where free points sit."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ttpose.models.bottleneck import draw_gaussians
from ttpose.models.pose_model import PoseModel, PoseOutput
from ttpose.models.transport import TransportReconstructor, part_maps, pixel_weight

# Free points keep this far from each other and from no keypoint, in shares of the crop: half a forearm.
_APART = 0.06
# Where a free point is put that must not take part: no part mask reaches it.
_NOWHERE = 9.0


def pose_loss(model: PoseModel, out: PoseOutput, keypoints: Tensor) -> Tensor:
    """Half the squared error of supervised maps to Gaussians, over visible keypoints inside the crop.

    Args:
        model: Gives the Gaussians' width.
        out: The pose path's output.
        keypoints: [B, K, 3] in crop pixels, visibility third.
    """
    size = out.supervised.shape[-1]
    cells = (keypoints[..., :2] + 0.5) / 4 - 0.5
    known = (keypoints[..., 2] > 0) & ((cells > -0.5) & (cells < size - 0.5)).all(-1)
    drawn = draw_gaussians(cells, size, model.config.target_sigma)
    error = (out.supervised - drawn).square().mean((2, 3)) / 2
    return (error * known).sum() / known.sum().clamp_min(1)


def joined_points(keypoints: Tensor, free: Tensor | None, size: int, num_points: int) -> Tensor:
    """Labelled points, then free ones, in shares of the crop's side: [B, J, 2].

    Args:
        keypoints: [B, K, 2 or 3] in crop pixels.
        free: [B, J - K, 2] in shares, or None for points that take no part.
        size: Side of the crop in pixels.
        num_points: J.
    """
    known = (keypoints[..., :2] + 0.5) / size - 0.5
    if free is None:
        free = known.new_full((len(known), num_points - known.shape[1], 2), _NOWHERE)
    return torch.cat([known, free], 1)


def free_points(model: PoseModel, out: PoseOutput) -> Tensor:
    """Free points [B, J - K, 2] in shares of the side."""
    maps = out.self_supervised[:, len(model.skeleton) :].float()
    return (model.points(maps) + 0.5) / model.config.heatmap_size - 0.5


def free_loss(model: PoseModel, target: Tensor, source: Tensor, seen: tuple[Tensor, Tensor]) -> Tensor:
    """Keep free points on the body, apart from each other, and on the same spot of it in both frames.

    Args:
        model: A model whose reconstructor transports.
        target, source: Labelled points [B, K, 2] in shares.
        seen: The free points of target and source, [B, F, 2].
    """
    reconstructor = model.reconstructor
    if not isinstance(reconstructor, TransportReconstructor):
        raise TypeError("free points need the transporting reconstructor")
    bones = reconstructor.parts.bones
    nowhere = torch.full_like(seen[0], _NOWHERE)
    at, to = (reconstructor.parts(torch.cat([p, nowhere], 1))[:, :bones] for p in (target, source))
    carried, near = _carry_points(seen[0], at, to, reconstructor.parts.widths[:bones])
    same_spot = ((carried - seen[1]).square().sum(-1).add(1e-6).sqrt()).mean()
    on_body = -torch.log(near + 1e-3).mean()
    distance = torch.cdist(seen[0], seen[0]) + torch.eye(seen[0].shape[1], device=seen[0].device)
    apart = F.relu(_APART - distance).mean() / _APART
    return 2.0 * same_spot + 0.05 * on_body + 2.0 * apart


def _carry_points(points: Tensor, at: Tensor, to: Tensor, widths: Tensor) -> tuple[Tensor, Tensor]:
    """Move points with the body parts they lie on; also how near each is to its nearest part, 0..1."""
    linear, shift = part_maps(to, at)
    moved = torch.einsum("bpij,bfj->bfpi", linear, points) + shift[:, None]
    start, along = at[:, None, :, 0], at[:, None, :, 1] - at[:, None, :, 0]
    share = ((points[:, :, None] - start) * along).sum(-1) / (along.square().sum(-1) + 1e-4)
    distance = (points[:, :, None] - start - share.clamp(0, 1)[..., None] * along).square().sum(-1)
    weight = torch.exp(-distance / (2 * widths**2))
    share_of = weight / (weight.sum(-1, keepdim=True) + 1e-6)
    return (share_of[..., None] * moved).sum(2), weight.amax(-1)


def person_area(model: PoseModel, points: Tensor, mask: Tensor, has_mask: Tensor, side: int) -> Tensor:
    """How much each pixel of the target counts, [B, 1, side, side]: the mask where known, else capsules on the limbs.

    Args:
        model: A model whose reconstructor transports.
        points: Target points [B, J, 2] in shares.
        mask: [B, S, S] uint8, 255 on the person.
        has_mask: [B] bool.
        side: Of the result.
    """
    if not isinstance(model.reconstructor, TransportReconstructor):
        raise TypeError("limb masks need the transporting reconstructor")
    known = F.adaptive_avg_pool2d(mask[:, None].float() / 255, side)
    return pixel_weight(torch.where(has_mask.view(-1, 1, 1, 1), known, model.reconstructor.limb_area(points, side)))
