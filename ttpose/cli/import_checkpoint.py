"""`ttpose import-checkpoint`: a checkpoint of the paper's public implementation becomes a weights file of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ttpose.cli import options
from ttpose.cli.session import session
from ttpose.core.errors import UsageError
from ttpose.core.files import check_file


def import_checkpoint(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="REFERENCE.pth", show_default=False, help="A PyTorch checkpoint.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT.safetensors", show_default=False, help="File to write.")
    ],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT if it is there.")] = False,
    debug: options.Debug = False,
) -> None:
    """Turn a checkpoint of the TTP paper's public implementation into a weights file; code in it is never run."""
    with session(quiet=True, debug=debug):
        _refuse_bad_output(output, overwrite)
        from ttpose.core.files import sha256_of
        from ttpose.models.checkpoint import save_model
        from ttpose.models.paper_checkpoint import import_reference

        model = import_reference(checkpoint)
        notes = {"imported_from": checkpoint.name, "imported_sha256": sha256_of(checkpoint)}
        # In full precision: published figures are to be repeated, not approached.
        save_model(model, output, half=False, notes=notes)
        config = model.config
        typer.echo(f"{output}: {config.encoder}, {len(model.skeleton)} keypoints ({config.skeleton})")


def _refuse_bad_output(output: Path, overwrite: bool) -> None:
    if output.suffix != ".safetensors":
        raise UsageError(f"{output} does not end in .safetensors", "weights files are named so")
    if output.exists() and not overwrite:
        raise UsageError(f"{output} is there already", "choose another name, or add --overwrite")
    check_file(output)
