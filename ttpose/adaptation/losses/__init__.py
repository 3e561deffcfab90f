"""Self-supervised losses: small interchangeable parts of an adaptation's loss, one a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor

from ttpose.inference.crops import PersonCrop
from ttpose.inference.warps import Warp
from ttpose.models.pose_model import PoseModel, PoseOutput


@dataclass(frozen=True)
class Step:
    """What one optimiser step sees.

    Attributes:
        model: The learning model.
        average: Its running average, which predicts; the model itself where there is no average.
        base: The model before personalization, frozen.
        targets: The views' crops.
        warps: The views' random warps.
        images: Normalised views [B, 3, S, S].
        matrices: Each view's map from its cut-out to the view.
        sources: For each view a crop of the same person in another frame, for reconstruction.
        output: What the model says of the views, with gradients.
        rng: The adaptation's random numbers.
    """

    model: PoseModel
    average: PoseModel
    base: PoseModel
    targets: Sequence[PersonCrop]
    warps: Sequence[Warp]
    images: Tensor
    matrices: Sequence[np.ndarray]
    sources: Sequence[PersonCrop]
    output: PoseOutput
    rng: np.random.Generator


class Loss(Protocol):
    """One term of the loss."""

    name: str
    weight: float

    def loss(self, step: Step) -> Tensor:
        """The term's value for a step, a scalar with gradients; not yet weighted."""


@dataclass(frozen=True)
class Clip:
    """What losses may know of the clip beforehand: its crops, and what the teacher says of them.

    Attributes:
        crops: The samples.
        labels: Pseudo-labels [N, K, 3] in each cut-out's pixels; the third value says how far to trust one, 0..1.
        maps: The teacher's heatmaps [N, K, g, g] over each crop's plain view, empty ones where there is no target; None
            where nobody asks for them.
    """

    crops: Sequence[PersonCrop]
    labels: np.ndarray
    maps: Tensor | None = None

    def part(self, rows: Sequence[int]) -> Clip:
        """Some of the samples."""
        chosen = None if self.maps is None else self.maps[list(rows)]
        return Clip([self.crops[i] for i in rows], self.labels[list(rows)], chosen)
