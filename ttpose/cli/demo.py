"""`ttpose demo`: personalize on a short sample clip that comes with the package."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from ttpose.cli import options
from ttpose.cli.personalize import personalize
from ttpose.cli.session import session
from ttpose.core.files import check_folder

Output = Annotated[
    Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the sample and its results.", file_okay=False)
]

_MEANING = {
    "overlay.mp4": "watch it: orange is the person's left, blue the right",
    "report.html": "open it: what was done, and whether it helped",
    "keypoints.json": "the keypoints of every frame",
    "angles.csv": "joint and segment angles, for a spreadsheet",
    "person.safetensors": "the adapted weights, for other clips of this person (ttpose predict --weights)",
}


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
    with session(quiet=quiet, json_lines=json_lines, debug=debug):
        check_folder(output)
        clip = copy_sample(output)
    try:
        personalize(
            [clip], output, preset=options.Preset.fast, device=device, overwrite=overwrite, quiet=quiet,
            json_lines=json_lines, debug=debug,
        )  # fmt: skip
    except typer.Exit as end:
        if end.exit_code == 0 and not quiet and not json_lines:
            typer.echo(_what_now(clip, output / f"{clip.stem}_ttpose"))
        raise


def copy_sample(folder: Path) -> Path:
    """Put the sample into a folder and return its path; the same file there already is left alone.

    Raises:
        UsageError: Another file of that name is there.
        OutputError: The folder cannot be written.
    """
    from ttpose.core.errors import UsageError
    from ttpose.core.files import atomic_path, sha256_of
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
    lines = [f"  {clip}: the sample, a rendered person dancing"]
    lines += [f"  {results / name}: {meaning}" for name, meaning in _MEANING.items() if (results / name).is_file()]
    return "\n".join(lines)
