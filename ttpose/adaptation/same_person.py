"""Several clips and photos of one person: learned from together, predicted one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from ttpose.adaptation.guard.metrics import GuardReport
from ttpose.adaptation.observed_clip import ObservedClip, shares
from ttpose.adaptation.session import Personalization, PersonalizationSession
from ttpose.adaptation.weights import PersonalizedWeights
from ttpose.core.errors import InputError
from ttpose.core.progress import Named, Progress
from ttpose.corrections.model import Corrections
from ttpose.media import Reading, open_source
from ttpose.models.person import PersonDelta

#: Corrections of several sources, as files or in memory.
CorrectionsByPath = Mapping[Path, Path | Corrections]
#: Whom to follow, in all sources or by the source's path.
Subject = str | Mapping[str, str]
OnBad = Callable[[Path, InputError], None]


class SharedPerson:
    """A person who was learned, and what each source shows with the result.

    Args:
        run: How it goes.
        learned: The person.
        subject: Whom to follow, in all sources or by the source's path.
        seen: Clips that were observed, by path; each is given up once it is predicted.
        corrections: Of some of the sources, by path.
    """

    def __init__(
        self,
        run: PersonalizationSession,
        learned: PersonalizedWeights,
        subject: Subject,
        seen: dict[Path, ObservedClip],
        reading: Reading | None = None,
        corrections: CorrectionsByPath | None = None,
    ) -> None:
        self._corrections = corrections or {}
        self._run, self._subject, self._seen, self._learned = run, subject, seen, learned
        self._reading = reading
        #: What was learned from, in order.
        self.sources = tuple(seen)

    @classmethod
    def learn(
        cls,
        run: PersonalizationSession,
        paths: Sequence[Path],
        subject: Subject,
        on_bad: OnBad | None,
        reading: Reading | None = None,
        corrections: CorrectionsByPath | None = None,
    ) -> SharedPerson:
        """Learn from all sources; one that cannot be used is told to `on_bad`, or (None) raises InputError."""
        media = _usable([(path, partial(open_source, path, reading)) for path in paths], on_bad)
        given = corrections or {}
        most = shares([each.info.kind for each in media.values()])
        estimate = run.estimate(list(media.values()))

        def observe(path: Path) -> ObservedClip:
            progress = Named(run.progress, path.name) if len(media) > 1 else run.progress
            known = run.corrections(given.get(path), media[path])
            return run.observe(media[path], _subject_of(subject, path), most, progress, known, estimate)

        seen = _usable([(path, partial(observe, path)) for path in media], on_bad)
        return cls(run, run.learn(list(seen.values())), subject, seen, reading, given)

    @property
    def person(self) -> PersonDelta:
        """The delta to save."""
        return self._learned.person

    @property
    def guard(self) -> GuardReport:
        """Which weights were chosen and why."""
        return self._learned.guard

    @property
    def timings(self) -> dict[str, float]:
        """Seconds a stage of learning."""
        return self._learned.timings

    def predict(self, source: Path | str, progress: Progress | None = None) -> Personalization:
        """The keypoints of a source; one that was not observed before is now.

        Raises:
            InputError, NoPersonError: The source cannot be used.
        """
        path, progress = Path(source), progress or self._run.progress
        seen = self._seen.pop(path, None) or self._observe(path, progress)
        return self._run.predict(seen, self._learned, progress)

    def _observe(self, path: Path, progress: Progress) -> ObservedClip:
        media = open_source(path, self._reading)
        corrections = self._run.corrections(self._corrections.get(path), media)
        subject = _subject_of(self._subject, path)
        return self._run.observe(media, subject, progress=progress, corrections=corrections)


def _subject_of(subject: Subject, path: Path) -> str:
    return subject if isinstance(subject, str) else subject.get(str(path), "auto")


_T = TypeVar("_T")


def _usable(attempts: Sequence[tuple[Path, Callable[[], _T]]], on_bad: OnBad | None) -> dict[Path, _T]:
    """What the attempts on sources give, without those that fail by the source's own fault."""
    found: dict[Path, _T] = {}
    for position, (path, attempt) in enumerate(attempts):
        try:
            found[path] = attempt()
        except InputError as error:
            if on_bad is None or (not found and position == len(attempts) - 1):
                raise
            on_bad(path, error)
    return found
