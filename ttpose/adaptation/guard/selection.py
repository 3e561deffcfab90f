"""What the guard makes of a change: its checks on crops, its choice, and what of the change is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ttpose.adaptation.guard.metrics import INTERPOLATION, GuardMetrics, GuardReport, measure
from ttpose.adaptation.guard.rule import decide
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.core.progress import Progress
from ttpose.inference.crops import PersonCrop
from ttpose.models.person import PersonDelta
from ttpose.models.pose_model import PoseModel


def run_guard(
    base: PoseModel,
    delta: PersonDelta,
    crops: Sequence[PersonCrop],
    settings: PersonalizeSettings,
    reconstructor: PoseModel | None = None,
    *,
    learned_from: bool = False,
    progress: Progress | None = None,
) -> GuardReport:
    """`judge`, where the settings want a guard; `learned_from` says that the crops were not held out."""
    if not settings.guard:
        return GuardReport("personalized", "the guard was off", {})
    report = select_weights(base, delta, crops, reconstructor, settings.perceptual, progress)
    if not learned_from:
        return report
    return replace(report, reason=f"{report.reason}; no frames could be held out, so learning frames were checked")


def select_weights(
    base: PoseModel,
    delta: PersonDelta,
    crops: Sequence[PersonCrop],
    reconstructor: PoseModel | None = None,
    perceptual: str | None = None,
    progress: Progress | None = None,
) -> GuardReport:
    """Check the base, half of a change and all of it on crops, and choose; arguments as for `measure`."""
    checks: dict[str, GuardMetrics] = {}
    with (progress or Progress()).stage("check", 3) as advance:
        checks["base"], base_keypoints = measure(base, None, crops, reconstructor, perceptual)
        advance(1)
        for decision in ("interpolated", "personalized"):
            candidate = delta.apply(base, INTERPOLATION[decision])
            checks[decision], _ = measure(candidate, base_keypoints, crops, reconstructor, perceptual)
            advance(1)
    return decide(checks)


def chosen(whole: PersonDelta, report: GuardReport) -> PersonDelta:
    """What the guard leaves of a change."""
    return (
        whole.scaled(INTERPOLATION[report.decision])
        if report.decision != "base"
        else PersonDelta(whole.base_sha256, {})
    )
