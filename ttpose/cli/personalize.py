"""`ttpose personalize`: adapt the model to the person in each video, and write the person file and keypoints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ttpose.cli import exports, options
from ttpose.cli.session import session

if TYPE_CHECKING:
    from ttpose.cli.batch import Job, Product
    from ttpose.cli.reporting import Reporter

Steps = Annotated[
    int | None, typer.Option(min=1, metavar="N", show_default="as the preset says", help="Learning steps.")
]

_JSON_ONLY = exports.Exports(("json",))


def personalize(
    inputs: options.Inputs,
    output: options.Output = Path("."),
    mode: Annotated[options.Mode, typer.Option(help="Learn from the whole clip first, or frame by frame.")] = (
        options.Mode.offline
    ),
    preset: options.PresetOption = options.Preset.balanced,
    steps: Steps = None,
    subject: options.Subject = None,
    device: options.Device = "auto",
    seed: options.Seed = 0,
    overlay: options.Overlay = True,
    side_by_side: Annotated[
        bool, typer.Option("--side-by-side", help="Also draw base and personalized beside each other.")
    ] = False,
    report: Annotated[
        bool, typer.Option("--report/--no-report", help="Also write report.html, a page to look at the result.")
    ] = True,
    formats: exports.Formats = "json",
    tables: exports.Tables = None,
    height_m: exports.HeightM = None,
    openpose: exports.OpenPose = exports.OpenPoseSet.body25,
    smooth: exports.Smooth = exports.Smoothing.none,
    fill_gaps: exports.FillGaps = 0.25,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    json_lines: options.JsonLines = False,
    debug: options.Debug = False,
) -> None:
    """Adapt the pose model to the one person in each INPUT and write what it then sees.

    Writes <name>_ttpose/person.safetensors (the adapted weights), keypoints.json, overlay.mp4 and
    report.html.
    """
    with session(quiet=quiet, json_lines=json_lines, debug=debug) as reporter:
        from ttpose.cli.batch import run_batch
        from ttpose.cli.machine import choose_device
        from ttpose.media import find_inputs

        wanted = exports.Exports.chosen(formats, tables, height_m, openpose, smooth, fill_gaps)
        sources = find_inputs(inputs)  # before anything slow is imported
        from ttpose import api

        chosen = choose_device(device)
        reporter.start("personalize", chosen, len(sources))
        settings = {
            "command": "personalize",
            "mode": mode.value,
            "preset": preset.value,
            "steps": steps,
            "subject": subject or "auto",
            "seed": seed,
        }
        job = personalizing(api, settings, chosen, overlay, wanted, side_by_side, report)
        raise typer.Exit(run_batch(job, sources, output, reporter, overwrite=overwrite, debug=debug))


def personalizing(
    api: ModuleType,
    settings: dict[str, Any],
    device: str,
    overlay: bool,
    wanted: exports.Exports = _JSON_ONLY,
    side_by_side: bool = False,
    report: bool = False,
) -> Job:
    """The job of this command, done by `api`."""
    from ttpose.cli.batch import REPORT, Job, Product, overlay_name, side_by_side_name
    from ttpose.files import sha256_of
    from ttpose.results import KeypointResult

    how = {key: value for key, value in settings.items() if key != "command"}

    def file_names(source: Path) -> tuple[str, ...]:
        drawn = [overlay_name(source)] * overlay + [side_by_side_name(source)] * side_by_side + [REPORT] * report
        return ("person.safetensors", *wanted.file_names(), *drawn)

    def write_keypoints(result: KeypointResult, name: str, path: Path, reporter: Reporter) -> None:
        person = path.with_name("person.safetensors")
        model = {**result.model, "person": person.name, "person_sha256": sha256_of(person)}
        wanted.product_writers(replace(result, model=model), reporter.note)[name](path)

    def make(source: Path, reporter: Reporter) -> Product:
        made = api.personalize(source, **how, device=device, progress=reporter)

        def write_overlay(path: Path) -> None:
            with reporter.stage("draw the overlay"):
                api.write_overlay(source, made.keypoints, path)

        def write_side_by_side(path: Path) -> None:
            with reporter.stage("draw base and personalized"):
                api.write_side_by_side(source, made.base_keypoints, made.keypoints, path)

        def write_report(path: Path) -> None:
            api.write_report(source, replace(made, keypoints=prepared), path, progress=reporter)

        prepared = wanted.prepare(made.keypoints)
        writers = {
            "person.safetensors": made.person.save,
            **{
                name: lambda path, name=name: write_keypoints(prepared, name, path, reporter)
                for name in wanted.file_names()
            },
            overlay_name(source): write_overlay,
            side_by_side_name(source): write_side_by_side,
            REPORT: write_report,
        }
        details = {"guard": made.guard.to_dict(), "timings": made.timings}
        text = "; ".join(filter(None, (guard_text(made.guard), exports.jitter_text(prepared))))
        return Product(writers, text, details, frozenset({REPORT}))

    return Job(file_names, make, {**settings, **wanted.settings})


def guard_text(guard: Any) -> str:
    """The guard's choice in plain words, with the figures that it was made from."""
    words = {
        "personalized": "personalized weights are used",
        "interpolated": "weights half-way between base and personalized are used",
        "base": "base weights are used: personalizing did not help here",
    }
    measured = {name: value for name, value in guard.figures.items() if not _is_missing(value)}
    figures = ", ".join(_figure(name, value) for name, value in measured.items())
    return words[guard.verdict] + (f" ({figures})" if figures else "")


def _is_missing(value: Any) -> bool:
    """A figure that was not measured, such as the reconstruction of a run that does not reconstruct."""
    return value is None or (isinstance(value, dict) and all(part is None for part in value.values()))


def _figure(name: str, value: Any) -> str:
    if isinstance(value, dict):
        return f"{name} " + " → ".join(f"{key} {_number(part)}" for key, part in value.items())
    return f"{name} {_number(value)}"


def _number(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
