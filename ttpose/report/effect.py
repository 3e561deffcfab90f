"""What personalizing did to the keypoints beyond refinement: how far they moved, and what else would have done."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ttpose.inference.settings import REFINE_PRESETS
from ttpose.results.series import subject_keypoints, torso_length

if TYPE_CHECKING:
    from ttpose.adaptation.session import Personalization

#: Mean movement in torsos below which personalizing changed almost nothing: a hundredth of a torso is half a
#: centimetre on an adult, far less than the error of any keypoint.
ALMOST_NOTHING = 0.01

_PARTS = {2: "half", 3: "a third", 4: "a quarter", 5: "a fifth", 6: "a sixth", 7: "a seventh", 8: "an eighth"}


@dataclass(frozen=True)
class Effect:
    """What personalizing did to one clip's keypoints.

    Attributes:
        moved: Mean distance of personalized from refined keypoints in torsos; None where nothing can be compared.
        preset: The preset of `ttpose predict` that gives the refined keypoints; None where there is none.
        times_as_long: The whole personalization's time by that of its inference part alone; None where not measured.
        continued: Whether the run started from an earlier person's weights.
    """

    moved: float | None
    preset: str | None = None
    times_as_long: float | None = None
    continued: bool = False

    @classmethod
    def of(cls, made: Personalization) -> Effect:
        """Measure a personalization."""
        notes, timings = made.person.notes, made.timings
        preset = _preset(notes.get("settings", "{}"))
        alone = sum(timings.get(name, 0.0) for name in ("find_s", "refine_s"))
        learned = timings.get("adapt_s", 0.0) > 0  # in this run, not in an earlier one
        times = sum(timings.values()) / alone if learned and alone > 0 else None
        return cls(movement(made), preset, times, "continues" in notes)

    @property
    def almost_nothing(self) -> bool:
        """Whether the keypoints stayed where refinement alone puts them."""
        return self.moved is not None and self.moved < ALMOST_NOTHING

    @property
    def instead(self) -> str | None:
        """The command that gives the same keypoints, and in which part of the time; None where there is none."""
        if self.preset is None:
            return None
        weights = " --weights EARLIER" if self.continued else ""
        return f"`ttpose predict --preset {self.preset}{weights}` gives the same{self._time()}"

    def words(self) -> str | None:
        """One line for the console, None where nothing can be said."""
        if self.moved is None:
            return None
        if not self.almost_nothing:
            return f"personalizing moved the keypoints by {self.moved:.1%} of the torso".replace("%", " %")
        instead = self.instead
        return "personalizing changed almost nothing" + (f"; {instead}" if instead else "")

    def _time(self) -> str:
        """In words, such as " in a fifth of the time"."""
        if self.times_as_long is None or round(self.times_as_long) < 2:
            return ""
        part = _PARTS.get(round(self.times_as_long), "a tenth" if self.times_as_long < 15 else "a fraction")
        return f" in {part} {'' if part == 'half' else 'of '}the time"


def movement(made: Personalization) -> float | None:
    """Mean over frames of the keypoints' mean distance from the refined ones, in torsos."""
    personalized, refined = subject_keypoints(made.keypoints), subject_keypoints(made.refined_keypoints)
    distance = np.linalg.norm(personalized[..., :2] - refined[..., :2], axis=-1)
    there = np.isfinite(distance)
    frames = there.any(axis=1)
    if not frames.any():
        return None
    means = np.where(there, distance, 0.0)[frames].sum(1) / there[frames].sum(1)
    return float(means.mean() / torso_length(made.keypoints, personalized))


def _preset(settings: str) -> str | None:
    """The preset of inference in a person file's settings; None for methods that have none."""
    try:
        told = json.loads(settings)
        preset = told.get("preset")
    except (ValueError, AttributeError):
        return None
    return preset if preset in REFINE_PRESETS else None
