"""What personalizing writes for each input, alone or as one of many of the same person."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttpose.cli import exports, options
from ttpose.cli.subjects import subject_of
from ttpose.cli.weights_file import WeightsFile, fingerprint

if TYPE_CHECKING:
    from ttpose.adaptation.guard.metrics import GuardReport
    from ttpose.api import Personalization
    from ttpose.core.progress import Progress
    from ttpose.jobs.task import Product, Writer
    from ttpose.models.engine import Precision

#: The person file's name.
PERSON = "person.safetensors"
_JSON_ONLY = exports.Exports(("json",))


@dataclass(frozen=True)
class Personalizing:
    """The work of this command on each input (see `ttpose.jobs.task.Work`).

    Attributes:
        how: Keyword arguments of `api.personalize` that change the result; under "corrections" a file, or files by
            input; under "subject" whom to follow, in all inputs or by input.
        device: To compute on.
        overlay: Whether an overlay is drawn.
        wanted: Result files.
        side_by_side: Whether base and personalized are drawn beside each other.
        report: Whether the report page is written.
        base: Weights to start from; None for the shipped ones.
        person: An earlier person to continue from, or None.
        draw_min_score: Of drawn keypoints; None takes the usual one.
        precision: Of the networks while nothing is learned; None for "auto".
    """

    how: dict[str, Any]
    device: str
    overlay: bool
    wanted: exports.Exports = _JSON_ONLY
    side_by_side: bool = False
    report: bool = False
    base: WeightsFile | None = None
    person: WeightsFile | None = None
    draw_min_score: float | None = None
    precision: Precision | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """What changes the results."""
        from ttpose.core.files import sha256_of

        start: dict[str, Any] = {**fingerprint("base", self.base), **fingerprint("person", self.person)}
        how = dict(self.how)
        if given := how.pop("corrections", None):
            files = [given] if isinstance(given, str) else given.values()
            start["corrections_sha256"] = [sha256_of(file) for file in files]
        drawn = {**options.given("draw_min_score", self.draw_min_score), **options.given("precision", self.precision)}
        return {"command": "personalize", **how, **start, **drawn, **self.wanted.settings}

    def file_names(self, source: Path) -> tuple[str, ...]:
        """The person file, keypoints, pictures and the report."""
        return (PERSON, *self.clip_file_names(source))

    def clip_file_names(self, source: Path) -> tuple[str, ...]:
        """The same without the person file."""
        from ttpose.jobs.task import REPORT, overlay_name, side_by_side_name

        drawn = [overlay_name(source)] * self.overlay + [side_by_side_name(source)] * self.side_by_side
        return (*self.export_names(source), *drawn, *[REPORT] * self.report)

    def export_names(self, source: Path) -> tuple[str, ...]:
        """The result files of the formats."""
        from ttpose.jobs.task import shows_photo

        return self.wanted.file_names(photo=shows_photo(source))

    def make(self, source: Path, progress: Progress) -> Product:
        """Personalize on one input."""
        from ttpose import api
        from ttpose.models.engine import use_precision

        use_precision(self.precision or "auto")
        how = self.arguments(source) | options.given("corrections", self.corrections_of(source))
        made = api.personalize(source, **how, device=self.device, progress=progress)
        product = self.product(source, made, progress)
        text = "; ".join(filter(None, (product.text, self.guard_words(made.guard))))
        details = {"guard": made.guard.to_dict(), **product.details}
        return replace(product, writers={PERSON: made.person.save, **product.writers}, text=text, details=details)

    def guard_words(self, guard: GuardReport) -> str:
        """The guard's decision and one reason."""
        from ttpose.report.words import guard_words

        return guard_words(guard, self.person is not None)

    def corrections_of(self, source: Path) -> str | None:
        """The corrections file of an input."""
        given = self.how.get("corrections")
        return given if given is None or isinstance(given, str) else given.get(str(source))

    def arguments(self, source: Path | None = None) -> dict[str, Any]:
        """What `api.personalize` is called with for an input; None for all inputs together."""
        named = {"base": self.base, "person": self.person}
        how = {name: value for name, value in self.how.items() if name != "corrections"}
        if source is not None:
            how["subject"] = subject_of(how.get("subject"), source) or "auto"
        return {**how, **{name: file.path for name, file in named.items() if file is not None}}

    def product(self, source: Path, made: Personalization, progress: Progress, person: str = PERSON) -> Product:
        """The files of one input but the person file, which is at the path `person` from their folder."""
        from ttpose import api
        from ttpose.core.files import sha256_of
        from ttpose.jobs.task import REPORT, Product, overlay_name, shows_photo, side_by_side_name
        from ttpose.report.effect import Effect
        from ttpose.results import with_disagreement

        made = replace(made, keypoints=with_disagreement(made.keypoints, made.base_keypoints))
        prepared, drawing = self.wanted.prepare(made.keypoints), options.given("min_score", self.draw_min_score)

        def write_keypoints(name: str, path: Path) -> None:
            file = os.path.normpath(path.parent / person)  # the folder may not be there yet
            model = {**prepared.model, "person": person, "person_sha256": sha256_of(file)}
            self.wanted.product_writers(replace(prepared, model=model), progress.note)[name](path)

        def write_overlay(path: Path) -> None:
            with progress.stage("draw the overlay"):
                api.write_overlay(source, made.keypoints, path, **drawing)

        def write_side_by_side(path: Path) -> None:
            with progress.stage("draw base and personalized"):
                api.write_side_by_side(source, made.base_keypoints, made.keypoints, path, **drawing)

        def write_report(path: Path) -> None:
            api.write_report(source, replace(made, keypoints=prepared), path, progress=progress)

        writers: dict[str, Writer] = {
            **{name: partial(write_keypoints, name) for name in self.wanted.file_names(photo=shows_photo(source))},
            overlay_name(source): write_overlay,
            side_by_side_name(source): write_side_by_side,
            REPORT: write_report,
        }
        effect = Effect.of(made)
        details = {"moved_torsos": effect.moved, "timings": made.timings}
        text = "; ".join(filter(None, (effect.words(), exports.jitter_text(prepared))))
        return Product(writers, text, details, frozenset({REPORT}))
