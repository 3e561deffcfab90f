"""`ttpose export`: a personalized model, or a base, as one file for other programs."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ttpose.cli import options
from ttpose.cli.session import session
from ttpose.core.errors import UsageError
from ttpose.core.files import check_file

if TYPE_CHECKING:
    import numpy as np

_SUFFIX = {"onnx": ".onnx", "torchscript": ".pt"}


class Kind(str, Enum):
    """What to export to."""

    onnx = "onnx"
    torchscript = "torchscript"


class Pixels(str, Enum):
    """Type of the input's numbers."""

    uint8 = "uint8"
    float32 = "float32"


def export(
    weights: Annotated[
        Path,
        typer.Argument(metavar="WEIGHTS", show_default=False, help="A person, by file or by name, or a whole model."),
    ],
    to: Annotated[Kind, typer.Option("--to", show_default=False, help="Kind of file.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", dir_okay=False, show_default="beside the weights", help="File to write."
        ),
    ] = None,
    base: options.Base = None,
    pixels: Annotated[Pixels, typer.Option("--input", help="Type of the input's numbers, 0 to 255.")] = Pixels.uint8,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE if it is there.")] = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Write base and person together as one file that finds keypoints without ttpose.

    Input: one square crop of a person, RGB. Outputs: heatmaps, and keypoints in the crop's pixels.
    """
    with session(quiet=True, debug=debug):
        target = output or weights.with_suffix(_SUFFIX[to.value])
        if target.exists() and not overwrite:
            raise UsageError(f"{target} is there already", "choose another name with -o, or add --overwrite")
        check_file(target)
        from ttpose.models.export import export_model
        from ttpose.people.weights import load_weights

        loaded = load_weights(weights, base=base)
        notes = {"base": loaded.base, "base_sha256": loaded.base_sha256}
        if loaded.person is not None:
            notes |= {"person": loaded.person.name, "person_sha256": loaded.person_sha256 or ""}
        difference = export_model(
            loaded.model,
            target,
            to.value,
            input_type=pixels.value,
            notes=notes,
            check=sample_crop(loaded.model.config.crop.size),
        )
        if not quiet:
            typer.echo(f"{target}: {_told(difference)}")


def sample_crop(size: tuple[int, int]) -> np.ndarray:
    """A crop of the shipped clip's person, RGB uint8 [*size, 3], to compare models on."""
    import numpy as np

    from ttpose.core.geometry import Box, crop_matrix, warp
    from ttpose.media import open_source
    from ttpose.sample import sample_clip

    frame = next(iter(open_source(sample_clip()).frames())).image
    if frame is None:
        return np.zeros((*size, 3), np.uint8)
    height, width = frame.shape[:2]
    return warp(frame, crop_matrix(Box(0, 0, width, height), size, pad=1.0), size)


def _told(difference: float | None) -> str:
    if difference is None:
        return "not compared with the model's own keypoints, because onnxruntime is not installed"
    return f"its keypoints are within {max(difference, 1e-6):.0e} pixels of the model's"
