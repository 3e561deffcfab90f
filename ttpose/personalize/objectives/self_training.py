"""Self-training: random views must agree with what many views of the whole clip said of the same frame.

After Charles et al. 2016 (personalizing human video pose) and the video adaptation of DeepLabCut, with confidence
filtering; the pseudo-labels come from `ttpose.personalize.teacher`.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ttpose import geometry
from ttpose.model.bottleneck import draw_gaussians
from ttpose.personalize.augment import carry_keypoints
from ttpose.personalize.objectives import Clip, Step

_STRIDE = 4
# A heatmap's few cells at the peak weigh as much as its many empty ones: 4,096 cells, about 14 above half height.
_PEAK_WEIGHT = 20.0
_PEAK_HEIGHT = 0.9  # pseudo-labels are not certain; MoveNet's own sure peaks end near it
_OFFSET_WEIGHT = 0.02
_TINY = 1e-4


class SelfTraining:
    """Cross-entropy between supervised heatmaps and Gaussians at the pseudo-labels, weighted by their trust."""

    name = "self_training"

    def __init__(self, clip: Clip, weight: float) -> None:
        self.weight = weight
        self._labels: dict[int, np.ndarray] = {}
        self.teach(clip)

    def teach(self, clip: Clip) -> None:
        """Take in a clip's pseudo-labels; what was known of other frames is forgotten."""
        self._labels = {crop.index: label for crop, label in zip(clip.crops, clip.labels, strict=True)}

    def loss(self, step: Step) -> Tensor:
        """Mean over trusted keypoints."""
        mirror = step.model.skeleton.flip
        labels = np.stack([
            carry_keypoints(self._labels[crop.index], matrix, warp.flip, mirror)
            for crop, matrix, warp in zip(step.targets, step.matrices, step.warps, strict=True)
        ])  # fmt: skip
        maps = step.output.supervised.float()
        size = maps.shape[-1]
        points = torch.from_numpy(geometry.crop_to_heatmap(labels[..., :2], _STRIDE)).to(maps)
        inside = ((points > -0.5) & (points < size - 0.5)).all(-1)
        trust = torch.from_numpy(labels[..., 2]).to(maps) * inside
        drawn = draw_gaussians(points, size, step.model.config.target_sigma)
        error = F.binary_cross_entropy(maps.clamp(_TINY, 1 - _TINY), drawn * _PEAK_HEIGHT, reduction="none")
        error = (error * (1 + _PEAK_WEIGHT * drawn)).mean((2, 3))
        if step.output.encoded.offsets is not None:
            error = error + _OFFSET_WEIGHT * _offset_error(step.output.encoded.offsets.float(), points)
        return (error * trust).sum() / trust.sum().clamp_min(1)


def _offset_error(offsets: Tensor, points: Tensor) -> Tensor:
    """L1 error [B, K] of the offset head [B, K, 2, h, w] in the cell of each point [B, K, 2]."""
    size = offsets.shape[-1]
    # MoveNet counts offsets so that crop pixel = 4 · (cell + offset).
    wanted = points + 0.375
    cell = wanted.floor().long().clamp(0, size - 1)
    flat = (cell[..., 1] * size + cell[..., 0])[:, :, None, None].expand(-1, -1, 2, 1)
    found = offsets.flatten(3).gather(3, flat)[..., 0]
    return (found - (wanted - cell)).abs().sum(-1)
