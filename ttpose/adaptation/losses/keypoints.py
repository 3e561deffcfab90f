"""Self-training: random views must agree with what many views of the whole clip said of the same frame.

After Charles et al. 2016 (personalizing human video pose) and the video adaptation of DeepLabCut, with confidence
filtering; the pseudo-labels come from `ttpose.adaptation.pseudo_labels`.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ttpose.adaptation.losses import Clip, Step
from ttpose.adaptation.losses.heatmaps import gaussian_error
from ttpose.inference.warps import carry_keypoints

_PEAK_HEIGHT = 0.9  # pseudo-labels are not certain; MoveNet's own sure peaks end near it
_OFFSET_WEIGHT = 0.02


class SelfTraining:
    """Cross-entropy between supervised heatmaps and Gaussians at the pseudo-labels, weighted by their trust."""

    name = "self_training"

    def __init__(self, clip: Clip, weight: float) -> None:
        self.weight = weight
        self._labels: dict[int, np.ndarray] = {}
        self.set_targets(clip)

    def set_targets(self, clip: Clip) -> None:
        """Take in a clip's pseudo-labels; what was known of other frames is forgotten."""
        self._labels = {crop.index: label for crop, label in zip(clip.crops, clip.labels, strict=True)}

    def loss(self, step: Step) -> Tensor:
        """Mean over trusted keypoints."""
        points, trust = self.carried(step)
        maps = step.output.supervised.float()
        error, inside = gaussian_error(maps, points, step.model.config, _PEAK_HEIGHT)
        trust = trust * inside
        if step.output.encoded.offsets is not None:
            error = error + _OFFSET_WEIGHT * offset_error(step.output.encoded.offsets.float(), points)
        return (error * trust).sum() / trust.sum().clamp_min(1)

    def carried(self, step: Step) -> tuple[Tensor, Tensor]:
        """The views' labels: points [B, K, 2] in heatmap cells, and their trust [B, K]."""
        mirror = step.model.skeleton.flip
        labels = np.stack([
            carry_keypoints(self._labels[crop.index], matrix, warp.flip, mirror)
            for crop, matrix, warp in zip(step.targets, step.matrices, step.warps, strict=True)
        ])  # fmt: skip
        like, config = step.output.supervised.float(), step.model.config
        points = torch.from_numpy(config.cells.points_from(config.crop, labels[..., :2])).to(like)
        return points, torch.from_numpy(labels[..., 2]).to(like)


def offset_error(offsets: Tensor, points: Tensor) -> Tensor:
    """L1 error [B, K] of the offset head [B, K, 2, h, w] in the cell of each point [B, K, 2]."""
    size = offsets.shape[-1]
    # MoveNet counts offsets so that crop pixel = 4 · (cell + offset).
    wanted = points + 0.375
    cell = wanted.floor().long().clamp(0, size - 1)
    flat = (cell[..., 1] * size + cell[..., 0])[:, :, None, None].expand(-1, -1, 2, 1)
    found = offsets.flatten(3).gather(3, flat)[..., 0]
    return (found - (wanted - cell)).abs().sum(-1)
