"""`ttpose predict`: find keypoints with the base model or with a person file."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated

import typer

from ttpose.cli import exports, options
from ttpose.cli.session import session

if TYPE_CHECKING:
    from ttpose.cli.batch import Job, Product
    from ttpose.cli.reporting import Reporter

Weights = Annotated[
    Path | None, typer.Option(metavar="FILE", show_default=False, help="A person file, or a whole model.")
]


def predict(
    inputs: options.Inputs,
    weights: Weights = None,
    output: options.Output = Path("."),
    formats: exports.Formats = "json",
    tables: exports.Tables = None,
    height_m: exports.HeightM = None,
    openpose: exports.OpenPose = exports.OpenPoseSet.body25,
    smooth: exports.Smooth = exports.Smoothing.none,
    fill_gaps: exports.FillGaps = 0.25,
    subject: options.Subject = None,
    device: options.Device = "auto",
    overlay: options.Overlay = True,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    json_lines: options.JsonLines = False,
    debug: options.Debug = False,
) -> None:
    """Find the keypoints of the one person in each video, and of everybody in each photo.

    Writes <name>_ttpose/keypoints.json and overlay.mp4 (overlay.jpg for a photo). With --subject only that
    person of a photo is taken.
    """
    with session(quiet=quiet, json_lines=json_lines, debug=debug) as reporter:
        from ttpose.cli.batch import run_batch
        from ttpose.cli.machine import choose_device
        from ttpose.media import find_inputs

        wanted = exports.Exports.chosen(formats, tables, height_m, openpose, smooth, fill_gaps)
        sources = find_inputs(inputs)  # before anything slow is imported
        from ttpose import api

        chosen = choose_device(device)
        reporter.start("predict", chosen, len(sources))
        job = predicting(api, weights, subject, chosen, wanted, overlay)
        raise typer.Exit(run_batch(job, sources, output, reporter, overwrite=overwrite, debug=debug))


def predicting(
    api: ModuleType,
    weights: Path | None,
    subject: str | None,
    device: str,
    wanted: exports.Exports,
    overlay: bool,
) -> Job:
    """The job of this command, done by `api`; raises WeightsError where the weights file cannot be read."""
    from ttpose.cli.batch import Job, Product, overlay_name
    from ttpose.errors import WeightsError
    from ttpose.files import sha256_of

    try:
        fingerprint = None if weights is None else sha256_of(weights)
    except OSError as error:
        raise WeightsError(f"cannot read {weights}: {error.strerror}", "check the path") from error

    def file_names(source: Path) -> tuple[str, ...]:
        return (*wanted.file_names(), *((overlay_name(source),) if overlay else ()))

    def make(source: Path, reporter: Reporter) -> Product:
        result = api.predict(source, weights=weights, subject=subject, device=device, progress=reporter)

        def write_overlay(path: Path) -> None:
            with reporter.stage("draw the overlay"):
                api.write_overlay(source, result, path)

        prepared = wanted.prepare(result)
        writers = wanted.product_writers(prepared, reporter.note)
        seen = sum(bool(frame.people) for frame in result.frames)
        people = len({person.id for frame in result.frames for person in frame.people})
        details = {"frames": len(result.frames), "frames_with_people": seen, "people": people}
        text = f"{people} {'person' if people == 1 else 'people'} in {seen} of {len(result.frames)} frames"
        text = "; ".join(filter(None, (text, exports.jitter_text(prepared))))
        return Product({**writers, overlay_name(source): write_overlay}, text, details)

    settings = {"command": "predict", "weights_sha256": fingerprint, "subject": subject, **wanted.settings}
    return Job(file_names, make, settings)
