"""Guard selection: candidates are measured on held-out crops, one is chosen, and the change is scaled to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ttpose.adaptation.guard.metrics import FEWEST_VIEWS, INTERPOLATION, GuardMetrics, GuardReport, measure
from ttpose.adaptation.guard.rule import decide
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.core.memory import give_back_memory
from ttpose.core.progress import Progress
from ttpose.inference.crops import PersonCrop
from ttpose.inference.ensemble import ensemble_member
from ttpose.inference.prediction import TTAPrediction
from ttpose.inference.settings import SINGLE_VIEW, RefineSettings
from ttpose.inference.tta import predict_tta
from ttpose.models.engine import compiled
from ttpose.models.person import PersonDelta
from ttpose.models.pose_model import PoseModel

#: What the reason says besides, where the guard had to measure on frames that were learned from.
NOT_HELD_OUT = "no frames could be held out, so learning frames were checked"


def base_is_known(settings: PersonalizeSettings) -> bool:
    """Whether the base has predicted the crops by enough views to be measured, for its pseudo-labels."""
    return settings.shares_tta and settings.refine.views >= FEWEST_VIEWS


def run_guard(
    base: PoseModel,
    delta: PersonDelta,
    crops: Sequence[PersonCrop],
    settings: PersonalizeSettings,
    reconstructor: PoseModel | None = None,
    *,
    learned_from: bool = False,
    known: TTAPrediction | None = None,
    progress: Progress | None = None,
) -> GuardReport:
    """`select_weights`, where the settings want a guard; `learned_from` says that the crops were not held out."""
    if not settings.guard:
        return GuardReport("personalized", "the guard was off", {})
    report = select_weights(base, delta, crops, settings.refine, reconstructor, settings.perceptual, progress, known)
    if not learned_from:
        return report
    return replace(report, reason=f"{report.reason}; {NOT_HELD_OUT}")


def select_weights(
    base: PoseModel,
    delta: PersonDelta,
    crops: Sequence[PersonCrop],
    refine: RefineSettings = SINGLE_VIEW,
    reconstructor: PoseModel | None = None,
    perceptual: str | None = None,
    progress: Progress | None = None,
    known: TTAPrediction | None = None,
) -> GuardReport:
    """Measure the base, half of a change and all of it on crops, and choose; arguments as for `measure`.

    `known` is what the base predicts for the crops by the refinement's views, where it has predicted them already.
    """
    checks: dict[str, GuardMetrics] = {}
    ensemble = None if known is None else known.ensemble
    if refine.ensemble and ensemble is None:  # once, by the base's pose: it is the same for all candidates
        pose = predict_tta(compiled(base), crops).keypoints
        ensemble = ensemble_member(base.skeleton, str(base.device)).predict(crops, pose)
    with (progress or Progress()).stage("compare weights on held-out frames", 3) as advance:
        checks["base"], base_keypoints = measure(
            base, None, crops, reconstructor, perceptual, refine, ensemble, known
        )  # fmt: skip
        advance(1)
        for decision in ("interpolated", "personalized"):
            candidate = delta.apply(base, INTERPOLATION[decision])
            checks[decision], _ = measure(candidate, base_keypoints, crops, reconstructor, perceptual, refine, ensemble)
            give_back_memory()  # of what was compiled for these weights
            advance(1)
    return decide(checks)


def chosen(whole: PersonDelta, report: GuardReport) -> PersonDelta:
    """What the guard leaves of a change."""
    return (
        whole.scaled(INTERPOLATION[report.decision])
        if report.decision != "base"
        else PersonDelta(whole.base_sha256, {})
    )
