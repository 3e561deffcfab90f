"""How corrections are learned: every number with its reason (figures in docs/experiments.md)."""

from __future__ import annotations

from dataclasses import dataclass

#: Prefixes of the shipped encoder's early blocks. Edges and textures (strides 2 to 8) are nobody's own; without their
#: gradients a step takes half of the time.
EARLY_BLOCKS = ("encoder.trunk.stem.", *(f"encoder.trunk.blocks.{block}." for block in range(6)))


@dataclass(frozen=True)
class CorrectionSettings:
    """How a model learns from corrected frames.

    Attributes:
        steps: Optimiser steps, where there are fewer than `fewest` corrected frames.
        corrected_batch: Views of corrected frames in a step.
        distilled_batch: Views of other frames in a step, so that the base's knowledge is kept.
        rate: Adam's learning rate.
        frozen: Prefixes of parameters that do not learn.
        folds: Parts of the corrected frames that are left out in turn, at most; a model learns for each.
        fold_steps: Optimiser steps of each of these models.
        later_rounds: Rounds after the first, each with the learned model's own pseudo-labels of the other frames.
        later_steps: Optimiser steps of each.
        later_rate: Adam's learning rate in these.
        fewest: Corrected frames from which on some are left out; with fewer one model learns from all of them, and
            the guard is label-free.
    """

    steps: int = 40
    corrected_batch: int = 4
    # Without distilled frames two of six clips lost up to 18 points of PCK@0.2 by swapped sides.
    distilled_batch: int = 4
    # Twice the label-free rate: labels that are right bear it.
    rate: float = 1e-4
    frozen: tuple[str, ...] = EARLY_BLOCKS
    folds: int = 5
    # The mean of five models of 10 steps needs less time than one of 40 and a guard that learned for itself alone.
    fold_steps: int = 10
    # More steps of the first round gain less: four real clips have .730 / .910 (PCK@0.1 / 0.2) after 5 x 16
    # without a second round, .744 / .922 after 5 x 10 and 60; six rendered people lose far more errors with one. Two
    # rounds of 30 gain a point at 0.2 over one of 60, hardly more than chance (docs/experiments.md).
    later_rounds: int = 2
    later_steps: int = 30
    later_rate: float = 5e-5
    fewest: int = 3
