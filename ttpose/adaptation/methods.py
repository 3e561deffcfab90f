"""What a personalization can be: ours, the paper's, and what they are compared with, by name.

Each method is one objective in `ttpose.adaptation.losses` and the settings that it runs with. The baselines share
the paper's frame (Adam, batch 32, a step a frame, norm statistics and the Transformer frozen, no guard), so that what
differs is what is learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ttpose.adaptation.losses import Clip, Loss
from ttpose.adaptation.settings import PAPER, STUDENT, Mode, PersonalizeSettings, preset_named
from ttpose.core.errors import UsageError
from ttpose.inference.refine.clip import fitted_refinement
from ttpose.models.config import ModelConfig

_POSE_PATH = ("encoder.", "self_head.", "affinity.", "pose_head.")
#: Parts of a model that may learn, and what they are called in `PersonalizeSettings.trainable`.
PARTS = {
    "encoder": "encoder.",
    "self_head": "self_head.",
    "affinity": "affinity.",
    "pose_head": "pose_head.",
    "norms": "norms",
    "adapters": "adapters",
    "heatmaps": "encoder.decoder.",
    "decoder": "reconstructor.",
}


# What learns on a vision Transformer: its attention by low-rank adapters, its norms, its heatmap decoder. A person file
# of all weights would be a quarter of the base.
_ON_A_TRANSFORMER = ("adapters", "norms", "encoder.decoder.")
# Adapters start at nothing and need larger steps than weights that are there already (Hu et al. 2021 take 10 times what
# whole models are tuned with).
_ADAPTER_RATE = 10.0


# The paper's rates belong to an encoder with norm layers. The trunk of `ttpose train --preset small` has them folded
# into its convolutions, and at 1e-4 its pose is gone after 12 steps. Chosen on rendered people (docs/reproduction.md).
_POSE_RATE_WITHOUT_NORMS, _DECODER_RATE_WITHOUT_NORMS = 1e-5, 5e-4
_WITHOUT_NORMS: dict[str, Any] = {
    "batch": 8, "together": 8, "reconstruction_batch": 8, "clip_norm": 1.0, "rate_warmup": 4
}  # fmt: skip
_OFFLINE_WITHOUT_NORMS: dict[str, Any] = {"decoder_warmup": 5, "steps": 40}


@dataclass(frozen=True)
class PersonalizeMethod:
    """A way to personalize.

    Attributes:
        about: One line.
        settings: How it runs; None: as a preset says.
    """

    about: str
    settings: PersonalizeSettings | None


def _baseline(name: str, **changes: Any) -> PersonalizeSettings:
    return replace(PAPER, preset=name, baseline=name, reconstruction=0.0, **changes)


#: The methods; `paper` on models of `ttpose train --method separate` or `imm` is those baselines' personalization.
METHODS = {
    "ours": PersonalizeMethod("what many views say, distilled, with a guard, as --preset says", None),
    "student": PersonalizeMethod("the refined keypoints as labels and heatmaps near them, all of the change", STUDENT),
    "paper": PersonalizeMethod("reconstruction (TTP)", PAPER),
    # Adam's rate for Tent is its authors' 1e-3. Their norm layers also take each batch's own statistics; here those
    # stay the base's, as for every method, since a batch shows one person.
    "tent": PersonalizeMethod(
        "entropy of the heatmaps, norm layers only (Wang et al. 2021)",
        _baseline("tent", trainable=("norms",), pose_rate=1e-3),
    ),
    "rotation": PersonalizeMethod(
        "rotation prediction, encoder only (Sun et al. 2020)", _baseline("rotation", trainable=("encoder.",))
    ),
    "confident": PersonalizeMethod(
        "the model's own predictions above a score as labels (Charles et al. 2016)",
        _baseline("confident", trainable=_POSE_PATH, teacher_min_score=0.5),
    ),
}


def method_named(
    name: str = "ours",
    *,
    preset: str | None = None,
    mode: Mode = "offline",
    steps: int | None = None,
    seed: int = 0,
    learn: Sequence[str] | None = None,
    rate: float | None = None,
    min_score: float | None = None,
    perceptual: str | None = None,
    frame_steps: int = 1,
    reset_per_frame: bool = False,
) -> PersonalizeSettings:
    """The settings of a method, with the caller's changes.

    Args:
        name: One of `METHODS`.
        preset: Of ours, by default `balanced`; the others have none.
        mode: `offline` or `online`.
        steps: Offline, instead of the method's.
        seed: Of all random draws.
        learn: The `PARTS` that learn, instead of the method's.
        rate: Learning rate of the pose path; the decoder's changes in proportion.
        min_score: Pseudo-labels with a lower score are not learned from.
        perceptual: How reconstructed frames are compared, see `ttpose.models.perceptual_features`.
        frame_steps: Steps a frame online.
        reset_per_frame: Whether online begins anew with each frame.

    Raises:
        UsageError: There is no such method, preset, mode or part, or they do not go together.
    """
    if name not in METHODS:
        raise UsageError(f"there is no personalization method {name!r}", f"choose one of {', '.join(METHODS)}")
    own = METHODS[name].settings
    if own is not None and preset not in (None, own.preset):
        raise UsageError(f"--preset says how ours runs; --method {name} has no presets")
    plain = preset_named(preset or "balanced" if own is None else "paper", mode=mode, steps=steps, seed=seed)
    settings = plain if own is None else replace(own, mode=plain.mode, steps=plain.steps, seed=seed)
    if rate is not None:
        in_proportion = settings.decoder_rate * rate / settings.pose_rate
        settings = replace(settings, pose_rate=rate, decoder_rate=in_proportion, chosen=("pose_rate",))
    if min_score is not None:
        settings = replace(settings, teacher_min_score=min_score)
    settings = replace(settings, perceptual=perceptual, frame_steps=frame_steps, reset_per_frame=reset_per_frame)
    if steps is not None:
        settings = replace(settings, chosen=(*settings.chosen, "steps"))
    return settings if learn is None else let_learn(settings, learn)


def let_learn(settings: PersonalizeSettings, parts: Sequence[str]) -> PersonalizeSettings:
    """The settings with only the named `PARTS` learning; raises UsageError for a part that there is none of."""
    unknown = [part for part in parts if part not in PARTS]
    if unknown or not parts:
        raise UsageError(f"no model has a part {', '.join(unknown) or 'without a name'}", f"use {', '.join(PARTS)}")
    trainable = tuple(PARTS[part] for part in parts if part != "decoder")
    # The decoder is not of the pose path; it stays where its rate is 0.
    return replace(settings, trainable=trainable, decoder_rate=settings.decoder_rate * ("decoder" in parts))


def fitted(settings: PersonalizeSettings, config: ModelConfig) -> PersonalizeSettings:
    """The settings as a model can run them.

    A model that never learned to reconstruct has no decoder to warm up for the guard; and there is no warming up
    where every frame begins anew. Reconstruction alone takes smaller steps on an encoder without norm layers.

    Raises:
        UsageError: The method needs what the model has not learned, or the model's head keeps gradients away.
    """
    if settings.reconstruction > 0 and config.self_task != "reconstruction":
        learned = "rotation prediction" if config.self_task == "rotation" else "labels only"
        raise UsageError(f"this model reconstructs nothing (it learned {learned})", "use another --method")
    if settings.baseline == "rotation" and config.self_task != "rotation":
        raise UsageError("this model has not learned to predict rotations", "train it with --method rotation")
    if config.pose_head == "linear" and settings.reconstruction == 0 and "pose_head." not in settings.trainable:
        raise UsageError("a linear map of keypoints learns by reconstruction only", "use --method paper")
    if config.preset == "small" and settings.preset == PAPER.preset:
        settings = _without_norms(settings)
    if settings.mode == "online" and settings.reset_per_frame:
        settings = replace(settings, decoder_warmup=0, rate_warmup=0)
    if config.has_adapters and settings.trainable == PersonalizeSettings.trainable:
        # Its blocks are no edges and textures, as the first ones of the shipped encoder are.
        how, rate = settings.corrections, _ADAPTER_RATE * settings.pose_rate
        corrections = replace(
            how, frozen=(), rate=_ADAPTER_RATE * how.rate, later_rate=_ADAPTER_RATE * how.later_rate
        )  # fmt: skip
        settings = replace(settings, trainable=_ON_A_TRANSFORMER, frozen=(), pose_rate=rate, corrections=corrections)
    settings = replace(settings, refine=fitted_refinement(settings.refine, config))
    return settings if config.self_task == "reconstruction" else replace(settings, decoder_warmup=0)


def _without_norms(settings: PersonalizeSettings) -> PersonalizeSettings:
    """The paper's settings for an encoder without norm layers; what the caller chose stays."""
    pose_rate = settings.pose_rate if "pose_rate" in settings.chosen else _POSE_RATE_WITHOUT_NORMS
    changes = _WITHOUT_NORMS | (_OFFLINE_WITHOUT_NORMS if settings.mode == "offline" else {}) | {"pose_rate": pose_rate}
    if settings.decoder_rate > 0:  # else it is not to learn
        changes["decoder_rate"] = _DECODER_RATE_WITHOUT_NORMS * pose_rate / _POSE_RATE_WITHOUT_NORMS
    return replace(settings, **{name: value for name, value in changes.items() if name not in settings.chosen})


def baseline_loss(name: str, clip: Clip) -> Loss:
    """A fresh objective of a baseline; `clip` holds the labels of `confident`."""
    from ttpose.adaptation.losses.confident import Confident
    from ttpose.adaptation.losses.entropy import Entropy
    from ttpose.adaptation.losses.rotation import Rotation

    if name == "confident":
        return Confident(clip, 1.0)
    return Rotation(1.0) if name == "rotation" else Entropy(1.0)
