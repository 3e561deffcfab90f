"""`ttpose demo`: personalize on a short sample clip that comes with the package."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from ttpose.cli import options
from ttpose.cli.session import session

Output = Annotated[
    Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the sample and its results.", file_okay=False)
]


def demo(
    output: Output = Path("ttpose_demo"),
    device: options.Device = "auto",
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    json_lines: options.JsonLines = False,
    debug: options.Debug = False,
) -> None:
    """Copy a sample clip into a folder and personalize on it with the fast preset.

    The same as `ttpose personalize DIR/dance.mp4 -o DIR --preset fast`.
    """
    with session(quiet=quiet, json_lines=json_lines, debug=debug) as reporter:
        from ttpose.cli.batch import run_batch
        from ttpose.cli.machine import choose_device
        from ttpose.cli.personalize import personalizing

        clip = copy_sample(output)
        from ttpose import api

        chosen = choose_device(device)
        reporter.start("demo", chosen, 1)
        settings = {
            "command": "personalize",
            "mode": "offline",
            "preset": "fast",
            "steps": None,
            "subject": "auto",
            "seed": 0,
        }
        job = personalizing(api, settings, chosen, True)
        code = run_batch(job, [clip], output, reporter, overwrite=overwrite, debug=debug)
        if code == 0 and not quiet and not json_lines:
            typer.echo(_what_now(clip, output / f"{clip.stem}_ttpose"))
        raise typer.Exit(code)


def copy_sample(folder: Path) -> Path:
    """Put the sample into a folder and return its path; the same file there already is left alone.

    Raises:
        UsageError: Another file of that name is there.
        OutputError: The folder cannot be written.
    """
    from ttpose.errors import UsageError
    from ttpose.files import atomic_path, sha256_of
    from ttpose.sample import sample_clip

    sample = sample_clip()
    target = folder / sample.name
    if target.exists():
        if sha256_of(target) != sha256_of(sample):
            raise UsageError(f"{target} is another file, not the sample", "choose another folder with -o")
        return target
    with atomic_path(target) as partial:
        shutil.copyfile(sample, partial)
    return target


def _what_now(clip: Path, results: Path) -> str:
    return "\n".join(
        (
            f"  {clip}: the sample, a rendered person dancing",
            f"  {results / 'overlay.mp4'}: watch it; orange is the person's left, blue the right",
            f"  {results / 'keypoints.json'}: the keypoints of every frame",
            f"  {results / 'person.safetensors'}: the adapted weights, to use again on other clips of this person:",
            f"      ttpose predict {clip} --weights {results / 'person.safetensors'} -o again",
        )
    )
