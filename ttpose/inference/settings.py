"""What inference does beyond one plain view: one frozen dataclass, and the presets that commands offer by name."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ttpose.core.errors import UsageError
from ttpose.models.config import ModelConfig


@dataclass(frozen=True)
class RefineSettings:
    """How keypoints are refined; nothing is learned.

    Attributes:
        views: Test-time augmentation: how many of `ttpose.inference.tta.TTA_VIEWS` are averaged; 1 is the plain view.
        correct_swaps: Whether left/right swaps are corrected over time (`ttpose.inference.refine.left_right`).
        rescore: Whether boosted trees and Viterbi may move a joint to another candidate position
            (`ttpose.inference.refine.rescoring`).
        ensemble: Whether BlazePose predicts as well (`ttpose.inference.ensemble`).
    """

    views: int = 1
    correct_swaps: bool = True
    rescore: bool = True
    ensemble: bool = False

    def fitted_to(self, config: ModelConfig) -> RefineSettings:
        """The settings as a model can run them: the trees know how the shipped encoder's maps err, and no others'.

        Without trees nothing weighs the ensemble's predictions, so that it is left out, too.
        """
        from ttpose.inference.refine.rescoring import can_rescore

        return self if not self.rescore or can_rescore(config) else replace(self, rescore=False, ensemble=False)


#: One plain view of each frame, as the network says it.
SINGLE_VIEW = RefineSettings(correct_swaps=False, rescore=False)
_FOUR_VIEWS = RefineSettings(views=4, ensemble=True)
#: The inference part of the personalization presets of the same names. More than four views gain nothing
#: (docs/experiments.md), so that `thorough` differs in learning alone.
REFINE_PRESETS = {"fast": RefineSettings(), "balanced": _FOUR_VIEWS, "thorough": _FOUR_VIEWS}

#: What `predict` takes where no preset is named: a photo's one frame is quickly predicted four times.
VIDEO_PRESET, PHOTO_PRESET = "fast", "balanced"


def refine_preset(name: str) -> RefineSettings:
    """The inference part of a preset; raises UsageError for a name that there is none of."""
    if name not in REFINE_PRESETS:
        raise UsageError(f"there is no preset {name!r}", f"choose one of {', '.join(REFINE_PRESETS)}")
    return REFINE_PRESETS[name]
