"""`ttpose train`: joint training from labelled videos, as in the paper, and of its baselines."""

from __future__ import annotations

import dataclasses
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ttpose.cli import options
from ttpose.cli.help_all import HelpAll
from ttpose.cli.session import session
from ttpose.core.files import check_folder

if TYPE_CHECKING:
    from ttpose.training.plan import TrainingResult
    from ttpose.training.schedule import JointSettings

# Options by what they are about, and one that names a weights file.
_model = partial(typer.Option, rich_help_panel="What is trained")
_data = partial(typer.Option, rich_help_panel="Data")
_run = partial(typer.Option, rich_help_panel="How it runs")
_weights = partial(_model, exists=True, dir_okay=False, show_default=False)

_DATA = "penn:DIR, bbc:DIR, h36m:DIR, coco:FILE.json[:IMAGES], clips:DIR or shards:DIR."
_METHOD = "joint (the paper's), or a baseline: supervised, separate, rotation or imm."
_SKELETON = "Keypoints to learn: penn13, bbc7, h36m16, coco17 or lsp14; by default the dataset's."
_PERCEPTUAL = "Network that compares images: vgg16[=FILE.pth], encoder (its own first stages) or none (pixels)."
_VALIDATION = "Videos to measure PCK on; by default the test split of --data, if any."
_REFERENCE_CROPS = "Crop as the paper's public code: 6 % lower, and the source with the target's box."
_EPOCHS = "Passes over the data; learning rate drops scale with them."
_DETERMINISTIC = "Use only deterministic GPU kernels; slower."


def train(
    data: Annotated[str, typer.Option(metavar="KIND:PLACE", show_default=False, help=_DATA)],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="DIR", file_okay=False, show_default=False, help="Folder of this training run."
        ),
    ],
    preset: Annotated[
        str, _model(metavar="NAME", help="paper, small (for CPUs), or tiny (seconds, to try data out).")
    ] = "paper",
    method: Annotated[str, _model(metavar="NAME", help=_METHOD)] = "joint",
    encoder: Annotated[
        str | None,
        _model(
            metavar="NAME", show_default=False, help="resnet50, resnet18, mobile (MoveNet's trunk) or vitpose:BASE."
        ),
    ] = None,
    input_size: Annotated[int | None, _model(metavar="PIXELS", show_default=False, help="Side of the crop.")] = None,
    skeleton: Annotated[str | None, _model(metavar="NAME", show_default=False, help=_SKELETON)] = None,
    imagenet: Annotated[
        Path | None, _weights(metavar="FILE.pth", help="torchvision's ImageNet weights to start the encoder from.")
    ] = None,
    weights: Annotated[
        Path | None, _weights(metavar="FILE.safetensors", help="A whole model of the same structure to start from.")
    ] = None,
    perceptual: Annotated[str, _model(metavar="WHAT", help=_PERCEPTUAL)] = "vgg16",
    validation: Annotated[str | None, _data(metavar="KIND:PLACE", show_default=False, help=_VALIDATION)] = None,
    validate_every: Annotated[int, _data(min=0, metavar="N", help="Epochs between measurements; 0 for none.")] = 5,
    validation_frames: Annotated[int, _data(min=1, metavar="N", help="Measure on at most this many frames.")] = 5000,
    reference_crops: Annotated[bool, _data("--reference-crops", help=_REFERENCE_CROPS)] = False,
    hidden_joints: Annotated[bool, _data("--hidden-joints", help="Also learn from joints labelled as hidden.")] = False,
    epochs: Annotated[int | None, _run(min=1, metavar="N", help=_EPOCHS)] = None,
    batch: Annotated[int | None, _run(min=1, metavar="N", help="Samples per step and process.")] = None,
    learning_rate: Annotated[float | None, _run(metavar="RATE", help="Adam's learning rate.")] = None,
    self_weight: Annotated[
        float | None, _run(min=0, metavar="WEIGHT", show_default=False, help="Of the self-supervised loss.")
    ] = None,
    freeze_norms: Annotated[bool, _run("--freeze-norms", help="Keep batch norm statistics as they are.")] = False,
    max_steps: Annotated[
        int | None,
        _run(min=0, metavar="N", show_default=False, help="Stop after N steps in all, for now."),
    ] = None,
    save_minutes: Annotated[float, _run(min=0, metavar="MIN", help="Minutes between states on disk.")] = 10.0,
    workers: Annotated[int, _run(min=0, metavar="N", help="Processes that read images.")] = 4,
    device: options.Device = "auto",
    seed: options.Seed = 0,
    mixed_precision: Annotated[
        bool, _run("--mixed-precision/--full-precision", help="16-bit floats on GPU or AMX.")
    ] = True,
    deterministic: Annotated[bool, _run("--deterministic", help=_DETERMINISTIC)] = False,
    tensorboard: Annotated[bool, _run("--tensorboard", help="Also write TensorBoard files.")] = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
    help_all: HelpAll = False,
) -> None:
    """Train a model with labels and self-supervision; run it again to continue after an interruption.

    On several GPUs or machines: torchrun --nproc-per-node GPUS -m ttpose train ...
    """
    quiet = quiet or int(os.environ.get("RANK", "0")) > 0  # of several processes only the first prints
    with session(quiet=quiet, debug=debug) as reporter:
        check_folder(output)
        from ttpose.cli.machine import choose_device
        from ttpose.training.joint import train as run
        from ttpose.training.plan import TrainingPlan
        from ttpose.training.schedule import REFERENCE_CROP_DOWN, training_preset

        chosen = training_preset(preset)
        settings = dataclasses.replace(
            _changed(chosen.settings, epochs, batch, learning_rate, self_weight),
            seed=seed,
            visible_only=not hidden_joints,
            freeze_norms=freeze_norms,
        )
        if reference_crops:
            settings = dataclasses.replace(settings, crop_down=REFERENCE_CROP_DOWN, source_box="target")
        plan = TrainingPlan(
            preset=dataclasses.replace(chosen, settings=settings),
            data=data,
            folder=output,
            validation=validation,
            method=method,
            skeleton=skeleton,
            encoder=encoder,
            input_size=input_size,
            imagenet=imagenet,
            weights=weights,
            perceptual=perceptual,
            device=choose_device(device),
            mixed_precision=mixed_precision,
            deterministic=deterministic,
            workers=workers,
            max_steps=max_steps,
            validate_every=validate_every,
            validation_frames=validation_frames,
            save_minutes=save_minutes,
            tensorboard=tensorboard,
        )
        reporter.start("train", plan.device, 1)
        reporter.begin(output, 1, 1)
        result = run(plan, reporter)
        reporter.close()
        if not quiet:
            typer.echo(_told(result, output))


def _changed(
    settings: JointSettings, epochs: int | None, batch: int | None, rate: float | None, self_weight: float | None
) -> JointSettings:
    """A preset's settings with what the options change; the learning rate drops at the same shares of the epochs."""
    changes: dict[str, Any] = {}
    if epochs is not None:
        moved = (max(round(milestone * epochs / settings.epochs), 1) for milestone in settings.milestones)
        changes.update(epochs=epochs, milestones=tuple(moved))
    if batch is not None:
        changes["batch"] = batch
    if rate is not None:
        changes["learning_rate"] = rate
    if self_weight is not None:
        changes["self_weight"] = self_weight
    return dataclasses.replace(settings, **changes)


def _told(result: TrainingResult, folder: Path) -> str:
    losses = ", ".join(f"{name} {value:.4g}" for name, value in result.losses.items())
    pck = f", PCK {100 * result.pck:.1f}" if result.pck is not None else ""
    if result.weights is not None:
        return f"done: {result.weights} after {result.steps} steps{f' ({losses}{pck})' if losses else ''}"
    return f"{folder}: {result.steps} of {result.total} steps ({losses}{pck}); run again to continue"
