"""Distillation: random views must say what many views of the same frame said together, map for map.

Knowledge distillation (Hinton et al. 2015) of test-time augmentation, with the teacher's limbs renamed over time. Whole
maps teach more gently than labels do: where the teacher is in doubt, its doubt is the target, and where the model
agrees with it there is no gradient at all.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ttpose import geometry
from ttpose.personalize.augment import Warp
from ttpose.personalize.crops import PersonCrop
from ttpose.personalize.objectives import Clip, Step
from ttpose.personalize.views import resample

# A heatmap's few cells at the peak weigh as much as its many empty ones: 4,096 cells, about 14 above half height.
_PEAK_WEIGHT = 20.0
_TINY = 1e-4


class Distillation:
    """Weighted Kullback–Leibler divergence, cell by cell, of the supervised maps from the teacher's.

    Args:
        clip: With the teacher's maps.
        weight: Of the term.
    """

    name = "distillation"

    def __init__(self, clip: Clip, weight: float) -> None:
        self.weight = weight
        self._maps: dict[tuple[int, int], Tensor] = {}
        self.teach(clip)

    def teach(self, clip: Clip) -> None:
        """Take in a clip's maps; what was known of other frames is forgotten."""
        maps = [] if clip.maps is None else list(clip.maps)
        self._maps = {_key(crop): own for crop, own in zip(clip.crops, maps, strict=False)}

    def loss(self, step: Step) -> Tensor:
        """Mean over all cells of all maps."""
        size, mirror = step.model.config.input_size, list(step.model.skeleton.flip)
        found = step.output.supervised.float().clamp(_TINY, 1 - _TINY)
        wanted = torch.stack([
            self._of(crop, warp, mirror) for crop, warp in zip(step.targets, step.warps, strict=True)
        ]).to(found)  # fmt: skip
        to_plain = [
            geometry.compose(crop.matrix(size), geometry.invert(matrix))
            for crop, matrix in zip(step.targets, step.matrices, strict=True)
        ]
        wanted = resample(wanted, to_plain, size, found.shape[-1]).clamp(_TINY, 1 - _TINY)
        # Minus the teacher's own entropy: zero where the model says the same, so that losses compare.
        error = F.binary_cross_entropy(found, wanted, reduction="none")
        error = error - F.binary_cross_entropy(wanted, wanted, reduction="none")
        return (error * (1 + _PEAK_WEIGHT * wanted)).mean()

    def _of(self, crop: PersonCrop, warp: Warp, mirror: list[int]) -> Tensor:
        own = self._maps[_key(crop)].float()
        return own[mirror] if warp.flip else own


def _key(crop: PersonCrop) -> tuple[int, int]:
    return crop.clip, crop.index
