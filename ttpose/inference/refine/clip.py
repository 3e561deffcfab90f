"""Refinement of a clip's keypoints over time: left/right correction, then rescoring of candidates with Viterbi."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ttpose.core.skeleton import Skeleton, skeleton_named
from ttpose.inference.onnx_ensemble import merge_onnx
from ttpose.inference.prediction import TTAPrediction
from ttpose.inference.refine.candidates import limb_joints
from ttpose.inference.refine.corrected import CorrectedFrames
from ttpose.inference.refine.left_right import apply_swaps, correct_swaps
from ttpose.inference.refine.rescoring import ENSEMBLE_SHARE, can_rescore, rescore
from ttpose.inference.settings import RefineSettings
from ttpose.models.config import ModelConfig

# The ensemble votes among candidates there, but does not draw positions towards its own convention of where a joint is,
# which the person's corrections have just overruled: three clips, PCK@0.05 0.379 → 0.412 (docs/experiments.md).
_SHARE_WHERE_CORRECTED = 0.0


@dataclass(frozen=True)
class Refined:
    """A clip's refined keypoints.

    Attributes:
        keypoints: [N, K, 3] in original pixels: x, y, score 0..1.
        swapped: bool [N, 2] (legs, arms): where left and right were swapped to agree with the frames around.
    """

    keypoints: np.ndarray
    swapped: np.ndarray


def fitted_refinement(settings: RefineSettings, config: ModelConfig) -> RefineSettings:
    """The settings as a model can run them: the trees know how the shipped encoder's maps err, and no others'.

    On other bases the heatmaps' own values say how likely a place is. Keypoint sets without arms and legs have no
    other places at all, and then there is no use for the ensemble either.
    """
    if not settings.rescore or can_rescore(config):
        return settings
    if not limb_joints(skeleton_named(config.skeleton)):
        return replace(settings, rescore=False, ensemble=False)
    return replace(settings, trees=False)


def refine(
    prediction: TTAPrediction,
    times: Sequence[float] | np.ndarray,
    skeleton: Skeleton,
    settings: RefineSettings,
    corrected: CorrectedFrames | None = None,
    sides: np.ndarray | None = None,
) -> Refined:
    """Refine the keypoints of consecutive frames.

    Args:
        prediction: Of N frames of one clip, in order of time.
        times: [N] seconds.
        skeleton: The keypoint set.
        settings: Which steps are taken.
        corrected: What a person said of some of the frames: their joints are exactly there, and the frames around are
            refined knowing it.
        sides: [N, K, 2] original pixels, where left and right are known to be, NaN elsewhere; where frames are
            corrected these tell it instead.
    """
    if corrected is None:
        return _refine(prediction, times, skeleton, settings, sides)
    pinned = corrected.pin(prediction)
    found = _refine(pinned, times, skeleton, settings, corrected.sides, _SHARE_WHERE_CORRECTED)
    return replace(found, keypoints=corrected.applied_to(found.keypoints))


def _refine(
    prediction: TTAPrediction,
    times: Sequence[float] | np.ndarray,
    skeleton: Skeleton,
    settings: RefineSettings,
    reference: np.ndarray | None = None,
    share: float = ENSEMBLE_SHARE,
) -> Refined:
    """The same, with corrections put in; `reference` [N, K, 2] tells left from right where it is known.

    `share` is how far positions go towards the ensemble's.
    """
    when, swapped = np.asarray(times, float), np.zeros((len(prediction), 2), bool)
    if settings.correct_swaps:
        _, swapped = correct_swaps(prediction.keypoints, prediction.side_odds, when, skeleton, reference=reference)
    cleaned = apply_swaps(prediction, swapped, skeleton)
    keypoints = cleaned.keypoints
    if settings.rescore:
        keypoints = rescore(cleaned, when, skeleton, share=share, trees=settings.trees)[0]
    if cleaned.ensemble_onnx is not None:
        keypoints = merge_onnx(keypoints, cleaned.ensemble_onnx, skeleton)
    return Refined(keypoints, swapped)
