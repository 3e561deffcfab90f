"""The guard's decision and metrics, settings and stages in plain words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ttpose.adaptation.guard.metrics import GuardReport
from ttpose.adaptation.guard.selection import NOT_HELD_OUT
from ttpose.report.effect import Effect

#: The weights of each decision in words; "base" is the earlier person where a run continues from one.
_WEIGHTS = {
    "personalized": "personalized weights",
    "interpolated": "interpolated weights (half of the change)",
    "base": "base weights",
}

# For each decision but "base" what it means for the keypoints.
_MEANING = {
    "personalized": "No guard metric spoke against the change on frames that were kept out of learning.",
    "interpolated": "Half of the change is kept: the weights are half-way between base and personalized.",
}

# Metrics that can speak for the personalized weights, lower being better, in the order in which one is named.
_BETTER = {
    "disagreement": "test-time views agree better",
    "jumps": "keypoints jump less between frames",
    "limb_spread": "limb lengths vary less",
}

#: For each guard metric: name, what it measures. Lower is better but for the score; movement is neither.
_METRICS = {
    "disagreement": ("TTA disagreement", "mirrored, turned and scaled views of one frame, in torso lengths"),
    "jumps": ("Jumps", "acceleration between neighbouring frames, in torso lengths"),
    "limb_spread": ("Limb length spread", "limbs should not change their length, in torso lengths"),
    "score": ("Confidence", "mean keypoint score; higher is better"),
    "moved": ("Movement", "mean distance from the base's keypoints, in torso lengths"),
    "reconstruction": ("Reconstruction error", "logarithm of the perceptual error of reconstructed frames"),
}

CANDIDATES = {"base": "Base", "interpolated": "Interpolated", "personalized": "Personalized"}

_STAGES = {
    "find_s": "Find and follow the person",
    "refine_s": "Predict and refine with the base",
    "teacher_s": "Predict pseudo-labels",
    "adapt_s": "Learn",
    "guard_s": "Measure on held-out frames",
    "predict_s": "Predict and refine with the result",
}


@dataclass(frozen=True)
class MetricRow:
    """One line of the guard's table: name, explanation, and a value for each candidate."""

    name: str
    meaning: str
    values: tuple[str, ...]


def decision_words(guard: GuardReport, effect: Effect) -> tuple[str, str]:
    """Headline and meaning: what happened to the keypoints, then to the weights."""
    moved = "" if effect.moved is None else f"{100 * effect.moved:.2g} % of the torso"
    if effect.almost_nothing:
        instead = "" if effect.instead is None else f": {effect.instead}"
        how_far = f"The keypoints moved by {moved} on average" if effect.moved else "The keypoints are the refined ones"
        return "Personalizing changed almost nothing", f"{how_far}{instead}."
    headline = f"The {_WEIGHTS[guard.decision]} are used"
    meaning = _MEANING.get(guard.decision, "Personalizing did not help on this clip, so the change was dropped.")
    if guard.decision == "personalized" and not guard.checks:
        meaning = "No guard metric was measured, so nothing speaks for or against the change."
    if guard.leave_one_out is not None:
        meaning = f"{guard.reason[0].upper()}{guard.reason[1:]}."
    return headline, f"Personalizing moved the keypoints by {moved} on average. {meaning}" if moved else meaning


def guard_words(guard: GuardReport, continued: bool = False) -> str:
    """The decision and one reason, as the console says it; `continued`: the base is an earlier person's weights."""
    weights = _WEIGHTS[guard.decision].replace("base", "earlier") if continued else _WEIGHTS[guard.decision]
    return f"{weights} used: {guard_reason(guard)}"


def guard_reason(guard: GuardReport) -> str:
    """Why the guard decided so, in words with one metric."""
    if guard.decision != "personalized" or not guard.checks:
        return guard.reason.removeprefix("kept the base: ").removeprefix("half of the change is kept: ")
    base, found = guard.checks["base"], guard.checks["personalized"]
    where = "the frames learned from" if NOT_HELD_OUT in guard.reason else "held-out frames"
    for name, words in _BETTER.items():
        before, after = getattr(base, name), getattr(found, name)
        if number(after) != number(before) and after < before:
            return f"{words} on {where}, {number(before)} → {number(after)}"
    return f"no guard metric got clearly worse on {where}"


def metric_rows(guard: GuardReport) -> list[MetricRow]:
    """The guard's metrics as a table; those that were not measured are left out."""
    rows = []
    for key, values in guard.metrics.items():
        name, meaning = _METRICS.get(key, (key, ""))
        if any(value is not None for value in values.values()):
            rows.append(MetricRow(name, meaning, tuple(number(values.get(kind)) for kind in guard.checks)))
    return rows


def number(value: float | None) -> str:
    """Three significant digits, without an exponent where that stays short."""
    if value is None:
        return "–"
    return f"{value:.3g}" if abs(value) >= 0.001 or value == 0 else f"{value:.1e}"


def stage_rows(timings: Mapping[str, float]) -> list[tuple[str, float]]:
    """Stages in plain words with their seconds."""
    return [(_STAGES.get(key, key.removesuffix("_s").replace("_", " ").capitalize()), s) for key, s in timings.items()]


def setting_rows(notes: Mapping[str, str]) -> list[tuple[str, str]]:
    """A person file's settings, those of the augmentation under their own names; none where they cannot be read."""
    try:
        settings: dict[str, Any] = json.loads(notes.get("settings", "{}"))
    except ValueError:
        return []
    augmentation = settings.pop("augmentation", {})
    order = ["preset", "mode", "steps", "seed"]
    names = [name for name in order if name in settings] + sorted(set(settings) - set(order))
    rows = [(name.replace("_", " "), _shown(settings[name])) for name in names]
    return rows + [(f"augmentation: {name.replace('_', ' ')}", _shown(value)) for name, value in augmentation.items()]


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_shown(part) for part in value)
    return "none" if value is None else str(value)
