"""What a notebook user calls; the command line is built on exactly this."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ttpose.adaptation.everyone import PersonalizedPeople
    from ttpose.adaptation.same_person import SharedPerson
    from ttpose.adaptation.session import Personalization
    from ttpose.api.image import Pose, load_model
    from ttpose.api.personalization import learn_person, personalize, personalize_many, personalize_people
    from ttpose.api.prediction import predict
    from ttpose.evaluation.clips import evaluate_clips
    from ttpose.evaluation.report import EvaluationReport
    from ttpose.report.overlay import write_overlay, write_side_by_side
    from ttpose.report.page import write_report
    from ttpose.results import KeypointResult

__all__ = [
    "EvaluationReport", "KeypointResult", "Personalization", "PersonalizedPeople", "Pose", "SharedPerson",
    "evaluate_clips", "learn_person", "load_model", "personalize", "personalize_many", "personalize_people", "predict",
    "write_overlay", "write_report", "write_side_by_side",
]  # fmt: skip

# Imported when it is asked for: what predicting a photo has no use for takes a fifth of a second.
_WHERE = {
    "EvaluationReport": "ttpose.evaluation.report",
    "KeypointResult": "ttpose.results",
    "Personalization": "ttpose.adaptation.session",
    "PersonalizedPeople": "ttpose.adaptation.everyone",
    "Pose": "ttpose.api.image",
    "SharedPerson": "ttpose.adaptation.same_person",
    "evaluate_clips": "ttpose.evaluation.clips",
    "learn_person": "ttpose.api.personalization",
    "load_model": "ttpose.api.image",
    "personalize": "ttpose.api.personalization",
    "personalize_many": "ttpose.api.personalization",
    "personalize_people": "ttpose.api.personalization",
    "predict": "ttpose.api.prediction",
    "write_overlay": "ttpose.report.overlay",
    "write_report": "ttpose.report.page",
    "write_side_by_side": "ttpose.report.overlay",
}


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
