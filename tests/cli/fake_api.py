from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ttpose.core.errors import InputError, NoPersonError
from ttpose.core.files import write_text
from ttpose.core.geometry import Box
from ttpose.core.progress import Progress
from ttpose.core.skeleton import COCO17
from ttpose.results import FrameRecord, KeypointResult, PersonRecord


def made_result(source: Path) -> KeypointResult:
    person = PersonRecord(1, Box(0, 0, 10, 10), np.full((17, 3), 0.5))
    return KeypointResult(
        {"path": str(source), "kind": "video", "width": 64, "height": 48, "frames": 2, "duration_s": 0.1},
        {"base": "mobile", "base_sha256": "ab" * 32, "person": None, "person_sha256": None, "guard": None},
        COCO17,
        [FrameRecord(0, 0.0, (person,)), FrameRecord(1, 0.04, (), "nobody found")],
    )


class FakePerson:
    def save(self, path: Path) -> None:
        write_text(path, "weights")


class FakeGuard:
    decision = "personalized"
    figures = {"flip": {"base": 0.25, "personalized": 0.125}, "frames": 8}  # noqa: RUF012

    def to_dict(self) -> dict[str, Any]:
        return {"verdict": self.decision, "figures": self.figures}


@dataclass
class FakePersonalization:
    keypoints: KeypointResult
    base_keypoints: KeypointResult
    person: FakePerson = field(default_factory=FakePerson)
    guard: FakeGuard = field(default_factory=FakeGuard)
    timings: dict[str, float] = field(
        default_factory=lambda: {"adapt": np.float64(0.5), "look": float("nan"), "predict_s": 0.25}
    )


@dataclass
class FakeShared:
    api: FakeApi
    person: FakePerson = field(default_factory=FakePerson)
    guard: FakeGuard = field(default_factory=FakeGuard)
    timings: dict[str, float] = field(default_factory=lambda: {"adapt": np.float64(0.5)})

    def predict(self, source: Path, progress: Progress) -> FakePersonalization:
        return self.api.personalize(source, progress=progress)


class FakeApi(ModuleType):
    """Stands in for `ttpose.api`: remembers calls; a file whose name says so fails."""

    def __init__(self) -> None:
        super().__init__("ttpose.api")
        self.calls: list[tuple[str, Path, dict[str, Any]]] = []

    def _work(self, name: str, source: Path, progress: Progress, how: dict[str, Any]) -> KeypointResult:
        self.calls.append((name, source, how))
        with progress.stage("look", total=2) as advance:
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

    def personalize(self, source: Path, *, progress: Progress, **how: Any) -> FakePersonalization:
        return FakePersonalization(self._work("personalize", source, progress, how), made_result(source))

    def learn_person(
        self,
        sources: Sequence[Path],
        *,
        on_bad: Callable[[Path, InputError], None] | None = None,
        progress: Progress,
        **how: Any,
    ) -> FakeShared:
        self.calls.append(("learn_person", sources[0], {"sources": list(sources), **how}))
        for source in sources if on_bad is not None else ():
            if "empty" in source.name:
                on_bad(source, NoPersonError(f"nobody was found in {source}", "try another clip"))
        if all("empty" in source.name for source in sources):
            raise NoPersonError("nobody in any of them")
        return FakeShared(self)

    def predict(self, source: Path, *, progress: Progress, **how: Any) -> KeypointResult:
        return self._work("predict", source, progress, how)

    def write_overlay(self, source: Path, result: KeypointResult, path: Path, **how: float) -> None:
        write_text(path, f"overlay of {source.name}{''.join(f', {name} {value}' for name, value in how.items())}")

    def write_report(self, source: Path, made: FakePersonalization, path: Path, progress: Progress) -> None:
        if "unreportable" in source.name:
            raise ZeroDivisionError("no report today")
        write_text(path, f"report of {source.name}")

    def write_side_by_side(self, source: Path, before: KeypointResult, after: KeypointResult, path: Path) -> None:
        write_text(path, f"{source.name} before and after")
