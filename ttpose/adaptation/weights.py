"""Personalized weights: fresh from learning, or from the person file that it left."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from ttpose.adaptation.guard.metrics import GuardReport
from ttpose.core.errors import WeightsError
from ttpose.models.person import PersonDelta
from ttpose.models.shipped import LoadedModel
from ttpose.people.weights import on_base


@dataclass(frozen=True)
class PersonalizedWeights:
    """A person's weights, and how they came about.

    Attributes:
        person: The delta to save.
        model: The base with it.
        guard: Which weights were chosen and why.
        timings: Seconds a stage; none where the person was learned before.
        history: Loss terms of every step; none where the person was learned before.
    """

    person: PersonDelta
    model: LoadedModel
    guard: GuardReport
    timings: dict[str, float]
    history: list[dict[str, float]]

    @classmethod
    def load(cls, path: Path, base: LoadedModel) -> PersonalizedWeights:
        """From a person file; raises WeightsError, also where it does not say what the guard chose."""
        model = on_base(base, path)
        person = PersonDelta.load(path, base.base_sha256)
        try:
            guard = GuardReport.from_dict(json.loads(person.notes["guard"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise WeightsError(f"{path} does not say how it was made", "personalize again") from error
        # Results name the file beside them, as after learning.
        return cls(person, replace(model, person=None, person_sha256=None), guard, {}, [])
