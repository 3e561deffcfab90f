"""What a training is asked to do, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ttpose.training.schedule import TrainingPreset


@dataclass(frozen=True)
class TrainingPlan:
    """What to train, on what, and where to put it.

    Attributes:
        preset: Structure and settings.
        data: Dataset to learn from, as `open_dataset` takes it.
        folder: Where all files go; a training that it holds is resumed.
        validation: Dataset to measure on; by default the test split of `data` where it has one.
        method: Name of the training method.
        skeleton: Keypoint set to learn; by default the dataset's.
        encoder, input_size: Changes to the preset's structure.
        imagenet: torchvision's ImageNet weights for the encoder.
        weights: A whole model to go on from.
        perceptual: Measure of reconstructions, as `perceptual_loss` takes it.
        device: Device name; `cuda` without a number where several processes share the work.
        mixed_precision: Use 16-bit floats on a GPU, or on a CPU that multiplies them (AMX).
        deterministic: Use only GPU kernels that always give the same bits.
        workers: Processes that read pictures; the result does not depend on it.
        max_steps: Stop for now after so many steps of the whole training.
        validate_every: Epochs between validations; 0 for none.
        validation_frames: At most so many frames, evenly from all videos.
        save_minutes: Minutes between states within an epoch.
        log_every: Steps between rows of losses.
        tensorboard: Also write TensorBoard's files.
    """

    preset: TrainingPreset
    data: str
    folder: Path
    validation: str | None = None
    method: str = "joint"
    skeleton: str | None = None
    encoder: str | None = None
    input_size: int | None = None
    imagenet: Path | None = None
    weights: Path | None = None
    perceptual: str = "vgg16"
    device: str = "cpu"
    mixed_precision: bool = True
    deterministic: bool = False
    workers: int = 4
    max_steps: int | None = None
    validate_every: int = 5  # as the reference
    validation_frames: int = 5000  # settles PCK to half a point; all 77,000 of Penn Action take minutes each time
    save_minutes: float = 10.0
    log_every: int = 10
    tensorboard: bool = False


@dataclass(frozen=True)
class TrainingResult:
    """How far a training has come.

    Attributes:
        steps: Steps done, of `total`.
        total: Steps of the whole training.
        losses: The last step's losses by name.
        pck: The last validation's PCK, or None.
        weights: The finished model, or None if steps are left.
    """

    steps: int
    total: int
    losses: dict[str, float]
    pck: float | None
    weights: Path | None
