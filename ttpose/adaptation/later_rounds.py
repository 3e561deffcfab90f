"""Later rounds of learning from corrected frames, each with new pseudo-labels for the other frames.

In the first round the distillation targets of the other frames are the base's, so that nothing it knew is lost. But
where the base is wrong, so are they, and they pull against what the person corrected. The model that has learned from
the corrected frames errs less: its own prediction, refined with the corrections pinned, gives the pseudo-labels of the
next round, as far as it can be trusted (self-training whose teacher is replaced by its student after every round: noisy
student, Xie et al., CVPR 2020).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from ttpose.adaptation.labels import TrainingLabels, corrected_frames
from ttpose.adaptation.losses import Clip
from ttpose.adaptation.refined_labels import refined_labels
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.adaptation.supervised import adapt_to_corrections
from ttpose.core.progress import Progress
from ttpose.corrections.model import FrameCorrection
from ttpose.inference.crops import PersonCrop
from ttpose.inference.pipeline import predict_crops
from ttpose.models.engine import compiled
from ttpose.models.pose_model import PoseModel

# Refined keypoints that are trusted less than this are no pseudo-labels: a score of 0.5 of which the refinement's steps
# agree to a third.
_LEAST_TRUST = 0.15


def learn_again(
    learned: PoseModel,
    labels: TrainingLabels,
    corrections: Mapping[int, FrameCorrection],
    ensemble: np.ndarray | None,
    settings: PersonalizeSettings,
    progress: Progress | None = None,
) -> PoseModel:
    """Learn in further rounds from all corrected frames, and from the learned model's pseudo-labels of the others.

    Args:
        learned: What came of the first round; it stays as it is.
        labels: The first round's, of N crops.
        corrections: By the crops' numbers.
        ensemble: [N, K, 4] what the ensemble's second network predicted for the crops, or None.
        settings: As in the first round.
        progress: Receives progress.
    """
    progress, how, crops = progress or Progress(), settings.corrections, labels.corrected.crops
    views = replace(settings.refine, views=settings.teacher_views)
    said = corrected_frames(corrections, [crop.index for crop in crops], len(learned.skeleton))
    for number in range(how.later_rounds):
        name = f"round {number + 2} of {how.later_rounds + 1}"
        with progress.stage(f"predict other frames ({name})", len(crops)) as advance:
            teacher = predict_crops(compiled(learned), crops, views, advance, ensemble=ensemble, keep_maps=True)
        refined = refined_labels(teacher, crops, learned.skeleton, settings, learned.config.crop, said)
        again = TrainingLabels(labels.corrected, _trusted(refined, crops, corrections))
        # Other draws in each round, as in each part of the first.
        seed = settings.seed + how.folds + number
        own = replace(settings, seed=seed, corrections=replace(how, rate=how.later_rate))
        with progress.stage(f"learn from all frames ({name})", how.later_steps) as advance:
            learned = adapt_to_corrections(learned, again, own, how.later_steps, advance).average
    return learned


def _trusted(clip: Clip, crops: Sequence[PersonCrop], corrections: Mapping[int, FrameCorrection]) -> Clip:
    """The clip without the maps of joints that are trusted little, or that the person said something of."""
    if clip.maps is None:
        return clip
    left = clip.labels[..., 2] < _LEAST_TRUST
    for row, crop in enumerate(crops):
        if crop.index in corrections:
            left[row] |= corrections[crop.index].corrected
    clip.maps[torch.from_numpy(left)] = 0
    return clip
