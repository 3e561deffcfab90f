"""Adaptation to corrected frames: each step learns from some of them and distils others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ttpose.adaptation.adapter import Adapter
from ttpose.adaptation.labels import TrainingLabels
from ttpose.adaptation.losses import Loss
from ttpose.adaptation.losses.distillation import Distillation
from ttpose.adaptation.losses.supervised import Supervised
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.core.progress import Advance
from ttpose.inference.crops import PersonCrop
from ttpose.models.pose_model import PoseModel


def adapt_to_corrections(
    base: PoseModel,
    labels: TrainingLabels,
    settings: PersonalizeSettings,
    steps: int,
    advance: Advance | None = None,
) -> Adapter:
    """Take so many steps; the adapter's `average` is the result.

    Args:
        base: The model to start from; it stays as it is.
        labels: Of crops, some of them corrected.
        settings: `corrections`, the average, augmentation and random seed are used.
        steps: How many.
        advance: Called with 1 for each step.
    """
    how = settings.corrections
    settings = replace(
        settings, pose_rate=how.rate, frozen=how.frozen, interpolation=1.0, reconstruction=0.0, decoder_warmup=0
    )
    losses: list[Loss] = [Supervised(labels.corrected, 1.0), Distillation(labels.distilled, 1.0)]
    adapter = Adapter(base, losses, settings)
    crops, supervised = labels.corrected.crops, labels.supervised_rows
    corrected = [crops[row] for row in supervised]
    others = [crops[row] for row in sorted(set(range(len(crops))) - set(supervised))]
    for _ in range(steps):
        # Corrected ones first: views that are computed together are then of one kind, and each kind counts half.
        targets = _draw(adapter.rng, corrected, how.corrected_batch) + _draw(adapter.rng, others, how.distilled_batch)
        adapter.step(targets, targets)
        if advance is not None:
            advance(1)
    return adapter


def _draw(rng: np.random.Generator, crops: Sequence[PersonCrop], count: int) -> list[PersonCrop]:
    """So many random crops, each at most once where there are enough; none of none."""
    if not crops:
        return []
    return [crops[i] for i in rng.choice(len(crops), count, replace=len(crops) < count)]
