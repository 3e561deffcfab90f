"""One offline personalization from crops to chosen weights: pseudo-labels, adaptation, guard."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ttpose.adaptation.guard.held_out import held_out
from ttpose.adaptation.guard.metrics import GuardReport
from ttpose.adaptation.guard.selection import base_is_known, chosen, run_guard
from ttpose.adaptation.losses import Clip
from ttpose.adaptation.offline import adapt_offline
from ttpose.adaptation.pseudo_labels import distillation_targets, predict_teacher, pseudo_labels
from ttpose.adaptation.refined_labels import refined_labels
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.core.memory import give_back_memory
from ttpose.core.progress import Progress
from ttpose.inference.crops import PersonCrop, evenly_spaced
from ttpose.inference.prediction import TTAPrediction, join
from ttpose.models.person import PersonDelta
from ttpose.models.pose_model import PoseModel


@dataclass(frozen=True)
class Personalized:
    """Personalized weights and how they came about.

    Attributes:
        model: The weights that the guard chose.
        delta: What changed, as the person file will hold it.
        whole: All that was learned, before the guard's decision.
        guard: The decision and its metrics.
        history: Loss terms of every step.
        timings: Seconds a stage.
    """

    model: PoseModel
    delta: PersonDelta
    whole: PersonDelta
    guard: GuardReport
    history: list[dict[str, float]]
    timings: dict[str, float] = field(default_factory=dict)


def personalize_model(
    base: PoseModel,
    crops: Sequence[PersonCrop],
    settings: PersonalizeSettings,
    *,
    teacher: Sequence[TTAPrediction] | None = None,
    base_sha256: str = "",
    progress: Progress | None = None,
) -> Personalized:
    """Adapt a base to the person in crops (in order of time in each clip), offline.

    Args:
        base: Stays as it is.
        crops: At least one; at most `settings.max_crops`, evenly spread, are used.
        settings: How.
        teacher: The base's prediction of each crop by the teacher's views, with maps, where it is known already.
        base_sha256: Fingerprint of the base's file, for the delta.
        progress: Receives progress.
    """
    progress, timings = progress or Progress(), {}
    rows = evenly_spaced(len(crops), settings.max_crops)
    kept = [crops[i] for i in rows]
    clock = time.perf_counter()
    held = set(held_out(kept)) if settings.guard else set()
    learning = [i for i in range(len(kept)) if i not in held]
    known = None if teacher is None else join([teacher[row] for row in rows])
    clip = _clip(base, kept, learning, settings, known, progress)
    del known  # another copy of the heatmaps
    timings["teacher_s"] = time.perf_counter() - clock
    clock = time.perf_counter()
    adapter = adapt_offline(base, clip, settings, progress)
    timings["adapt_s"] = time.perf_counter() - clock
    clock = time.perf_counter()
    whole = PersonDelta.between(base, adapter.average, base_sha256, weight=settings.interpolation)
    history, reconstructor = adapter.history, adapter.model if settings.reconstructs else None
    # The guard compiles networks of its own: what learning needed, a hundred megabytes and more, goes before.
    del adapter, clip
    give_back_memory()
    # A clip too short to hold frames out is checked on what it learned from: less to trust, but better than nothing.
    compared = sorted(held) or list(range(len(kept)))
    known = join([teacher[rows[i]] for i in compared]) if teacher is not None and base_is_known(settings) else None
    report = run_guard(
        base, whole, [kept[i] for i in compared], settings, reconstructor,
        learned_from=not held, known=known, progress=progress,
    )  # fmt: skip
    delta = chosen(whole, report)
    timings["guard_s"] = time.perf_counter() - clock
    return Personalized(delta.apply(base).eval(), delta, whole, report, history, timings)


def _clip(
    base: PoseModel,
    kept: Sequence[PersonCrop],
    learning: Sequence[int],
    settings: PersonalizeSettings,
    teacher: TTAPrediction | None,
    progress: Progress,
) -> Clip:
    """What is learned from: some of the kept crops, with pseudo-labels and maps where the settings use them."""
    if not settings.uses_pseudo_labels:
        return Clip(kept, np.zeros((len(kept), len(base.skeleton), 3))).part(learning)
    if teacher is None:
        teacher = predict_teacher(base, kept, settings, progress, keep_maps=settings.distillation > 0)
    if settings.supervised > 0:
        return refined_labels(teacher, kept, base.skeleton, settings, base.config.crop).part(learning)
    labels, swapped = pseudo_labels(teacher, kept, base.skeleton, settings)
    return distillation_targets(teacher, kept, labels, swapped, base.skeleton, learning, base.config.crop)
