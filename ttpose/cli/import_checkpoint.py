"""`ttpose import-checkpoint`: a checkpoint of ViTPose or of the paper's public implementation becomes a base."""

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
        Path,
        typer.Argument(
            metavar="CHECKPOINT", show_default=False, help="A Hugging Face folder, or a PyTorch file (.pth)."
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT.safetensors", show_default=False, help="File to write.")
    ],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT if it is there.")] = False,
    debug: options.Debug = False,
) -> None:
    """Turn weights from elsewhere into a base: ViTPose (S, B, L, H), or the TTP paper's public implementation.

    Nothing is downloaded, and code in the file is never run.
    """
    with session(quiet=True, debug=debug):
        _refuse_bad_output(output, overwrite)
        from ttpose.core.files import sha256_of
        from ttpose.models.checkpoint import save_model
        from ttpose.models.foreign import import_checkpoint as read_checkpoint

        model = read_checkpoint(checkpoint)
        weights = checkpoint / "model.safetensors" if checkpoint.is_dir() else checkpoint
        notes = {"imported_from": checkpoint.resolve().name, "imported_sha256": sha256_of(weights)}
        # In full precision: published figures are to be repeated, not approached.
        save_model(model, output, half=False, notes=notes)
        config, crop = model.config, model.config.crop
        name = config.preset if config.encoder == "vitpose" else config.encoder
        millions = sum(p.numel() for p in model.parameters()) / 1e6
        size, keypoints = f"{crop.height}x{crop.width}", f"{len(model.skeleton)} keypoints ({config.skeleton})"
        typer.echo(f"{output}: {name}, {millions:.1f} M parameters, crops of {size}, {keypoints}")


def _refuse_bad_output(output: Path, overwrite: bool) -> None:
    if output.suffix != ".safetensors":
        raise UsageError(f"{output} does not end in .safetensors", "weights files are named so")
    if output.exists() and not overwrite:
        raise UsageError(f"{output} is there already", "choose another name, or add --overwrite")
    check_file(output)
