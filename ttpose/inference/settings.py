"""What inference does beyond one plain view: one frozen dataclass, and the presets that commands offer by name."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ttpose.core.errors import UsageError
from ttpose.core.skeleton import COCO17, COCO17_FEET, Skeleton

#: What a user is told whose base the trees do not know.
NO_TREES = (
    "this base is refined without boosted trees, which know the shipped base's errors only: test-time augmentation,"
    " left/right correction, Viterbi and the ensemble remain"
)


@dataclass(frozen=True)
class RefineSettings:
    """How keypoints are refined; nothing is learned.

    Attributes:
        views: Test-time augmentation: how many of `ttpose.inference.tta.TTA_VIEWS` are averaged; 1 is the plain view.
        correct_swaps: Whether left/right swaps are corrected over time (`ttpose.inference.refine.left_right`).
        rescore: Whether Viterbi may move a joint to another candidate position
            (`ttpose.inference.refine.rescoring`).
        trees: Whether boosted trees say how likely candidates are; else the heatmaps' values do.
        ensemble: Whether BlazePose predicts as well (`ttpose.inference.ensemble`).
        ensemble_files: ONNX files of networks that predict as well (`ttpose.inference.onnx_ensemble`).
        feet: Whether results have the points of the feet, which BlazePose predicts (`ttpose.inference.refine.feet`).
    """

    views: int = 1
    correct_swaps: bool = True
    rescore: bool = True
    ensemble: bool = False
    trees: bool = True
    ensemble_files: tuple[str, ...] = ()
    feet: bool = False

    def output_skeleton(self, skeleton: Skeleton) -> Skeleton:
        """The keypoint set of results of a model that predicts `skeleton`."""
        return COCO17_FEET if self.feet and self.ensemble and skeleton == COCO17 else skeleton

    @property
    def plain(self) -> bool:
        """Whether the base's plain view is all that is predicted: neither other views nor other networks."""
        return self.views == 1 and not self.ensemble and not self.ensemble_files

    @property
    def note(self) -> str | None:
        """What the user should know of settings that were fitted to a model, or None."""
        return NO_TREES if self.rescore and not self.trees else None


#: One plain view of each frame, as the network says it.
SINGLE_VIEW = RefineSettings(correct_swaps=False, rescore=False)
_FOUR_VIEWS = RefineSettings(views=4, ensemble=True, feet=True)
#: The inference part of the personalization presets of the same names. More than four views gain nothing
#: (docs/experiments.md), so that `thorough` differs in learning alone.
REFINE_PRESETS = {"fast": RefineSettings(), "balanced": _FOUR_VIEWS, "thorough": _FOUR_VIEWS}

#: Keypoint sets that results can have, where the model's own is COCO's.
SKELETONS = (COCO17.name, COCO17_FEET.name)

#: What `predict` takes where no preset is named: a photo's one frame is quickly predicted four times.
VIDEO_PRESET, PHOTO_PRESET = "fast", "balanced"


def refine_preset(name: str) -> RefineSettings:
    """The inference part of a preset; raises UsageError for a name that there is none of."""
    if name not in REFINE_PRESETS:
        raise UsageError(f"there is no preset {name!r}", f"choose one of {', '.join(REFINE_PRESETS)}")
    return REFINE_PRESETS[name]


def with_skeleton(settings: RefineSettings, name: str | None) -> RefineSettings:
    """The settings for results of a keypoint set of `SKELETONS`; None keeps theirs.

    Raises:
        UsageError: There is no such set, or the settings run no network that predicts feet.
    """
    if name is None:
        return settings
    if name not in SKELETONS:
        raise UsageError(f"there is no keypoint set {name!r}", f"choose {' or '.join(SKELETONS)}")
    feet = name == COCO17_FEET.name
    if feet and not settings.ensemble:
        raise UsageError(f"{name} needs the ensemble, whose network predicts the feet", "add --preset balanced")
    return replace(settings, feet=feet)
