"""Reconstruction by transport: the source's look is carried, limb by limb, to where the target's keypoints say.

The colours of a reconstruction come from the source image by construction, so a misplaced keypoint puts the right
colour in the wrong place, and the way to a lower error is to move the keypoint. Related: deformable skip connections
(Siarohin et al. 2018), part-based disentangling (Lorenz et al. 2019), Transporter (Kulkarni et al. 2019).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ttpose.core.skeleton import Skeleton

# Widths of limb masks (standard deviation across the limb) in shares of the crop's side: an arm or leg of a person
# who fills the crop is about 5 % of it wide, the trunk and head about 15 %.
_LIMB_WIDTH, _TRUNK_WIDTH, _FREE_WIDTH = 0.028, 0.06, 0.04
_AREA_WIDTH = 1.6  # a limb with its clothes over the limb's mask
_SMALL = 1e-4


class BodyParts(nn.Module):
    """Turns keypoints into part segments: limbs, trunk, head, and one blob for each free self-supervised point.

    Args:
        skeleton: Supervised keypoint set, whose points come first.
        num_points: Number of self-supervised points J; those beyond the skeleton are free.
    """

    starts: Tensor
    ends: Tensor
    widths: Tensor

    def __init__(self, skeleton: Skeleton, num_points: int) -> None:
        super().__init__()
        starts, ends, widths = _segments(skeleton, num_points)
        self.bones = len(widths) - (num_points - len(skeleton))  # parts between keypoints; free points' blobs follow
        self.register_buffer("starts", starts, persistent=False)
        self.register_buffer("ends", ends, persistent=False)
        self.register_buffer("widths", widths, persistent=False)

    def forward(self, points: Tensor) -> Tensor:
        """Segments [B, P, 2 ends, 2] of points [B, J, 2]."""
        return torch.stack([self.starts @ points, self.ends @ points], 2)


def _segments(skeleton: Skeleton, num_points: int) -> tuple[Tensor, Tensor, Tensor]:
    """Rows of averaging weights over the points for both ends of each part, and the parts' widths."""

    def mean_of(*names: str) -> Tensor:
        row = torch.zeros(num_points)
        for name in names:
            row[skeleton.index(name)] = 1 / len(names)
        return row

    shoulders, hips = ("left_shoulder", "right_shoulder"), ("left_hip", "right_hip")
    chains = (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))
    parts = [
        (mean_of(f"{side}_{a}"), mean_of(f"{side}_{b}"), _LIMB_WIDTH) for side in ("left", "right") for a, b in chains
    ]
    parts += [(mean_of(f"{side}_shoulder"), mean_of(f"{side}_hip"), _LIMB_WIDTH) for side in ("left", "right")]
    parts += [(mean_of(*shoulders), mean_of(*hips), _TRUNK_WIDTH), (mean_of(*hips), mean_of(*hips), _TRUNK_WIDTH)]
    parts += [(mean_of("left_ear", "right_ear"), mean_of(*shoulders), _LIMB_WIDTH)]
    parts += [(mean_of("left_ear", "right_ear"), mean_of("nose"), _TRUNK_WIDTH)]
    for free in range(len(skeleton), num_points):
        row = torch.zeros(num_points)
        row[free] = 1
        parts.append((row, row, _FREE_WIDTH))
    starts, ends, widths = zip(*parts, strict=True)
    return torch.stack(starts), torch.stack(ends), torch.tensor(widths)


def part_masks(segments: Tensor, widths: Tensor, size: int) -> Tensor:
    """Soft capsules about segments.

    Args:
        segments: [B, P, 2, 2], ends (x, y) in shares of the side, -0.5..0.5 for the image.
        widths: [P], standard deviation across, in the same unit.
        size: Side of the masks.

    Returns:
        [B, P, size, size], 0..1.
    """
    start, end = segments[:, :, 0, None], segments[:, :, 1, None]
    pixels = _pixel_grid(size, segments).view(1, 1, size * size, 2)
    along = end - start
    share = ((pixels - start) * along).sum(-1) / (along.square().sum(-1) + _SMALL)
    nearest = start + share.clamp(0, 1)[..., None] * along
    distance = (pixels - nearest).square().sum(-1)
    return torch.exp(-distance / (2 * widths[:, None] ** 2)).unflatten(-1, (size, size))


def part_maps(source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Affine maps that take the target's image plane to the source's, one a part.

    Along a segment the map stretches by the ratio of lengths, across it by the ratio of the two persons' sizes, so a
    foreshortened limb keeps its thickness.

    Args:
        source, target: Segments [B, P, 2, 2].

    Returns:
        Linear parts [B, P, 2, 2] and translations [B, P, 2].
    """
    size = _body_size(source) / _body_size(target)
    to, at = source[:, :, 1] - source[:, :, 0], target[:, :, 1] - target[:, :, 0]
    to_length, at_length = (v.square().sum(-1, keepdim=True).add(_SMALL**2).sqrt() for v in (to, at))
    # A blob or a limb seen end on has no direction: fade to the identity rotation and the size ratio.
    firm = (at_length / (at_length + 0.02)) * (to_length / (to_length + 0.02))
    to_axis, at_axis = to / to_length, at / at_length
    stretch = (to_length / (at_length + 0.02)).clamp(0.3, 3.0)
    rotated = stretch[..., None] * to_axis[..., :, None] * at_axis[..., None, :]
    rotated = rotated + size[..., None] * _normal(to_axis)[..., :, None] * _normal(at_axis)[..., None, :]
    plain = size[..., None] * torch.eye(2, device=source.device, dtype=source.dtype)
    linear = firm[..., None] * rotated + (1 - firm[..., None]) * plain
    middle_to, middle_at = source.mean(2), target.mean(2)
    return linear, middle_to - (linear @ middle_at[..., None])[..., 0]


def _normal(axis: Tensor) -> Tensor:
    return torch.stack([-axis[..., 1], axis[..., 0]], -1)


def _body_size(segments: Tensor) -> Tensor:
    """Spread of a person's segments [B, 1, 1]: a size that no single limb decides."""
    middles = segments.mean(2)
    spread = (middles - middles.mean(1, keepdim=True)).square().sum(-1, keepdim=True).mean(1, keepdim=True)
    # At zero, where all points coincide, a root has no gradient.
    return spread.add(_SMALL**2).sqrt() + 0.02


def _pixel_grid(size: int, like: Tensor) -> Tensor:
    line = (torch.arange(size, device=like.device, dtype=like.dtype) + 0.5) / size - 0.5
    return torch.stack(torch.meshgrid(line, line, indexing="xy"), -1)


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class TransportReconstructor(nn.Module):
    """Reconstructs the target from the source's image, the source's points and the target's points.

    Args:
        skeleton: Supervised keypoint set, whose points come first.
        num_points: Number of self-supervised points J.
        width: Channels of the transported appearance.
    """

    def __init__(self, skeleton: Skeleton, num_points: int, width: int = 16) -> None:
        super().__init__()
        self.parts = BodyParts(skeleton, num_points)
        count = len(self.parts.widths)
        self.appearance = nn.Sequential(_conv(3, 16), _conv(16, 24, 2), _conv(24, width))
        self.enter = _conv(2 * (width + 3) + 1 + count, 48)
        self.down, self.deep = _conv(48, 64, 2), nn.Sequential(_conv(64, 64), _conv(64, 48))
        self.up = _conv(48 + 48, 48)
        self.leave = nn.Sequential(
            _conv(48, 32), nn.Upsample(scale_factor=2, mode="nearest"), _conv(32, 16), nn.Conv2d(16, 3, 3, 1, 1)
        )

    def forward(self, source: Tensor, source_points: Tensor, target_points: Tensor) -> Tensor:
        """Reconstruct the target.

        Args:
            source: Normalised images [B, 3, R, R].
            source_points: [B, J, 2], (x, y) in shares of the side, -0.5..0.5.
            target_points: The same of the target.

        Returns:
            Normalised images [B, 3, R, R].
        """
        look = torch.cat([self.appearance(source), F.avg_pool2d(source, 2)], 1)
        carried, masks = self.carry(look, self.parts(source_points), self.parts(target_points))
        x = self.enter(torch.cat([carried, look, masks.amax(1, keepdim=True), masks], 1))
        deep = F.interpolate(self.deep(self.down(x)), scale_factor=2, mode="bilinear", align_corners=False)
        # The decoder corrects what was carried; it does not draw from nothing.
        reconstructed = F.interpolate(carried[:, -3:], scale_factor=2, mode="bilinear", align_corners=False)
        return reconstructed + self.leave(self.up(torch.cat([x, deep], 1)))

    def carry(self, look: Tensor, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Warp every part of the source's look to the target and blend by the parts' masks.

        Returns:
            Carried look [B, C, h, w] and target masks [B, P, h, w].
        """
        batch, channels, size, _ = look.shape
        count = source.shape[1]
        masks = part_masks(target, self.parts.widths, size)
        linear, shift = part_maps(source, target)
        grid = torch.einsum("bpij,yxj->bpyxi", linear, _pixel_grid(size, look)) + shift[:, :, None, None]
        # One sampling of the image for all parts: the parts' grids stand below each other.
        sampled = F.grid_sample(look, 2 * grid.reshape(batch, count * size, size, 2), align_corners=False)
        weights = masks**2
        weights = weights / (weights.sum(1, keepdim=True) + 0.05)
        return torch.einsum("bcphw,bphw->bchw", sampled.view(batch, channels, count, size, size), weights), masks

    def limb_area(self, points: Tensor, side: int) -> Tensor:
        """Where the person is: soft capsules on the bones [B, 1, side, side] of `points`, which are as in `forward`."""
        bones = self.parts.bones
        masks = part_masks(self.parts(points)[:, :bones], _AREA_WIDTH * self.parts.widths[:bones], side)
        return masks.amax(1, keepdim=True)


def pixel_weight(area: Tensor) -> Tensor:
    """How much each pixel of a reconstructed frame counts, given where the person is [B, 1, h, w], 0..1.

    The background near the person counts a little: it tells where the person ends. The rest must not move a keypoint.
    """
    return 0.05 + 0.95 * F.max_pool2d(area, 7, 1, 3)
