"""`ttpose personalize`: adapt the model to the person in each video, and write the person file and keypoints."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ttpose.cli import exports, options
from ttpose.cli.session import session
from ttpose.cli.weights_file import WeightsFile, fingerprint, path_of

if TYPE_CHECKING:
    from ttpose.api import Personalization
    from ttpose.core.progress import Progress
    from ttpose.jobs.task import Product, Writer

Steps = Annotated[
    int | None, typer.Option(min=1, metavar="N", show_default="as the preset says", help="Learning steps.")
]

#: The person file's name.
PERSON = "person.safetensors"
_JSON_ONLY = exports.Exports(("json",))


def personalize(
    inputs: options.Inputs,
    output: options.Output = Path("."),
    mode: Annotated[options.Mode, typer.Option(help="Learn from the whole clip first, or frame by frame.")] = (
        options.Mode.offline
    ),
    preset: options.PresetOption = None,
    steps: Steps = None,
    base: options.Base = None,
    same_person: options.SamePerson = False,
    person: options.PersonFile = None,
    save_as: options.SaveAs = None,
    subject: options.Subject = None,
    device: options.Device = "auto",
    seed: options.Seed = 0,
    overlay: options.Overlay = True,
    side_by_side: Annotated[
        bool, typer.Option("--side-by-side", help="Also draw base and personalized beside each other.")
    ] = False,
    draw_min_score: options.DrawMinScore = None,
    report: Annotated[
        bool, typer.Option("--report/--no-report", help="Also write report.html, a page to look at the result.")
    ] = True,
    formats: exports.Formats = "json",
    tables: exports.Tables = None,
    height_m: exports.HeightM = None,
    openpose: exports.OpenPose = exports.OpenPoseSet.body25,
    smooth: exports.Smooth = exports.Smoothing.none,
    fill_gaps: exports.FillGaps = 0.25,
    jobs: options.Jobs = 1,
    scheduler: options.Scheduler = None,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    json_lines: options.JsonLines = False,
    debug: options.Debug = False,
) -> None:
    """Adapt the pose model to the one person in each INPUT and write what it then sees.

    Writes <name>_ttpose/person.safetensors (the adapted weights), keypoints.json, overlay.mp4 and
    report.html. With --same-person there is one person.safetensors for all inputs, in DIR.
    """
    with session(quiet=quiet, json_lines=json_lines, debug=debug) as reporter:
        from ttpose.cli.execution import execution_of
        from ttpose.cli.named_person import NamedPerson
        from ttpose.cli.same_person import check_same_person, run_same_person
        from ttpose.jobs.run import run_batch
        from ttpose.media import find_inputs

        wanted = exports.Exports.chosen(formats, tables, height_m, openpose, smooth, fill_gaps)
        sources = find_inputs(inputs)  # before anything slow is imported
        where = execution_of(device, jobs, scheduler, overwrite=overwrite, debug=debug)
        chosen = (preset or options.Preset.balanced).value
        how = {"mode": mode.value, "preset": chosen, "steps": steps, "subject": subject or "auto", "seed": seed}
        start = WeightsFile.named(base), WeightsFile.named(person)
        work = Personalizing(how, where.device, overlay, wanted, side_by_side, report, *start, draw_min_score)
        if same_person:
            check_same_person(mode.value, where.jobs)
        name = NamedPerson.wanted(save_as, sources, output, same_person, overwrite, path_of(start[1]))
        reporter.start("personalize", where.shown, len(sources), where.jobs)
        if same_person:
            code, made = run_same_person(work, sources, output, reporter, where.running)
        else:
            code = run_batch(work, sources, output, reporter, where.running)
            made = code == 0
        if name is not None:
            reporter.note(name.keep(made, base))
        raise typer.Exit(code)


@dataclass(frozen=True)
class Personalizing:
    """The work of this command on each input (see `ttpose.jobs.task.Work`).

    Attributes:
        how: Keyword arguments of `api.personalize` that change the result.
        device: To compute on.
        overlay: Whether an overlay is drawn.
        wanted: Result files.
        side_by_side: Whether base and personalized are drawn beside each other.
        report: Whether the report page is written.
        base: Weights to start from; None for the shipped ones.
        person: An earlier person to continue from, or None.
        draw_min_score: Of drawn keypoints; None takes the usual one.
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

    @property
    def settings(self) -> dict[str, Any]:
        """What changes the results."""
        start = {**fingerprint("base", self.base), **fingerprint("person", self.person)}
        drawn = options.given("draw_min_score", self.draw_min_score)
        return {"command": "personalize", **self.how, **start, **drawn, **self.wanted.settings}

    def file_names(self, source: Path) -> tuple[str, ...]:
        """The person file, keypoints, pictures and the report."""
        return (PERSON, *self.clip_file_names(source))

    def clip_file_names(self, source: Path) -> tuple[str, ...]:
        """The same without the person file."""
        from ttpose.jobs.task import REPORT, overlay_name, side_by_side_name

        drawn = [overlay_name(source)] * self.overlay + [side_by_side_name(source)] * self.side_by_side
        return (*self.wanted.file_names(), *drawn, *[REPORT] * self.report)

    def make(self, source: Path, progress: Progress) -> Product:
        """Personalize on one input."""
        from ttpose import api

        made = api.personalize(source, **self.arguments(), device=self.device, progress=progress)
        product = self.product(source, made, progress)
        return replace(product, writers={PERSON: made.person.save, **product.writers})

    def arguments(self) -> dict[str, Any]:
        """What `api.personalize` is called with."""
        named = {"base": self.base, "person": self.person}
        return {**self.how, **{name: file.path for name, file in named.items() if file is not None}}

    def product(self, source: Path, made: Personalization, progress: Progress, person: str = PERSON) -> Product:
        """The files of one input but the person file, which is at the path `person` from their folder."""
        from ttpose import api
        from ttpose.core.files import sha256_of
        from ttpose.jobs.task import REPORT, Product, overlay_name, side_by_side_name

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
            **{name: partial(write_keypoints, name) for name in self.wanted.file_names()},
            overlay_name(source): write_overlay,
            side_by_side_name(source): write_side_by_side,
            REPORT: write_report,
        }
        details = {"guard": made.guard.to_dict(), "timings": made.timings}
        text = "; ".join(filter(None, (guard_text(made.guard, self.person is not None), exports.jitter_text(prepared))))
        return Product(writers, text, details, frozenset({REPORT}))


def guard_text(guard: Any, continued: bool = False) -> str:
    """The guard's choice in plain words, with the figures that it was made from."""
    start = "earlier" if continued else "base"
    words = {
        "personalized": "personalized weights are used",
        "interpolated": f"weights half-way between {start} and personalized are used",
        "base": f"{start} weights are used: personalizing did not help here",
    }
    measured = {name: value for name, value in guard.figures.items() if not _is_missing(value)}
    figures = ", ".join(_figure(name, value) for name, value in measured.items())
    return words[guard.decision] + (f" ({figures})" if figures else "")


def _is_missing(value: Any) -> bool:
    """A figure that was not measured, such as the reconstruction of a run that does not reconstruct."""
    return value is None or (isinstance(value, dict) and all(part is None for part in value.values()))


def _figure(name: str, value: Any) -> str:
    if isinstance(value, dict):
        return f"{name} " + " → ".join(f"{key} {_number(part)}" for key, part in value.items())
    return f"{name} {_number(value)}"


def _number(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
