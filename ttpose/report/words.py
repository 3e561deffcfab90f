"""The guard's choice, checks, settings and stages in plain words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ttpose.adaptation.guard.metrics import GuardReport

# For each verdict: headline, and what it means.
_DECISIONS = {
    "personalized": (
        "The personalized model is used",
        "On frames kept out of the learning, no check spoke against the change.",
    ),
    "interpolated": (
        "Half of the change is used",
        "The keypoints come from weights half-way between the base and the personalized model.",
    ),
    "base": (
        "The base model is used",
        "Personalizing did not help on this clip, so the change was dropped; before and after differ only in which "
        "side is called left and right.",
    ),
}

#: For each check: name, what it measures. Lower is better but for the score; movement is neither good nor bad.
_METRICS = {
    "disagreement": ("Disagreement of views", "mirrored, turned and scaled views of one frame, in torso lengths"),
    "jumps": ("Jumps", "acceleration between neighbouring frames, in torso lengths"),
    "limb_spread": ("Limb length spread", "limbs should not change their length, in torso lengths"),
    "score": ("Confidence", "mean keypoint score; higher is better"),
    "moved": ("Movement", "mean distance from the base's keypoints, in torso lengths"),
    "reconstruction": ("Repainting error", "logarithm of the perceptual error of repainted frames"),
}

CANDIDATES = {"base": "Base", "interpolated": "Half", "personalized": "All"}

_STAGES = {
    "find_s": "Find and follow the person",
    "base_s": "Read the clip, predict with the base",
    "look_s": "Look through several views",
    "adapt_s": "Learn",
    "guard_s": "Check on held-out frames",
    "predict_s": "Predict with the result",
}


@dataclass(frozen=True)
class MetricRow:
    """One line of the guard's table: name, explanation, and a value for each candidate."""

    name: str
    meaning: str
    values: tuple[str, ...]


def decision_words(guard: GuardReport) -> tuple[str, str]:
    """Headline and meaning of the guard's choice."""
    headline, meaning = _DECISIONS[guard.decision]
    if guard.decision == "personalized" and not guard.checks:
        meaning = "No frames were kept out of the learning, so nothing speaks for or against the change."
    return headline, meaning


def metric_rows(guard: GuardReport) -> list[MetricRow]:
    """The guard's figures as a table; checks that were not made are left out."""
    rows = []
    for key, values in guard.figures.items():
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
    """A person file's settings, those of the random views under their own names; none where they cannot be read."""
    try:
        settings: dict[str, Any] = json.loads(notes.get("settings", "{}"))
    except ValueError:
        return []
    views = settings.pop("augmentation", {})
    order = ["preset", "mode", "steps", "seed"]
    names = [name for name in order if name in settings] + sorted(set(settings) - set(order))
    rows = [(name.replace("_", " "), _shown(settings[name])) for name in names]
    return rows + [(f"views: {name.replace('_', ' ')}", _shown(value)) for name, value in views.items()]


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_shown(part) for part in value)
    return "none" if value is None else str(value)
