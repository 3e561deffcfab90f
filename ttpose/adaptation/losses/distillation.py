"""Distillation: random views must say what many views of the same frame said together, map for map.

Knowledge distillation (Hinton et al. 2015) of test-time augmentation. Whole maps are gentler targets than labels:
where the teacher is in doubt, its doubt is the target, and where the model agrees with it there is no gradient at all.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ttpose.adaptation.losses import Clip, Step
from ttpose.adaptation.losses.heatmaps import divergence, off_the_ends, peak_weight
from ttpose.core import geometry
from ttpose.inference.crops import PersonCrop
from ttpose.inference.tta import resample
from ttpose.inference.warps import Warp


class Distillation:
    """Weighted Kullback–Leibler divergence, cell by cell, of the supervised maps from the teacher's.

    Args:
        clip: With the teacher's maps, empty ones where there is no target.
        weight: Of the term.
    """

    name = "distillation"

    def __init__(self, clip: Clip, weight: float) -> None:
        self.weight = weight
        self._maps: dict[int, Tensor] = {}
        self.set_targets(clip)

    def set_targets(self, clip: Clip) -> None:
        """Take in a clip's maps; what was known of other frames is forgotten."""
        maps = [] if clip.maps is None else list(clip.maps)
        self._maps = {crop.index: own for crop, own in zip(clip.crops, maps, strict=False)}

    def loss(self, step: Step) -> Tensor:
        """Mean over all cells of all maps."""
        crop, mirror = step.model.config.crop, list(step.model.skeleton.flip)
        found = step.output.supervised.float()
        wanted = torch.stack([
            self._of(crop, warp, mirror) for crop, warp in zip(step.targets, step.warps, strict=True)
        ]).to(found)  # fmt: skip
        to_plain = [
            geometry.compose(target.matrix(crop), geometry.invert(matrix))
            for target, matrix in zip(step.targets, step.matrices, strict=True)
        ]
        known = wanted.amax((2, 3)) > 0  # an empty map is no target
        wanted = off_the_ends(resample(wanted, to_plain, crop, (found.shape[2], found.shape[3])))
        error = divergence(found, wanted, step.model.config.bounded)
        return (error * peak_weight(wanted) * known[..., None, None]).mean()

    def _of(self, crop: PersonCrop, warp: Warp, mirror: list[int]) -> Tensor:
        own = self._maps[crop.index].float()
        return own[mirror] if warp.flip else own
