"""Online: a step for every frame as it comes, predict it with the weights so far, carry on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from ttpose.model.pose_model import PoseModel
from ttpose.personalize.adapt import Adapter
from ttpose.personalize.crops import PersonCrop
from ttpose.personalize.objectives import Clip
from ttpose.personalize.objectives.distillation import Distillation
from ttpose.personalize.objectives.reconstruction import Reconstruction
from ttpose.personalize.objectives.self_training import SelfTraining
from ttpose.personalize.offline import build_objectives
from ttpose.personalize.settings import PersonalizeSettings
from ttpose.personalize.teacher import lessons, pseudo_labels
from ttpose.personalize.views import VIEWS, Observation, observe


class OnlineAdapter:
    """Adapts along a stream (Li et al. 2021, section 3.4): memory stays bounded by `settings.max_crops`.

    Args:
        base: The model to start from.
        settings: How; `steps` says nothing here, every frame takes `frame_steps`.
    """

    def __init__(self, base: PoseModel, settings: PersonalizeSettings) -> None:
        self.settings = settings
        self._seen: list[PersonCrop] = []
        self._frames = 0
        empty = Clip([], np.zeros((0, len(base.skeleton), 3)))
        self.adapter = Adapter(base, build_objectives(empty, base, settings), settings)

    def advance(self, crop: PersonCrop) -> Observation:
        """Learn from one frame, then say what is in it."""
        rng = self.adapter.rng
        self._remember(crop)
        if self.settings.reset_per_frame:
            self._restart()
        for objective in self.adapter.objectives:
            if isinstance(objective, (SelfTraining, Distillation)):
                keep_maps = isinstance(objective, Distillation)
                seen = observe(self.adapter.average, [crop], VIEWS[: self.settings.views], keep_maps=keep_maps)
                skeleton = self.adapter.base.skeleton
                labels = pseudo_labels(seen, [crop], skeleton, self.settings)
                objective.teach(lessons(seen, [crop], *labels, skeleton))
        for _ in range(self.settings.frame_steps):
            sources = [self._seen[i] for i in rng.integers(len(self._seen), size=self.settings.batch)]
            self.adapter.step([crop] * self.settings.batch, sources, first_plain=True)
        return observe(self.adapter.average, [crop], VIEWS[: self.settings.predict_views])

    def run(self, crops: Iterable[PersonCrop]) -> Iterator[Observation]:
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

    def _restart(self) -> None:
        """Forget what earlier frames taught."""
        self.adapter.restart()
        for objective in self.adapter.objectives:
            if isinstance(objective, Reconstruction):
                objective.perceptual.reset()
