"""Every number of the paper's joint training, with where it comes from, and the presets that `ttpose train` knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ttpose.core.errors import UsageError
from ttpose.models.config import MOVENET_RANGE, ModelConfig


@dataclass(frozen=True)
class JointSettings:
    """How a model is trained; the defaults are the TTP paper's (Li et al. 2021, public Penn Action configuration).

    Everything here changes the weights that come out, so a run can be resumed only with the same settings.

    Attributes:
        epochs: Passes over all frames.
        milestones: Epochs, counted from 0, at whose start the learning rate is multiplied by `decay`.
        learning_rate: Of Adam.
        batch: Samples a step and process.
        self_weight: Weight of the self-supervised loss beside the supervised one.
        dropout: Share of values dropped inside the Transformer.
        crop_pad: Side of the square crop over the longer side of the box.
        crop_down: How far the crop's centre lies below the box's, in shares of the unscaled crop's side.
        source_box: Which box cuts out the source frame: its own, or the target's as in the reference.
        scale: Standard deviation and limit of the random crop size.
        rotation: Standard deviation of the random rotation in degrees, at most `rotation_limit`.
        rotation_share: Share of samples that are rotated.
        flip_share: Share of samples that are mirrored.
        visible_only: Learn from visible joints only, else also from those labelled as hidden.
        freeze_norms: Keep the statistics of batch norms as they are.
        trunk_rate: Learning rate of a pretrained MoveNet trunk over that of everything else.
        trunk_still: So many of the trunk's first blocks, and its stem, stay as they are.
        warmup: Steps over which the learning rate rises.
        clip_norm: Largest norm of a step's gradient; None: no clipping.
        average: Share of the old average of the weights kept each step; the average is validated and written. None:
            the last weights are.
        seed: Start of all random numbers.
    """

    epochs: int = 140
    milestones: tuple[int, ...] = (90, 120)
    decay: float = 0.1
    learning_rate: float = 1e-3
    batch: int = 32
    self_weight: float = 1e-3
    dropout: float = 0.1  # PyTorch's default, which the reference keeps
    crop_pad: float = 1.25
    crop_down: float = 0.0
    source_box: Literal["own", "target"] = "own"  # a person who walks leaves a crop made with another frame's box
    scale: float = 0.25
    rotation: float = 30.0
    rotation_limit: float = 60.0
    rotation_share: float = 0.6
    flip_share: float = 0.5
    visible_only: bool = True
    freeze_norms: bool = False
    trunk_rate: float = 1.0
    trunk_still: int = 0
    warmup: int = 0
    clip_norm: float | None = None
    average: float | None = None
    seed: int = 0

    def learning_rate_at(self, epoch: int) -> float:
        """The learning rate in an epoch counted from 0."""
        return self.learning_rate * self.decay ** sum(epoch >= milestone for milestone in self.milestones)


#: What `--reference-crops` changes: the reference shifts every crop down by 0.075 of the box's side, which is 0.06 of
#: the crop's, and cuts the source out with the target's box.
REFERENCE_CROP_DOWN = 0.075 / 1.25


@dataclass(frozen=True)
class TrainingPreset:
    """A model's structure and how it is trained."""

    config: ModelConfig
    settings: JointSettings


def training_preset(name: str) -> TrainingPreset:
    """Look a preset up; raises UsageError for a name that there is none of.

    `paper`, `small` (the paper's structure within reach of a CPU), or `tiny` (seconds on a CPU, to try a dataset out).
    """
    presets = {"paper": TrainingPreset(ModelConfig(), JointSettings()), "small": _small(), "tiny": _tiny()}
    if name not in presets:
        raise UsageError(f"there is no training preset {name}", f"use {', '.join(presets)}")
    return presets[name]


def _small() -> TrainingPreset:
    """The paper's structure on MoveNet's pretrained trunk: 0.05 s of one core a pair (docs/reproduction.md)."""
    config = ModelConfig(
        preset="small",
        encoder="mobile",
        mean=MOVENET_RANGE,
        std=MOVENET_RANGE,
        transformer_width=96,  # of MoveNet's heatmap head, whose first half then starts the features
        transformer_hidden=384,
        token_pool=2,  # 256 tokens in place of 1,024
        # The first maps start as MoveNet's and the affinity near the identity, both free to leave: from random maps and
        # a flat affinity 200 steps led to PCK@0.2 of 25 % and to a decoder that does not look at its keypoints.
        bounded_maps=True,
        affinity_identity=6.0,
        target_sigma=1.5,  # MoveNet's own peaks are narrower still
        bottleneck_sharpness=3.0,  # MoveNet's peaks of half a cell's height would be pulled to the middle with 1
        # People move little within a clip: under one warp the decoder copied the source and ignored the keypoints.
        pair_warp="independent",
        reconstruction_size=64,  # a fourth of the pixels, a fourth of the time
        reconstruction_width=16,  # half of the paper's
    )
    settings = JointSettings(
        epochs=8,
        milestones=(6, 7),
        batch=16,
        crop_pad=1.1,  # as personalization and evaluation crop
        # A pretrained trunk without norm layers bears less than new layers: 1e-3 destroys it within 100 steps.
        trunk_rate=0.1,
        trunk_still=3,  # the stem and the blocks of strides 2 and 4: a third of a step's time, and edges stay edges
        warmup=100,
        clip_norm=1.0,
        average=0.998,
    )
    return TrainingPreset(config, settings)


def _tiny() -> TrainingPreset:
    """The paper's structure at half its resolution and a fraction of its widths (about 0.2 M parameters)."""
    config = ModelConfig(
        preset="tiny",
        encoder="resnet18",
        input_size=64,
        reconstruction_size=64,
        num_self=16,
        encoder_width=8,
        reconstruction_width=4,
        transformer_width=16,
        transformer_hidden=32,
        target_sigma=1.5,
        bottleneck_sigma=1.5,
    )
    return TrainingPreset(config, JointSettings(epochs=20, milestones=(15,), batch=8, learning_rate=3e-3))
