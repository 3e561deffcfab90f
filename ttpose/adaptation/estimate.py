"""How long a whole personalization will take, told after its first frames."""

from __future__ import annotations

import time

from ttpose.adaptation.guard.metrics import FEWEST_VIEWS
from ttpose.adaptation.guard.selection import base_is_known
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.core.progress import Advance, Progress

_FRAMES = 20  # enough to average over decoding's hiccups, and a small part of any clip that takes long
# Forward passes of one view that take as long as: a view of an optimiser step, forward and backward; the ensemble's
# second network on a frame.
_STEP, _ENSEMBLE = 3.4, 2.5
_FROZEN_STEP = 1.9  # the same as the first with the early blocks frozen
_HELD_OUT = 24


class Estimate:
    """Counts frames of the first pass and tells once how long the rest will take.

    Args:
        settings: Of the personalization.
        frames: Of all its inputs, None where they do not say.
        progress: Receives the note.
        corrected: How many frames are corrected.
    """

    def __init__(
        self, settings: PersonalizeSettings, frames: int | None, progress: Progress, corrected: int = 0
    ) -> None:
        self._corrected = corrected
        self._settings, self._frames, self._progress = settings, frames, progress
        self._done, self._told, self._clock = 0, False, time.perf_counter()

    def counting(self, advance: Advance) -> Advance:
        """The same function, with the frames counted here, too."""
        self._clock = time.perf_counter() if not self._done else self._clock

        def count(frames: int = 1) -> None:
            advance(frames)
            self._done += frames
            if not self._told and self._done >= _FRAMES and self._frames is not None and self._frames > self._done:
                self._told = True
                self._progress.note(f"about {self.seconds(time.perf_counter() - self._clock):.0f} s in all")

        return count

    def seconds(self, elapsed: float) -> float:
        """Of the whole work, from the first pass's time so far."""
        refine, settings = self._settings.refine, self._settings
        first_pass = refine.views + _ENSEMBLE * refine.ensemble  # forward passes a frame
        frames = self._frames or self._done
        forward_s = elapsed / self._done / first_pass
        learning = self._learning(frames)
        if settings.teacher_views != refine.views and settings.uses_pseudo_labels:
            learning += min(settings.max_crops, frames) * settings.teacher_views
        return forward_s * (frames * (first_pass + refine.views) + learning)

    def _learning(self, frames: int) -> float:
        """Optimiser steps and the guard, in forward passes."""
        settings, how = self._settings, self._settings.corrections
        if self._corrected:
            several = self._corrected >= how.fewest
            steps = how.folds * how.fold_steps + how.later_rounds * how.later_steps if several else how.steps
            again = min(settings.max_crops, frames) * settings.teacher_views * several * how.later_rounds
            return again + steps * (how.corrected_batch + how.distilled_batch) * _FROZEN_STEP
        steps = (settings.steps or frames) + settings.decoder_warmup
        step = _FROZEN_STEP if settings.frozen else _STEP
        views = max(settings.refine.views, FEWEST_VIEWS)
        models = 2 if base_is_known(settings) else 3  # half and all of the change, and the base
        return steps * settings.batch * step + _HELD_OUT * views * models * settings.guard
