from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import create_autospec

import numpy as np

from ttpose.core.errors import InputError, NoPersonError
from ttpose.core.files import write_text
from ttpose.core.geometry import Box
from ttpose.core.progress import Progress
from ttpose.core.skeleton import COCO17
from ttpose.results import FrameRecord, KeypointResult, PersonRecord
from ttpose.results.seen import SeenPerson
from ttpose.results.together import together
from ttpose.tracking.track import TooFewPeopleError


def guard_report() -> Any:
    from ttpose.adaptation.guard.metrics import GuardMetrics, GuardReport

    disagreements = {"base": 0.25, "interpolated": 0.2, "personalized": 0.125}
    checks = {name: GuardMetrics(value, 0.1, 0.1, 0.7, 0.0, None) for name, value in disagreements.items()}
    return GuardReport("personalized", "every check passed", checks)


def made_result(source: Path, shift: float = 0.0) -> KeypointResult:
    """Two frames, one with a person whose torso is 6 pixels long, moved right by `shift` pixels."""
    points = np.column_stack([np.full(17, shift), np.arange(17), np.full(17, 0.5)])
    person = PersonRecord(1, Box(0, 0, 10, 10), points)
    return KeypointResult(
        {"path": str(source), "kind": "video", "width": 64, "height": 48, "frames": 2, "duration_s": 0.1},
        {"base": "mobile", "base_sha256": "ab" * 32, "person": None, "person_sha256": None, "guard": None},
        COCO17,
        [FrameRecord(0, 0.0, (person,)), FrameRecord(1, 0.04, (), "nobody found")],
    )


def made_people(source: Path, followed: int) -> KeypointResult:
    """Three people, as many of them followed as is said, each in a place of their own."""
    results = {n: made_result(source, float(n)) for n in range(1, followed + 1)}
    return together(results, [SeenPerson(n, n <= followed, 1, 0, 0, Box(n, 0, 10, 10)) for n in (1, 2, 3)])


@dataclass
class FakePerson:
    notes: dict[str, str] = field(default_factory=lambda: {"settings": '{"preset": "balanced"}'})

    def save(self, path: Path) -> None:
        write_text(path, "weights")


@dataclass
class FakePersonalization:
    """Has the attributes of `ttpose.api.Personalization`, which `FakeApi` checks."""

    keypoints: KeypointResult
    base_keypoints: KeypointResult
    refined_keypoints: KeypointResult
    person: FakePerson = field(default_factory=FakePerson)
    guard: Any = field(default_factory=guard_report)
    timings: dict[str, float] = field(
        default_factory=lambda: {"adapt": np.float64(0.5), "tta": float("nan"), "predict_s": 0.25}
    )
    history: list[dict[str, float]] = field(default_factory=list)
    samples: None = None


def _with_real_signature(name: str, stand_in: Callable[..., Any]) -> Any:
    from ttpose import api

    assert FakePersonalization.__dataclass_fields__.keys() == api.Personalization.__dataclass_fields__.keys()
    return create_autospec(getattr(api, name), side_effect=stand_in)


class FakeApi(ModuleType):
    """Stands in for `ttpose.api`: remembers calls; a file whose name says so fails.

    Each function has the real one's signature, so that a call that the real one would refuse fails here too.

    Args:
        checked: False leaves the signatures out, for processes that are to start quickly, without torch.
    """

    def __init__(self, *, checked: bool = True) -> None:
        super().__init__("ttpose.api")
        self.calls: list[tuple[str, Path, dict[str, Any]]] = []
        for name in (
            "predict", "personalize", "personalize_people", "learn_person", "write_overlay", "write_report",
            "write_side_by_side",
        ):  # fmt: skip
            stand_in = getattr(self, f"_{name}")
            setattr(self, name, _with_real_signature(name, stand_in) if checked else stand_in)

    def _work(self, name: str, source: Path, progress: Progress, how: dict[str, Any]) -> KeypointResult:
        self.calls.append((name, source, how))
        with progress.stage("predict", total=2) as advance:
            advance()
            advance()
        progress.note("frame 1 is damaged")
        progress.note("frame 1 is damaged")
        if "empty" in source.name:
            raise NoPersonError(f"nobody was found in {source}", "try another clip")
        if "crash" in source.name:
            raise ZeroDivisionError("division by zero\nsecond line")
        if "interrupt" in source.name:
            raise KeyboardInterrupt
        return made_result(source)

    def _personalize(self, source: Path, *, progress: Progress, **how: Any) -> FakePersonalization:
        found = self._work("personalize", source, progress, how)
        refined = made_result(source, 0.0 if "unmoved" in source.name else 0.15)
        return FakePersonalization(found, made_result(source), refined)

    def _personalize_people(self, source: Path, *, people: str, progress: Progress, **how: Any) -> Any:
        """Two people who were learned and a third one who was too short a time in the picture."""
        from ttpose.adaptation.everyone import PersonalizedPeople

        self._work("personalize_people", source, progress, {"people": people, **how})
        found = made_people(source, 3)
        each = {n: FakePersonalization(*[made_result(source, float(n))] * 3) for n in (1, 2, 3)}
        return PersonalizedPeople(each, frozenset({1, 2}), found.people)  # type: ignore[arg-type]

    def _learn_person(
        self,
        sources: Sequence[Path],
        *,
        on_bad: Callable[[Path, InputError], None] | None = None,
        progress: Progress,
        **how: Any,
    ) -> Any:
        self.calls.append(("learn_person", sources[0], {"sources": list(sources), **how}))
        for source in sources if on_bad is not None else ():
            if "empty" in source.name:
                on_bad(source, NoPersonError(f"nobody was found in {source}", "try another clip"))
        if all("empty" in source.name for source in sources):
            raise NoPersonError("nobody in any of them")
        from ttpose.adaptation.same_person import SharedPerson

        shared = create_autospec(SharedPerson, instance=True)
        shared.person, shared.guard, shared.timings = FakePerson(), guard_report(), {"adapt": np.float64(0.5)}
        shared.predict.side_effect = lambda source, progress: self._personalize(source, progress=progress)
        return shared

    def _predict(self, source: Path, *, progress: Progress, **how: Any) -> KeypointResult:
        found, people = self._work("predict", source, progress, how), how.get("people")
        if people is None:
            return found
        if people != "all" and int(people) > 3:
            raise TooFewPeopleError(f"{source}: --people {people}, but only 3 people were seen", "use --people all")
        return made_people(source, 3 if people == "all" else int(people))

    def _write_overlay(self, source: Path, result: KeypointResult, path: Path, **how: float) -> None:
        write_text(path, f"overlay of {source.name}{''.join(f', {name} {value}' for name, value in how.items())}")

    def _write_report(
        self, source: Path, made: FakePersonalization, path: Path, progress: Progress, selector: Any = None
    ) -> None:
        if "unreportable" in source.name:
            raise ZeroDivisionError("no report today")
        about = "" if selector is None else f", person {selector.number} of {len(selector.pages)}"
        write_text(path, f"report of {source.name}{about}")

    def _write_side_by_side(self, source: Path, before: KeypointResult, after: KeypointResult, path: Path) -> None:
        write_text(path, f"{source.name} before and after")
