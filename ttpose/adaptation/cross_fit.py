"""Learning from corrected frames in parts: each part's model is measured on the frames it left out, their mean is used.

The corrected frames are dealt into a few parts, and for each part a model learns from the others. So every corrected
frame is predicted by a model that has not seen it, which is what the guard needs, and no step is spent on the guard
alone: the mean of the models' weights has learned from all of them. Models that start from the same weights stay close
enough for that, and the mean is the steadier one (model soups, Wortsman et al., ICML 2022, section 3).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from ttpose.adaptation.guard.leave_one_out import LeaveOneOut, measure_left_out
from ttpose.adaptation.labels import TrainingLabels
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.adaptation.supervised import adapt_to_corrections
from ttpose.core.progress import Progress
from ttpose.models.pose_model import PoseModel


@dataclass(frozen=True)
class CrossFit:
    """What was learned from corrected frames in parts.

    Attributes:
        model: The mean of the parts' weights.
        left_out: Errors in the corrected frames, each by the model that had not seen it; None without a guard.
        history: Loss terms of each step, the parts' mean.
    """

    model: PoseModel
    left_out: LeaveOneOut | None
    history: list[dict[str, float]]


def cross_fit(
    base: PoseModel, labels: TrainingLabels, settings: PersonalizeSettings, progress: Progress | None = None
) -> CrossFit:
    """Learn once for each part of the corrected frames, without it; measure on it where there is a guard.

    Args:
        base: The model to start from; it stays as it is.
        labels: Of crops, at least two of them corrected.
        settings: `corrections` says into how many parts, and in how many steps is learned.
        progress: Receives progress.
    """
    how, rows = settings.corrections, labels.supervised_rows
    count = min(how.folds, len(rows))
    models, histories, measured = [], [], []
    with (progress or Progress()).stage("learn from corrections", count * how.fold_steps) as advance:
        for part in range(count):
            left_out = rows[part::count]
            # Other augmentation for each: errors that have nothing in common cancel in the mean.
            own = replace(settings, seed=settings.seed + part)
            adapter = adapt_to_corrections(base, labels.without(left_out), own, how.fold_steps, advance)
            if settings.guard:
                measured.append(measure_left_out(base, adapter.average, labels.corrected.part(left_out), settings))
            models.append(adapter.average)
            histories.append(adapter.history)
    return CrossFit(_mean(models), LeaveOneOut.of(measured) if measured else None, _mean_history(histories))


def _mean(models: Sequence[PoseModel]) -> PoseModel:
    """A model with the mean of the weights of models of one structure."""
    mean = copy.deepcopy(models[0])
    states = [model.state_dict() for model in models]
    with torch.no_grad():
        for name, value in mean.state_dict().items():
            if value.is_floating_point():
                value.copy_(torch.stack([state[name] for state in states]).mean(0))
    return mean.eval()


def _mean_history(histories: Sequence[list[dict[str, float]]]) -> list[dict[str, float]]:
    """Step by step; a term that a part lacks (all its corrected frames were left out) counts where it is."""
    means = []
    for steps in zip(*histories, strict=True):
        names = dict.fromkeys(name for step in steps for name in step)
        known = {name: [step[name] for step in steps if name in step] for name in names}
        means.append({name: sum(values) / len(values) for name, values in known.items()})
    return means
