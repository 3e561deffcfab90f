"""`ttpose personalize`: adapt the model to the person in each video, and write the person file and keypoints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ttpose.cli import options
from ttpose.cli.session import session

if TYPE_CHECKING:
    from ttpose.cli.batch import Job, Product
    from ttpose.cli.reporting import Reporter

Steps = Annotated[
    int | None, typer.Option(min=1, metavar="N", show_default="as the preset says", help="Learning steps.")
]


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
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    json_lines: options.JsonLines = False,
    debug: options.Debug = False,
) -> None:
    """Adapt the pose model to the one person in each INPUT and write what it then sees.

    Writes <name>_ttpose/person.safetensors (the adapted weights), keypoints.json and overlay.mp4.
    """
    with session(quiet=quiet, json_lines=json_lines, debug=debug) as reporter:
        from ttpose.cli.batch import run_batch
        from ttpose.cli.machine import choose_device
        from ttpose.media import find_inputs

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
        job = personalizing(api, settings, chosen, overlay)
        raise typer.Exit(run_batch(job, sources, output, reporter, overwrite=overwrite, debug=debug))


def personalizing(api: ModuleType, settings: dict[str, Any], device: str, overlay: bool) -> Job:
    """The job of this command, done by `api`."""
    from ttpose.cli.batch import Job, Product, overlay_name
    from ttpose.files import sha256_of
    from ttpose.results import KeypointResult, write_json

    how = {key: value for key, value in settings.items() if key != "command"}

    def file_names(source: Path) -> tuple[str, ...]:
        return ("person.safetensors", "keypoints.json", *((overlay_name(source),) if overlay else ()))

    def write_keypoints(result: KeypointResult, path: Path) -> None:
        person = path.with_name("person.safetensors")
        model = {**result.model, "person": person.name, "person_sha256": sha256_of(person)}
        write_json(replace(result, model=model), path)

    def make(source: Path, reporter: Reporter) -> Product:
        made = api.personalize(source, **how, device=device, progress=reporter)

        def write_overlay(path: Path) -> None:
            with reporter.stage("draw the overlay"):
                api.write_overlay(source, made.keypoints, path)

        writers = {
            "person.safetensors": made.person.save,
            "keypoints.json": lambda path: write_keypoints(made.keypoints, path),
            overlay_name(source): write_overlay,
        }
        details = {"guard": made.guard.to_dict(), "timings": made.timings}
        return Product(writers, guard_text(made.guard), details)

    return Job(file_names, make, settings)


def guard_text(guard: Any) -> str:
    """The guard's choice in plain words, with the figures that it was made from."""
    words = {
        "personalized": "personalized weights are used",
        "interpolated": "weights half-way between base and personalized are used",
        "base": "base weights are used: personalizing did not help here",
    }
    figures = ", ".join(_figure(name, value) for name, value in guard.figures.items())
    return words[guard.verdict] + (f" ({figures})" if figures else "")


def _figure(name: str, value: Any) -> str:
    if isinstance(value, dict):
        return f"{name} " + " → ".join(f"{key} {_number(part)}" for key, part in value.items())
    return f"{name} {_number(value)}"


def _number(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
