"""One personalization from corrected frames: labels, adaptation, and the guard that leaves frames out.

Where no crop has a joint that a person placed, it is a personalization from pseudo-labels alone.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from ttpose.adaptation.cross_fit import cross_fit
from ttpose.adaptation.guard.held_out import held_out
from ttpose.adaptation.guard.metrics import GuardReport
from ttpose.adaptation.guard.selection import chosen, run_guard
from ttpose.adaptation.labels import TrainingLabels, training_labels
from ttpose.adaptation.later_rounds import learn_again
from ttpose.adaptation.personalize import Personalized, personalize_model
from ttpose.adaptation.pseudo_labels import predict_teacher
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.adaptation.supervised import adapt_to_corrections
from ttpose.core.memory import give_back_memory
from ttpose.core.progress import Progress
from ttpose.corrections.model import FrameCorrection
from ttpose.inference.crops import PersonCrop, evenly_spaced
from ttpose.inference.prediction import TTAPrediction, join
from ttpose.models.person import PersonDelta
from ttpose.models.pose_model import PoseModel


def personalize_from_corrections(
    base: PoseModel,
    crops: Sequence[PersonCrop],
    corrections: Mapping[int, FrameCorrection],
    settings: PersonalizeSettings,
    *,
    teacher: Sequence[TTAPrediction] | None = None,
    base_sha256: str = "",
    progress: Progress | None = None,
) -> Personalized:
    """Adapt a base to the person in crops (in order of time in each clip), some of which a person corrected.

    Args:
        base: Stays as it is.
        crops: The corrected ones are used, and at most `settings.max_crops` others, evenly spread.
        corrections: By the crops' numbers.
        settings: How.
        teacher: The base's prediction of each crop by the teacher's views, with maps, where it is known already.
        base_sha256: Fingerprint of the base's file, for the delta.
        progress: Receives progress.
    """
    if not any(crop.index in corrections and corrections[crop.index].placed.any() for crop in crops):
        return personalize_model(
            base, crops, settings, teacher=teacher, base_sha256=base_sha256, progress=progress
        )  # fmt: skip
    progress, timings, clock = progress or Progress(), {}, time.perf_counter()
    kept, known = _kept(base, crops, corrections, settings, teacher, progress)
    labels = training_labels(known, kept, corrections, base.skeleton, settings, base.config.crop)
    timings["teacher_s"], clock = _lap(clock)
    if len(labels.supervised_rows) < settings.corrections.fewest:
        whole, report, history = _learned_at_once(base, labels, settings, base_sha256, timings, progress)
    else:
        fitted = cross_fit(base, labels, settings, progress)
        learned, history = fitted.model, fitted.history
        report = fitted.left_out.decide() if fitted.left_out else GuardReport("personalized", "the guard was off", {})
        if report.decision != "base":
            learned = learn_again(learned, labels, corrections, known.ensemble, settings, progress)
        whole = PersonDelta.between(base, learned, base_sha256)
        timings["adapt_s"] = _lap(clock)[0]
    give_back_memory()
    delta = chosen(whole, report)
    return Personalized(delta.apply(base).eval(), delta, whole, report, history, timings)


def _learned_at_once(
    base: PoseModel,
    labels: TrainingLabels,
    settings: PersonalizeSettings,
    base_sha256: str,
    timings: dict[str, float],
    progress: Progress,
) -> tuple[PersonDelta, GuardReport, list[dict[str, float]]]:
    """From too few corrected frames to leave any out; the label-free guard decides on other frames."""
    clock, held = time.perf_counter(), _held_out(labels, settings)
    with progress.stage("learn from corrections", settings.corrections.steps) as advance:
        adapter = adapt_to_corrections(base, labels.without(held), settings, settings.corrections.steps, advance)
    whole = PersonDelta.between(base, adapter.average, base_sha256)
    timings["adapt_s"], clock = _lap(clock)
    if not settings.guard:
        return whole, GuardReport("personalized", "the guard was off", {}), adapter.history
    checked = [labels.corrected.crops[row] for row in held] or labels.corrected.crops
    report = run_guard(base, whole, checked, settings, learned_from=not held, progress=progress)
    timings["guard_s"] = _lap(clock)[0]
    return whole, report, adapter.history


def _kept(
    base: PoseModel,
    crops: Sequence[PersonCrop],
    corrections: Mapping[int, FrameCorrection],
    settings: PersonalizeSettings,
    teacher: Sequence[TTAPrediction] | None,
    progress: Progress,
) -> tuple[list[PersonCrop], TTAPrediction]:
    """The crops that are learned from, and what the base predicts of them."""
    rows = learned_rows(crops, corrections, settings)
    kept = [crops[row] for row in rows]
    if teacher is not None:
        return kept, join([teacher[row] for row in rows])
    return kept, predict_teacher(base, kept, settings, progress, keep_maps=True)


def learned_rows(
    crops: Sequence[PersonCrop], corrections: Mapping[int, FrameCorrection], settings: PersonalizeSettings
) -> list[int]:
    """Which of the crops are learned from: the corrected ones, and others evenly over all."""
    corrected = [row for row, crop in enumerate(crops) if crop.index in corrections]
    return sorted({*corrected, *evenly_spaced(len(crops), settings.max_crops)})


def _held_out(labels: TrainingLabels, settings: PersonalizeSettings) -> list[int]:
    """Crops for the label-free guard, none of them corrected; none without a guard."""
    if not settings.guard:
        return []
    crops, supervised = labels.corrected.crops, set(labels.supervised_rows)
    others = [row for row in range(len(crops)) if row not in supervised]
    return [others[i] for i in held_out([crops[row] for row in others])] if others else []


def _lap(since: float) -> tuple[float, float]:
    """Seconds since then, and the time now."""
    now = time.perf_counter()
    return now - since, now
