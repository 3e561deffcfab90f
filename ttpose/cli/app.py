"""The `ttpose` command and its subcommands, one file each."""

from __future__ import annotations

from typing import Annotated

import typer

from ttpose.cli.convert import convert
from ttpose.cli.correct import CorrectCommand, correct
from ttpose.cli.demo import demo
from ttpose.cli.evaluate import evaluate
from ttpose.cli.export import export
from ttpose.cli.help_all import with_rare_options
from ttpose.cli.import_checkpoint import import_checkpoint
from ttpose.cli.info import info
from ttpose.cli.live import live
from ttpose.cli.models import models
from ttpose.cli.people import people
from ttpose.cli.personalize import personalize
from ttpose.cli.predict import predict
from ttpose.cli.synth import synth
from ttpose.cli.train import train
from ttpose.core.version import __version__

app = typer.Typer(
    name="ttpose",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ttpose {__version__}")
        raise typer.Exit


@app.callback()
def ttpose(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Personalize a human pose model on your own video: on your own machine, with no labels and no upload."""


_RARE = (
    "openpose", "fill_gaps", "draw_min_score", "base", "scheduler", "debug", "fps", "stream", "precision", "timings",
    "ensemble", "capture_fps", "slow_motion", "time_range", "scale_px_per_m", "markers", "skeleton",
)  # fmt: skip
app.command(cls=with_rare_options(*_RARE, "tables", "height_m", "steps", "seed"))(personalize)
app.command(cls=with_rare_options(*_RARE))(predict)
for command in (live, convert, export, demo):
    app.command()(command)
app.command(
    cls=with_rare_options("learn", "rate", "min_score", "perceptual", "frame_steps", "reset_per_frame", "debug")
)(evaluate)
app.command(
    cls=with_rare_options(
        "perceptual", "validation_frames", "reference_crops", "hidden_joints", "freeze_norms", "save_minutes",
        "deterministic", "tensorboard", "debug",
    )
)(train)  # fmt: skip
app.command()(info)
app.command()(synth)
app.command(cls=CorrectCommand)(correct)
app.command("import-checkpoint")(import_checkpoint)
app.add_typer(people, name="people")
app.add_typer(models, name="models")
