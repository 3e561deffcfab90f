"""Rotation: which quarter turn was a view given? Test-time training with that task (Sun et al. 2020), a baseline."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ttpose.adaptation.losses import Step
from ttpose.core.errors import UsageError
from ttpose.models.other_heads import QUARTER_TURNS, turned


class Rotation:
    """Cross-entropy of the quarter turns, as in training.

    Args:
        weight: Of the term.
    """

    name = "rotation"

    def __init__(self, weight: float) -> None:
        self.weight = weight

    def loss(self, step: Step) -> Tensor:
        """Mean over views, each given a random turn; raises UsageError where the model never learned the task."""
        if step.model.config.self_task != "rotation":
            raise UsageError("this model has not learned to predict rotations", "train it with --method rotation")
        turns = torch.from_numpy(step.rng.integers(QUARTER_TURNS, size=len(step.images))).to(step.images.device)
        features = step.model.encoder(turned(step.images, turns)).features
        return F.cross_entropy(step.model.rotation_head(features).float(), turns)
