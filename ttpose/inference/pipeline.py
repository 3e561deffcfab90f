"""One personalization from crops to predictions: teacher, adaptation, guard, delta."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ttpose.adaptation.guard.metrics import GuardReport, held_out
from ttpose.adaptation.guard.selection import chosen, run_guard
from ttpose.adaptation.losses import Clip
from ttpose.adaptation.offline import adapt_offline
from ttpose.adaptation.pseudo_labels import distillation_targets, pseudo_labels, reference_keypoints
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.core.memory import give_back_memory
from ttpose.core.progress import Advance, Progress
from ttpose.core.skeleton import Skeleton
from ttpose.inference.crops import PersonCrop, spread
from ttpose.inference.ensemble import ensemble
from ttpose.inference.refine.left_right import apply_swaps, correct_swaps
from ttpose.inference.refine.rescoring import between, rescore
from ttpose.inference.tta import TTA_VIEWS, TTAPrediction, predict_tta
from ttpose.models.person import PersonDelta
from ttpose.models.pose_model import PoseModel


@dataclass(frozen=True)
class Personalized:
    """A personalized model and how it came about.

    Attributes:
        model: The weights that the guard chose.
        delta: What changed, as the person file will hold it.
        whole: All that was learned, before the guard's choice.
        guard: The choice and its figures.
        history: Loss terms of every step.
        timings: Seconds a stage.
        named: The teacher's keypoints [K, 2], sides settled, in original pixels, by the crops' numbers; the final
            predictions keep to its names, which hang less on what was learned.
    """

    model: PoseModel
    delta: PersonDelta
    whole: PersonDelta
    guard: GuardReport
    history: list[dict[str, float]]
    timings: dict[str, float] = field(default_factory=dict)
    reference: dict[int, np.ndarray] = field(default_factory=dict)


def personalize_model(
    base: PoseModel,
    crops: Sequence[PersonCrop],
    settings: PersonalizeSettings,
    *,
    base_sha256: str = "",
    progress: Progress | None = None,
) -> Personalized:
    """Adapt a base to the person in crops (in order of time in each clip), offline.

    Args:
        base: Stays as it is.
        crops: At least one; at most `settings.max_crops`, evenly spread, are used.
        settings: How.
        base_sha256: Fingerprint of the base's file, for the delta.
        progress: Receives progress.
    """
    progress, timings, reference = progress or Progress(), {}, {}
    kept = [crops[i] for i in spread(len(crops), settings.max_crops)]
    clock = time.perf_counter()
    held = set(held_out(kept)) if settings.guard else set()
    rows = [i for i in range(len(kept)) if i not in held]
    if settings.uses_pseudo_labels:
        with progress.stage("look", len(kept)) as advance:
            views, keep_maps = TTA_VIEWS[: settings.views], settings.distillation > 0
            seen = predict_tta(base, kept, views, advance, keep_maps=keep_maps)
            labels, swapped = pseudo_labels(seen, kept, base.skeleton, settings)
            reference = reference_keypoints(labels, kept)
            clip = distillation_targets(seen, kept, labels, swapped, base.skeleton, rows)
            del seen  # its maps are as large as the clip's own
    else:
        clip = Clip(kept, np.zeros((len(kept), len(base.skeleton), 3))).part(rows)
    timings["look_s"] = time.perf_counter() - clock
    clock = time.perf_counter()
    adapter = adapt_offline(base, clip, settings, progress)
    timings["adapt_s"] = time.perf_counter() - clock
    clock = time.perf_counter()
    give_back_memory()
    whole = PersonDelta.between(base, adapter.average, base_sha256, interpolation=settings.interpolation)
    # A clip too short to hold frames out is checked on what it learned from: less to trust, but better than nothing.
    checked = [kept[i] for i in sorted(held)] or kept
    reconstructor = adapter.model if settings.reconstructs else None
    report = run_guard(base, whole, checked, settings, reconstructor, learned_from=not held, progress=progress)
    delta = chosen(whole, report)
    timings["guard_s"] = time.perf_counter() - clock
    return Personalized(delta.apply(base).eval(), delta, whole, report, adapter.history, timings, reference)


def predict_crops(
    model: PoseModel, crops: Sequence[PersonCrop], settings: PersonalizeSettings, advance: Advance | None = None
) -> TTAPrediction:
    """Look at crops as final predictions do: through the settings' views, and with a second opinion if they want it."""
    second = ensemble(model.skeleton, str(model.device)) if settings.ensemble else None
    return predict_tta(model, crops, TTA_VIEWS[: settings.predict_views], advance, second=second)


def predict_clip(
    model: PoseModel,
    crops: Sequence[PersonCrop],
    settings: PersonalizeSettings,
    progress: Progress | None = None,
    reference: Mapping[int, np.ndarray] | None = None,
) -> np.ndarray:
    """Keypoints [N, K, 3] of crops in order of time, in original pixels, with sides settled over time.

    Args:
        model: Any.
        crops: Of one clip.
        settings: How many views, and whether sides are settled.
        progress: Hears the stage.
        named: What was settled for some crops before, as in `Personalized`.
    """
    with (progress or Progress()).stage("predict", len(crops)) as advance:
        seen = predict_crops(model, crops, settings, advance)
    known = [(reference or {}).get(crop.index) for crop in crops]
    return refine_prediction(seen, [crop.time_s for crop in crops], model.skeleton, settings, known)[0]


def refine_prediction(
    seen: TTAPrediction,
    times: Sequence[float],
    skeleton: Skeleton,
    settings: PersonalizeSettings,
    reference: Sequence[np.ndarray | None] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """An observation's keypoints [N, K, 3], cleaned over time as the settings say, and which limbs were swapped.

    Sides are settled, and joints moved to where they most likely are: where there is a second opinion, half-way between
    what all views and what the plain one give. `named` may have what was settled for each frame before, [K, 2] or None.
    """
    when, swapped = np.array(times), np.zeros((len(seen.keypoints), 2), bool)
    if settings.correct_swaps:
        nothing = np.full((len(skeleton), 2), np.nan)
        known = np.stack([nothing if row is None else row for row in reference]) if len(reference) else None
        _, swapped = correct_swaps(seen.keypoints, seen.sides, when, skeleton, reference=known)
    cleaned = apply_swaps(seen, swapped, skeleton)
    if not settings.rescore:
        return cleaned.keypoints, swapped
    found, _ = rescore(cleaned, when, skeleton)
    if seen.plain is None or seen.second is None:
        return found, swapped
    by_one_view, _ = refine_prediction(replace(seen.plain, second=seen.second), times, skeleton, settings, reference)
    return between(found, by_one_view, skeleton), swapped
