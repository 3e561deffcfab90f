"""Online: a step for every frame as it comes, predict it with the weights so far, carry on."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ttpose.adaptation.adapter import Adapter
from ttpose.adaptation.guard.held_out import held_out
from ttpose.adaptation.guard.selection import chosen, run_guard
from ttpose.adaptation.losses import Clip
from ttpose.adaptation.losses.distillation import Distillation
from ttpose.adaptation.losses.keypoints import SelfTraining
from ttpose.adaptation.losses.reconstruction import Reconstruction
from ttpose.adaptation.offline import build_losses
from ttpose.adaptation.personalize import Personalized
from ttpose.adaptation.pseudo_labels import distillation_targets, pseudo_labels
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.core.progress import Progress
from ttpose.inference.crops import PersonCrop
from ttpose.inference.pipeline import predict_crops
from ttpose.inference.prediction import TTAPrediction, join
from ttpose.inference.tta import TTA_VIEWS, predict_tta
from ttpose.models.engine import compiled
from ttpose.models.person import PersonDelta
from ttpose.models.pose_model import PoseModel


class OnlineAdapter:
    """Adapts along a stream (Li et al. 2021, section 3.4): memory stays bounded by `settings.max_crops`.

    The pseudo-labels, where there are any, are the base's, so that errors do not feed on themselves.

    Args:
        base: The model to start from.
        settings: How; `steps` says nothing here, every frame takes `frame_steps`.
    """

    def __init__(self, base: PoseModel, settings: PersonalizeSettings) -> None:
        self.settings = settings
        self._seen: list[PersonCrop] = []
        self._frames = 0
        self._teacher = compiled(base)
        empty = Clip([], np.zeros((0, len(base.skeleton), 3)))
        self.adapter = Adapter(base, build_losses(empty, base, settings), settings)
        #: What predicts: `settings.interpolation` of the change so far.
        self.model = self.adapter.average if settings.interpolation == 1 else copy.deepcopy(base).eval()

    def advance(self, crop: PersonCrop) -> TTAPrediction:
        """Learn from one frame, then predict it."""
        rng = self.adapter.rng
        self._remember(crop)
        if self.settings.reset_per_frame:
            self._restart()
        for loss_term in self.adapter.losses:
            if isinstance(loss_term, (SelfTraining, Distillation)):
                keep_maps = isinstance(loss_term, Distillation)
                seen = predict_tta(self._teacher, [crop], TTA_VIEWS[: self.settings.teacher_views], keep_maps=keep_maps)
                skeleton = self.adapter.base.skeleton
                labels = pseudo_labels(seen, [crop], skeleton, self.settings)
                loss_term.set_targets(
                    distillation_targets(seen, [crop], *labels, skeleton, grid=self.adapter.base.config.crop)
                )
        for _ in range(self.settings.frame_steps):
            sources = [self._seen[i] for i in rng.integers(len(self._seen), size=self.settings.batch)]
            self.adapter.step([crop] * self.settings.batch, sources, first_plain=True)
        self._weaken()
        return predict_crops(self.model, [crop], replace(self.settings.refine, ensemble=False))

    def run(self, crops: Iterable[PersonCrop]) -> Iterator[TTAPrediction]:
        """`advance` for each frame."""
        for crop in crops:
            yield self.advance(crop)

    def _remember(self, crop: PersonCrop) -> None:
        """Keep a random sample of the frames so far, each as likely as any (reservoir sampling), and the newest."""
        if len(self._seen) == self.settings.max_crops:
            before, place = self._seen.pop(), int(self.adapter.rng.integers(self._frames))
            if place < len(self._seen):
                self._seen[place] = before
        self._seen.append(crop)
        self._frames += 1

    @torch.no_grad()
    def _weaken(self) -> None:
        """Bring what predicts up to date."""
        if self.model is self.adapter.average:
            return
        weights = (model.parameters() for model in (self.model, self.adapter.base, self.adapter.average))
        for kept, start, learned in zip(*weights, strict=True):
            torch.lerp(start, learned, self.settings.interpolation, out=kept)

    def _restart(self) -> None:
        """Forget what earlier frames targets."""
        self.adapter.restart()
        for loss_term in self.adapter.losses:
            if isinstance(loss_term, Reconstruction):
                loss_term.perceptual.reset()


@dataclass(frozen=True, kw_only=True)
class Streamed(Personalized):
    """An online personalization of one clip.

    Attributes:
        prediction: Of each crop, by the weights that had learned from it and those before; where the guard took back a
            part of the change, by the weights that it chose.
    """

    prediction: TTAPrediction


def personalize_stream(
    base: PoseModel,
    crops: Sequence[PersonCrop],
    settings: PersonalizeSettings,
    *,
    ensemble: np.ndarray | None = None,
    base_sha256: str = "",
    progress: Progress | None = None,
) -> Streamed:
    """Learn from each crop as it comes and predict it; at the end the guard checks the last weights.

    Args:
        base: Stays as it is.
        crops: Of one clip, in order of time.
        settings: How.
        ensemble: [N, K, 4] what the ensemble's second network predicted for the crops; None leaves it out.
        base_sha256: Fingerprint of the base's file, for the delta.
        progress: Receives progress.
    """
    progress, clock = progress or Progress(), time.perf_counter()
    stream, parts = OnlineAdapter(base, settings), []
    with progress.stage("adapt and predict", len(crops)) as advance:
        for prediction in stream.run(crops):
            parts.append(prediction)
            advance(1)
    adapted = time.perf_counter()
    whole = PersonDelta.between(base, stream.adapter.average, base_sha256, weight=settings.interpolation)
    report = run_guard(base, whole, checked_online(crops), settings, learned_from=True, progress=progress)
    delta = chosen(whole, report)
    model, everything = delta.apply(base).eval(), join(parts)
    checked = time.perf_counter()
    if report.decision != "personalized":
        with progress.stage("predict", len(crops)) as advance:
            everything = predict_crops(compiled(model), crops, replace(settings.refine, ensemble=False), advance)
    timings = {"adapt_s": adapted - clock, "guard_s": checked - adapted, "predict_s": time.perf_counter() - checked}
    together = replace(everything, ensemble=ensemble)
    return Streamed(model, delta, whole, report, stream.adapter.history, timings, prediction=together)


def checked_online(crops: Sequence[PersonCrop]) -> list[PersonCrop]:
    """The crops that the guard checks at the end of a stream; learning saw none of them more often than others."""
    return [crops[i] for i in held_out(crops)] or list(crops)
