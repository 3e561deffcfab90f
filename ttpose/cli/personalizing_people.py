"""What personalizing writes for several people in one input: a file for each person, and keypoints of all together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttpose.cli import exports, options
from ttpose.cli.personalizing import Personalizing

if TYPE_CHECKING:
    from ttpose.api import Personalization, PersonalizedPeople
    from ttpose.core.progress import Progress
    from ttpose.jobs.task import Product, Writer
    from ttpose.results import KeypointResult


def person_name(number: int) -> str:
    """The file of a person."""
    return f"person_{number}.safetensors"


def report_name(number: int) -> str:
    """The page about a person; that of number 1 has the name that a single person's has."""
    from ttpose.jobs.task import REPORT

    return REPORT if number == 1 else f"report_person_{number}.html"


def check_alone(**others: object) -> None:
    """Refuse what is about one person beside `--people`; raises UsageError."""
    from ttpose.core.errors import UsageError

    for option, given in others.items():
        if given:
            name = f"--{option.replace('_', '-')}"
            raise UsageError(f"{name} is about one person, --people about several", "leave one of them out")


@dataclass(frozen=True)
class PersonalizingPeople(Personalizing):
    """The work on each input where several people are asked for.

    Attributes:
        people: How many, or "all".
    """

    people: str = "all"

    @property
    def settings(self) -> dict[str, Any]:
        """What changes the results."""
        return {**super().settings, "people": self.people}

    def file_names(self, source: Path) -> tuple[str, ...]:
        """What is known beforehand: there is at least number 1."""
        return self.clip_file_names(source)

    def export_names(self, source: Path) -> tuple[str, ...]:
        """The result files of the formats, each person's own among them."""
        from ttpose.jobs.task import shows_photo

        return self.wanted.file_names(photo=shows_photo(source), people=True)

    def make(self, source: Path, progress: Progress) -> Product:
        """Personalize on everybody in one input."""
        from ttpose import api
        from ttpose.jobs.task import REPORT, Product, overlay_name, side_by_side_name
        from ttpose.models.engine import use_precision

        use_precision(self.precision or "auto")
        how = self.arguments(source)
        made = api.personalize_people(source, people=self.people, **how, device=self.device, progress=progress)
        prepared = self.wanted.prepare(_with_disagreement(made))
        writers: dict[str, Writer] = {person_name(n): made.people[n].person.save for n in sorted(made.learned)}
        writers |= self._keypoint_writers(prepared, progress)
        drawing = options.given("min_score", self.draw_min_score)

        def write_overlay(path: Path) -> None:
            with progress.stage("draw the overlay"):
                api.write_overlay(source, prepared, path, **drawing)

        def write_side_by_side(path: Path) -> None:
            with progress.stage("draw base and personalized"):
                base = made.combined(lambda one: one.base_keypoints)
                api.write_side_by_side(source, base, prepared, path, **drawing)

        drawn = {overlay_name(source): write_overlay, side_by_side_name(source): write_side_by_side}
        reports = {report_name(n): self._report_writer(source, made, n, progress) for n in made.people}
        writers |= {**drawn, **(reports if self.report else {REPORT: reports[report_name(1)]})}
        known = (*self.file_names(source), *drawn, REPORT)
        more = tuple(name for name in writers if name not in known)
        details = {"people": len(made.people), "people_seen": len(made.seen), "guards": _decisions(made)}
        text = "; ".join(filter(None, (self._words(made), exports.jitter_text(prepared))))
        return Product(writers, text, details, frozenset(reports), more)

    def _keypoint_writers(self, prepared: KeypointResult, progress: Progress) -> dict[str, Writer]:
        def write(name: str, path: Path) -> None:
            # The person files are written by now, and their fingerprints are known.
            listed = replace(prepared, people=tuple(_with_file(person, path.parent) for person in prepared.people))
            self.wanted.product_writers(listed, progress.note, people=True)[name](path)

        names = self.wanted.product_writers(prepared, lambda text: None, people=True)
        return {name: partial(write, name) for name in names}

    def _report_writer(
        self, source: Path, made: PersonalizedPeople, number: int, progress: Progress
    ) -> Callable[[Path], None]:
        def write(path: Path) -> None:
            from ttpose import api
            from ttpose.report.page import Selector

            one = _compared(made.people[number])
            one = replace(one, keypoints=self.wanted.prepare(one.keypoints))
            file = person_name(number) if number in made.learned else None
            selector = Selector(number, {n: report_name(n) for n in made.people}, file)
            api.write_report(source, one, path, progress=progress, selector=selector)

        return write

    def _words(self, made: PersonalizedPeople) -> str:
        """How many people, and what the guard decided about each."""
        said = [f"person {n}: {self.guard_words(made.people[n].guard)}" for n in sorted(made.learned)]
        rest = [str(n) for n in made.people if n not in made.learned]
        left_out = f"not personalized: {', '.join(rest)}" if rest else ""
        people = "1 person" if len(made.people) == 1 else f"{len(made.people)} people"
        return "; ".join(filter(None, (people, *said, left_out)))


def _compared(one: Personalization) -> Personalization:
    from ttpose.results import with_disagreement

    return replace(one, keypoints=with_disagreement(one.keypoints, one.base_keypoints))


def _with_disagreement(made: PersonalizedPeople) -> KeypointResult:
    return made.combined(lambda one: _compared(one).keypoints)


def _with_file(person: Any, folder: Path) -> Any:
    from ttpose.core.files import sha256_of

    if person.weights is None:
        return person
    name = person_name(person.id)
    return replace(person, weights={**person.weights, "person": name, "person_sha256": sha256_of(folder / name)})


def _decisions(made: PersonalizedPeople) -> dict[str, str]:
    return {str(number): made.people[number].guard.decision for number in sorted(made.learned)}
