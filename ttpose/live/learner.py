"""Learning beside the predictions: a thread that adapts to the newest crops and hands over weights that pass checks."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from dataclasses import dataclass, field, replace

from ttpose.adaptation.adapter import Adapter
from ttpose.adaptation.guard.held_out import RUN
from ttpose.adaptation.guard.metrics import INTERPOLATION, GuardReport
from ttpose.adaptation.guard.selection import select_weights
from ttpose.adaptation.offline import build_losses
from ttpose.adaptation.pseudo_labels import distillation_targets, pseudo_labels
from ttpose.adaptation.settings import PersonalizeSettings, preset_named
from ttpose.core.geometry import Box
from ttpose.inference.crops import PersonCrop, cut_crop
from ttpose.inference.prediction import TTAPrediction, join
from ttpose.inference.tta import TTA_VIEWS, predict_tta
from ttpose.media import Frame
from ttpose.models.engine import PoseNetwork, compiled
from ttpose.models.person import PersonDelta
from ttpose.models.pose_model import PoseModel

_NICENESS = 10


def _settings() -> PersonalizeSettings:
    # The fast preset with fewer views, so that a step takes no longer than a second beside the predictions.
    return replace(preset_named("fast", mode="online"), batch=4, teacher_views=4)


@dataclass(frozen=True)
class LearnSettings:
    """Numbers of learning live.

    Attributes:
        how: Objectives and rates.
        ring: Most crops to learn from, the newest; 0.44 MB each.
        least: Crops before the first step.
        cycle: Of so many crops offered, the first three are kept for checks and never learned from.
        check_runs: Most such runs, the newest.
        check_every: Steps between two checks, after which the weights predict.
    """

    how: PersonalizeSettings = field(default_factory=_settings)
    ring: int = 64
    least: int = 4
    cycle: int = 15  # a fifth is held out, as for clips
    check_runs: int = 3
    check_every: int = 8


@dataclass(frozen=True)
class LearnerState:
    """What learning came to so far.

    Attributes:
        model: The weights to predict with; the start's where nothing was learned or the checks fell back to it.
        network: The same for inference.
        steps: Optimiser steps since the beginning.
        checks: How often the learned weights were checked.
        restarts: How often the checks, or another person, made learning start again.
        report: The last check, or None.
    """

    model: PoseModel
    network: PoseNetwork
    steps: int = 0
    checks: int = 0
    restarts: int = 0
    report: GuardReport | None = None


class Learner:
    """Adapts in a thread of its own; what it holds is bounded.

    The teacher is the start, through several views of each crop, so that errors do not feed on themselves.

    Args:
        start: The weights to start from; they stay as they are.
        settings: Numbers.
        polite: Leave the processor to the predictions where there is not enough for both; for streams that do not wait.
        network: `start` for the predictions. It is not what the teacher runs, or they would wait for one another.
    """

    def __init__(
        self,
        start: PoseModel,
        settings: LearnSettings | None = None,
        *,
        polite: bool = True,
        network: PoseNetwork | None = None,
    ) -> None:
        self._start, self._settings, self._polite = start, settings or LearnSettings(), polite
        self._teacher = compiled(start)
        self._network = network or compiled(start, low_latency=True)
        self.learned = LearnerState(start, self._network)
        self.paused = False
        self._news = threading.Condition()
        self._waiting: PersonCrop | None = None
        self._held: deque[PersonCrop] = deque(maxlen=RUN * self._settings.check_runs)
        self._offered = 0
        self._closing = self._restart_wanted = False
        self._error: BaseException | None = None
        self._begin()
        self._thread = threading.Thread(target=self._work, name="ttpose-learner", daemon=True)
        self._thread.start()

    def offer(self, frame: Frame, box: Box) -> None:
        """Show a frame of the person; most are let go, as learning takes longer than predicting.

        Raises:
            Exception: Whatever ended the thread.
        """
        self._raise()
        with self._news:
            if self.paused or frame.image is None:
                return
            place = self._offered % self._settings.cycle
            if place >= RUN and self._waiting is not None:
                return  # the held-out frames still come in neighbours, because only these wait
            grid = self._start.config.crop
            crop = cut_crop(frame.image, box, grid, index=frame.index, time_s=frame.time_s)
            self._offered += 1
            if place < RUN:
                self._held.append(crop)
            else:
                self._waiting = crop
                self._news.notify()

    def restart(self) -> None:
        """Forget what was learned: another person is followed."""
        with self._news:
            self._waiting, self._restart_wanted, self._offered = None, True, 0
            self._held.clear()
            self.learned = replace(self.learned, model=self._start, network=self._network)
            self._news.notify()

    def close(self) -> LearnerState:
        """Finish the step, check what is not checked yet, end the thread, and say what was learned."""
        with self._news:
            self._closing = True
            self._news.notify()
        self._thread.join()
        self._raise()
        return self.learned

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _begin(self) -> None:
        how = self._settings.how
        self._adapter = Adapter(self._start, [], how)
        self._ring: deque[tuple[PersonCrop, TTAPrediction]] = deque(maxlen=self._settings.ring)

    def _work(self) -> None:
        try:
            if self._polite:
                _step_back()
            while (crop := self._next()) is not None:
                self._take_in(crop)
                if self._adapter.steps_done and self._adapter.steps_done % self._settings.check_every == 0:
                    self._check()
            if self._adapter.steps_done % self._settings.check_every:
                self._check()
        except BaseException as error:  # raised again in the thread that predicts
            self._error = error

    def _next(self) -> PersonCrop | None:
        with self._news:
            while True:
                self._news.wait_for(lambda: self._waiting is not None or self._closing or self._restart_wanted)
                if self._restart_wanted:
                    self._restart_wanted = False
                    self._again()
                elif self._closing:
                    return None
                else:
                    crop, self._waiting = self._waiting, None
                    return crop

    def _take_in(self, crop: PersonCrop) -> None:
        """Label a crop, and learn from it and others of the ring."""
        how, adapter = self._settings.how, self._adapter
        self._ring.append(
            (crop, predict_tta(self._teacher, [crop], TTA_VIEWS[: how.teacher_views], keep_maps=how.distillation > 0))
        )
        if len(self._ring) < self._settings.least:
            return
        crops = [crop for crop, _ in self._ring]
        others = adapter.rng.choice(len(crops) - 1, how.batch - 1, replace=len(crops) < how.batch)
        rows = [len(crops) - 1, *others.tolist()]
        seen = join([seen for _, seen in self._ring])
        skeleton = self._start.skeleton
        labels, grid = pseudo_labels(seen, crops, skeleton, how), self._start.config.crop
        clip = distillation_targets(seen, crops, *labels, skeleton, rows, grid)
        adapter.losses = build_losses(clip, self._start, how)
        targets = [crops[i] for i in rows]
        adapter.step(targets, targets)
        adapter.history.clear()  # it grows with every step
        self._tell(steps=self.learned.steps + 1)

    def _check(self) -> None:
        """Let the learned weights predict as far as the guard allows; where it refuses them, start again."""
        with self._news:
            held = list(self._held)
        held = held[: len(held) - len(held) % RUN]
        if not held or self._restart_wanted:
            return
        delta = PersonDelta.between(self._start, self._adapter.average, "", weight=self._settings.how.interpolation)
        report = select_weights(self._start, delta, held)
        refused = report.decision == "base"
        model = self._start if refused else delta.apply(self._start, INTERPOLATION[report.decision]).eval()
        network = self._network if refused else compiled(model, low_latency=True)
        self._tell(model=model, network=network, checks=self.learned.checks + 1, report=report)
        if refused:
            self._again()

    def _again(self) -> None:
        self._begin()
        self._tell(restarts=self.learned.restarts + 1)

    def _tell(self, **news: object) -> None:
        with self._news:
            if not (self._restart_wanted and "model" in news):  # of the person before
                self.learned = replace(self.learned, **news)  # type: ignore[arg-type]


def _step_back() -> None:
    """Give this thread, and those it starts, the processor only when the predictions leave it."""
    if sys.platform.startswith("linux"):  # elsewhere a niceness is of the whole process
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
