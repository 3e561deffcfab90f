"""How a personalization runs: one frozen dataclass, a few presets, every number with its reason."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from ttpose.adaptation.augment import Augmentation
from ttpose.adaptation.correction_settings import EARLY_BLOCKS, CorrectionSettings
from ttpose.core.errors import UsageError
from ttpose.inference.settings import REFINE_PRESETS, SINGLE_VIEW, RefineSettings

Mode = Literal["offline", "online"]


@dataclass(frozen=True)
class PersonalizeSettings:
    """Everything that a personalization's result depends on, besides the clip and the base.

    Attributes:
        preset: Name.
        refine: How keypoints are refined, before learning and after; left/right correction also of pseudo-labels.
        mode: `offline` adapts on the whole clip, then predicts; `online` takes a step a frame, predicts, carries on.
        steps: Optimiser steps offline; 0 stands for as many as frames.
        frame_steps: Optimiser steps a frame online.
        reset_per_frame: Whether online begins anew from the base with each frame.
        batch: Views a step.
        together: How many of a step's views are computed at once; bounds the memory.
        pose_rate: Adam's learning rate of the pose path.
        decoder_rate: The same of the reconstruction nets.
        decoder_warmup: Steps in which only the reconstruction nets learn, before `steps`.
        rate_warmup: Steps over which the pose rate rises from 0.
        clip_norm: Largest gradient norm of the pose path; None: no clipping.
        ema: Share of the old average kept each step; the average predicts. None: the last weights predict.
        strength: How much of the change is kept. Half-way weights are often better than either end (Wortsman et al.
            2022, "Robust fine-tuning of zero-shot models", recommend 0.5 where nothing can be validated).
        trainable: Prefixes of the pose path's parameters that learn; "norms" stands for the norm layers' scales and
            shifts, which otherwise stay, "adapters" for the low-rank adapters of a vision Transformer.
        frozen: Prefixes of parameters among these that stay all the same.
        baseline: The objective of one of the baselines in `ttpose.adaptation.methods`, or None.
        perceptual: Network that compares reconstructed frames, a form of `ttpose.models.perceptual_features`.
        reconstruction, distillation, self_training, anchor: Weights of the losses; 0 leaves one out.
        supervised: Weight of the loss whose labels are the clip's refined keypoints; the maps that are distilled are
            then near these (`ttpose.adaptation.refined_labels`). Offline.
        reconstruction_batch: How many of the views that are taken `together` are also reconstructed; a step of the
            warm-up takes no others.
        teacher_views: Test-time augmentation of the teacher that predicts the pseudo-labels.
        teacher_min_score: Pseudo-labels with a lower score are not learned from.
        max_crops: Most frames kept for learning, evenly over the clip.
        guard: Whether label-free checks may fall back to the base.
        augmentation: Random views.
        seed: Of every random draw.
        corrections: How corrected frames are learned from, where there are any.
        chosen: Fields that the caller named, which are not fitted to the model's structure.
    """

    preset: str = "balanced"
    mode: Mode = "offline"
    # As many steps as fit the time limit of a 230-frame clip on two cores; more of them is `thorough`.
    steps: int = 20
    frame_steps: int = 1
    reset_per_frame: bool = False
    batch: int = 8
    together: int = 2
    # A fifth to a half of the paper's rate: at 1e-4 reconstruction alone destroys the pose within 30 steps.
    pose_rate: float = 5e-5
    decoder_rate: float = 5e-4
    decoder_warmup: int = 0
    rate_warmup: int = 5
    clip_norm: float | None = 1.0
    ema: float | None = 0.9
    interpolation: float = 1.0
    trainable: tuple[str, ...] = ("encoder.", "self_head.")
    frozen: tuple[str, ...] = ()
    baseline: str | None = None
    perceptual: str | None = None
    reconstruction: float = 0.0
    distillation: float = 0.0
    self_training: float = 1.0
    supervised: float = 0.0
    anchor: float = 0.0
    reconstruction_batch: int = 4
    teacher_views: int = 4
    teacher_min_score: float = 0.25
    refine: RefineSettings = field(default_factory=lambda: RefineSettings(rescore=False))
    max_crops: int = 96
    guard: bool = True
    augmentation: Augmentation = field(default_factory=lambda: Augmentation(rotation_sd=20.0))
    seed: int = 0
    corrections: CorrectionSettings = field(default_factory=CorrectionSettings)
    chosen: tuple[str, ...] = ()

    @property
    def reconstructs(self) -> bool:
        """Whether the reconstruction nets learn at all."""
        return self.reconstruction > 0 or self.decoder_warmup > 0

    @property
    def uses_pseudo_labels(self) -> bool:
        """Whether the teacher is needed."""
        return self.distillation > 0 or self.self_training > 0 or self.supervised > 0 or self.baseline == "confident"

    @property
    def shares_tta(self) -> bool:
        """Whether the refinement's TTA prediction of the base gives the pseudo-labels too: both take the same views."""
        return self.uses_pseudo_labels and self.teacher_views == self.refine.views


#: Li et al. 2021, section 3 and the public reference code: reconstruction alone, Adam 1e-4, batch 32, as many steps
#: as frames (steps=0 stands for that), Transformer and norm layers frozen, no guard of any kind.
PAPER = PersonalizeSettings(
    preset="paper",
    steps=0,
    batch=32,
    together=32,  # the running means of the perceptual loss then move once a step
    pose_rate=1e-4,
    decoder_rate=1e-4,
    rate_warmup=0,
    clip_norm=None,
    ema=None,
    reconstruction=1.0,
    self_training=0.0,
    reconstruction_batch=32,
    teacher_views=1,
    refine=SINGLE_VIEW,
    max_crops=100_000,
    guard=False,
    augmentation=Augmentation(scale=(0.75, 1.25), shift_sd=0.0, contrast=0.0, tint=0.0, brightness=0.0),
)

# The teacher is the base itself, with test-time augmentation and left/right correction; distilling its maps brings most
# of that into the weights. Views as close up as the teacher's, and little changed: stronger changes cost accuracy.
# Reconstruction does not move keypoints: with a weight of 0.1 it made two of three clips worse (docs/experiments.md).
_MILD = Augmentation(rotation_sd=10.0, scale=(0.78, 1.05), contrast=0.1, tint=0.05, brightness=8.0)
_BALANCED = PersonalizeSettings(
    distillation=1.0,
    self_training=0.0,
    interpolation=0.25,
    frozen=EARLY_BLOCKS,
    refine=REFINE_PRESETS["balanced"],
    augmentation=_MILD,
)
#: Learns the refined keypoints, for prediction by one view afterwards. Of two clips it closed three quarters of the gap
#: to the refined result on one and lost on the other (docs/experiments.md), so that no preset learns by it.
STUDENT = replace(
    _BALANCED,
    preset="student",
    steps=40,
    pose_rate=1e-4,
    supervised=1.0,
    interpolation=1.0,
)
PRESETS = {
    # Fewer frames and steps, one view of each frame with what was learned: what `predict` gives.
    "fast": replace(_BALANCED, preset="fast", steps=12, max_crops=48, refine=REFINE_PRESETS["fast"]),
    "balanced": _BALANCED,
    # More frames and steps; two more views and twice as many steps made real clips worse (docs/experiments.md). First
    # the decoder learns the clip's colours, so that the guard can check how well the person is reconstructed.
    "thorough": replace(_BALANCED, preset="thorough", steps=60, decoder_warmup=10, max_crops=256, ema=0.95),
    "paper": PAPER,
}


def preset_named(name: str, *, mode: Mode = "offline", steps: int | None = None, seed: int = 0) -> PersonalizeSettings:
    """A preset with the caller's changes; raises UsageError for a name that there is none of."""
    if name not in PRESETS:
        raise UsageError(f"there is no preset {name!r}", f"choose one of {', '.join(PRESETS)}")
    if mode not in ("offline", "online"):
        raise UsageError(f"there is no mode {mode!r}", "choose offline or online")
    if steps is not None and steps < 1:
        raise UsageError("the number of steps must be at least 1")
    if steps is not None and mode == "online":
        raise UsageError("online takes one step a frame; --steps is for offline")
    settings = replace(PRESETS[name], mode=mode, seed=seed)
    if mode == "online":  # frames would go by without learning from them
        settings = replace(settings, decoder_warmup=0)
    return settings if steps is None else replace(settings, steps=steps)
