"""Offline: adapt on frames of the whole clip, then predict with the final weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ttpose.adaptation.adapter import Adapter
from ttpose.adaptation.losses import Clip, Loss
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.core.progress import Progress
from ttpose.inference.crops import PersonCrop
from ttpose.models.pose_model import PoseModel


def build_losses(clip: Clip, base: PoseModel, settings: PersonalizeSettings) -> list[Loss]:
    """The losses that the settings give a weight.

    Raises:
        WeightsError: The paper's reconstruction needs VGG16 weights and there are none.
    """
    found: list[Loss] = []
    if settings.reconstructs:
        from ttpose.adaptation.losses.reconstruction import Reconstruction
        from ttpose.models.perceptual_features import perceptual_loss

        loss = perceptual_loss(base, settings.perceptual)
        how = settings.augmentation
        found.append(Reconstruction(settings.reconstruction, loss, settings.reconstruction_batch, how))
    if settings.distillation > 0:
        from ttpose.adaptation.losses.distillation import Distillation

        found.append(Distillation(clip, settings.distillation))
    if settings.self_training > 0:
        from ttpose.adaptation.losses.keypoints import SelfTraining

        found.append(SelfTraining(clip, settings.self_training))
    if settings.supervised > 0:
        from ttpose.adaptation.losses.supervised import Supervised

        found.append(Supervised(clip, settings.supervised))
    if settings.anchor > 0:
        from ttpose.adaptation.losses.anchor import Anchor

        found.append(Anchor(settings.anchor))
    if settings.baseline is not None:
        from ttpose.adaptation.methods import baseline_loss

        found.append(baseline_loss(settings.baseline, clip))
    return found


def adapt_offline(
    base: PoseModel, clip: Clip, settings: PersonalizeSettings, progress: Progress | None = None
) -> Adapter:
    """Take the settings' steps on random pairs of the clip's crops; the adapter's `average` is the result."""
    adapter = Adapter(base, build_losses(clip, base, settings), settings)
    steps = (settings.steps or len(clip.crops)) + settings.decoder_warmup
    with (progress or Progress()).stage("adapt", steps) as advance:
        for _ in range(steps):
            targets = _draw(adapter.rng, clip.crops, settings.batch)
            adapter.step(targets, _other_frames(adapter.rng, clip.crops, targets))
            advance(1)
    return adapter


def _draw(rng: np.random.Generator, crops: Sequence[PersonCrop], count: int) -> list[PersonCrop]:
    return [crops[i] for i in rng.choice(len(crops), count, replace=len(crops) < count)]


def _other_frames(
    rng: np.random.Generator, crops: Sequence[PersonCrop], targets: Sequence[PersonCrop]
) -> list[PersonCrop]:
    """A random frame for each target: another one of its clip, or of any clip where it is the only one of its own."""
    found = []
    for target in targets:
        # The same person may wear something else in another clip, and cannot be reconstructed from there.
        own = [crop for crop in crops if crop.clip == target.clip]
        own = own if len(own) > 1 else list(crops)
        source = own[int(rng.integers(len(own)))]
        while len(own) > 1 and source.index == target.index:
            source = own[int(rng.integers(len(own)))]
        found.append(source)
    return found
