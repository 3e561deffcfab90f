"""The guard's rule, apart from its measurements: which weights the checks speak for."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ttpose.adaptation.guard.metrics import Decision, GuardMetrics, GuardReport


@dataclass(frozen=True)
class GuardRule:
    """Limits of the rule.

    Attributes:
        most_moved: Mean movement of keypoints, in torsos, beyond which weights are refused.
        most_worse: Largest ratio to the base of a check that may get worse.
        most_reconstruction: Largest rise of the logarithm of the reconstruction error.
        clear: All of the change is kept only if its views do not disagree by more than this ratio to half of it:
            half of a change often keeps the gain and loses the noise.
    """

    most_moved: float = 0.35
    most_worse: float = 1.15
    most_reconstruction: float = 0.05
    clear: float = 1.05


def decide(checks: dict[str, GuardMetrics], rule: GuardRule | None = None) -> GuardReport:
    """Keep as much of the change as no check speaks against."""
    rule = rule or GuardRule()
    base = checks["base"]
    reasons: list[str] = []
    order: tuple[Decision, ...] = ("personalized", "interpolated")
    for decision in order:
        objection = _objection(base, checks[decision], rule)
        if objection is None and decision == "personalized":
            objection = _half_is_better(checks["interpolated"], checks[decision], base, rule)
        if objection is None:
            why = "every check passed" if not reasons else f"half of the change is kept: {reasons[0]}"
            return GuardReport(decision, why, checks)
        reasons.append(objection)
    return GuardReport("base", f"kept the base: {reasons[-1]}", checks)


def _objection(base: GuardMetrics, found: GuardMetrics, rule: GuardRule) -> str | None:
    if not all(math.isfinite(value) for value in (found.moved, found.disagreement, found.jumps, found.limb_spread)):
        return "the adapted weights give no numbers"
    if found.moved > rule.most_moved:
        return f"keypoints moved {found.moved:.2f} torso lengths"
    for name, words in (
        ("disagreement", "views of one frame disagree more"),
        ("jumps", "keypoints jump more between frames"),
        ("limb_spread", "limb lengths vary more"),
    ):
        before, after = getattr(base, name), getattr(found, name)
        if after > rule.most_worse * before + 0.005:
            return f"{words} ({before:.3f} before, {after:.3f} after)"
    if found.reconstruction is not None and base.reconstruction is not None:
        rise = found.reconstruction - base.reconstruction
        if not rise <= rule.most_reconstruction:
            return f"frames are reconstructed worse (logarithm of the error up by {rise:.3f})"
    return None


def _half_is_better(half: GuardMetrics, whole: GuardMetrics, base: GuardMetrics, rule: GuardRule) -> str | None:
    if _objection(base, half, rule) is None and whole.disagreement > rule.clear * half.disagreement + 0.002:
        return f"half of it makes views agree better ({half.disagreement:.3f}, all of it {whole.disagreement:.3f})"
    return None
