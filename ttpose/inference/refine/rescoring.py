"""Rescoring: boosted trees give each candidate position a probability, Viterbi chooses among them over the clip."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np

from ttpose.core.skeleton import Skeleton, skeleton_named
from ttpose.inference.prediction import TTAPrediction
from ttpose.inference.refine.candidates import NEIGHBOURHOOD, candidates, limb_joints
from ttpose.inference.refine.heatmap_odds import HeatmapOdds
from ttpose.inference.refine.viterbi import ViterbiCosts, likeliest_paths
from ttpose.models.boosted_trees import Forest
from ttpose.models.config import ModelConfig
from ttpose.models.store import model_path

# How much more probable another candidate must be, by trees without and with the ensemble's prediction: less gains more
# on rendered people, and risks more on real ones, among whom other people stand (docs/experiments.md).
_MARGINS = (0.05, 0.15)

# The same by heatmap values alone, which weigh less: a wrong peak is often nearly as high as the right one.
_HEATMAP_MARGIN = 0.2

# Frames at a time at most, so that memory does not grow with the clip: the features of one take 20 kB.
_BLOCK = 500

# Where the ensemble's prediction is so near, in torsos, it counts for so much of the position: the mean of two networks
# is better than either, on rendered people and on real ones.
_NEAR, ENSEMBLE_SHARE = 0.3, 0.25

#: File names of the shipped trees, without and with the ensemble's prediction among a candidate's features.
RESCORER_FILES = ("rescorer.safetensors", "rescorer_second.safetensors")


def can_rescore(config: ModelConfig) -> bool:
    """Whether the trees know how a model's maps err: they learned from those of the shipped encoder."""
    return config.encoder == "movenet" and bool(limb_joints(skeleton_named(config.skeleton)))


@lru_cache(maxsize=2)
def load_rescorer(ensemble: bool = False) -> Forest:
    """The shipped trees, for candidates with the ensemble's prediction or without; raises WeightsError."""
    return Forest.load(model_path(RESCORER_FILES[ensemble]))


def rescore(
    seen: TTAPrediction,
    times: np.ndarray,
    skeleton: Skeleton,
    forest: Forest | None = None,
    margin: float | None = None,
    costs: ViterbiCosts | None = None,
    share: float = ENSEMBLE_SHARE,
    *,
    trees: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """Choose among the candidates of every limb joint, over the whole clip.

    Args:
        seen: Of N frames in order of time, left/right corrected; the ensemble's prediction counts where there is one.
        times: [N] seconds.
        skeleton: The keypoint set, with arms and legs.
        forest: Gives a candidate's probability from its features; None takes the shipped trees.
        margin: How much more probable another candidate must be than the keypoint's own; None takes the default.
        costs: Of Viterbi; None takes the default.
        share: How far a position goes towards the ensemble's where the two are close, 0..1.
        trees: Whether the shipped trees are taken where no forest is given; else the heatmaps' values say how probable
            a candidate is, for bases that the trees do not know.

    Returns:
        Keypoints [N, K, 3] in original pixels, and which were moved to another candidate, bool [N, K]. A keypoint that
        was moved has its new position's probability as its score; the others keep theirs.
    """
    asked = seen.ensemble is not None
    rescorer: Forest | HeatmapOdds = forest or (load_rescorer(asked) if trees else _odds(seen))
    if margin is None:
        margin = _MARGINS[asked] if not isinstance(rescorer, HeatmapOdds) else _HEATMAP_MARGIN
    found, moved = seen.keypoints.copy(), np.zeros(seen.keypoints.shape[:2], bool)
    blocks = -(-len(found) // _BLOCK)
    # Equally long, since lengths of limbs and of the torso are a block's own and a few frames do not show them.
    for start, stop in pairwise(np.linspace(0, len(found), blocks + 1).astype(int)):
        first, rows = max(start - NEIGHBOURHOOD, 0), slice(start, stop)
        around = slice(first, stop + NEIGHBOURHOOD)
        block, shifted = _rescore_block(seen.part(around), times[around], skeleton, rescorer, margin, costs, share)
        inside = slice(start - first, stop - first)
        found[rows], moved[rows] = block[inside], shifted[inside]
    return found, moved


def _rescore_block(
    seen: TTAPrediction,
    times: np.ndarray,
    skeleton: Skeleton,
    forest: Forest | HeatmapOdds,
    margin: float,
    costs: ViterbiCosts | None,
    share: float,
) -> tuple[np.ndarray, np.ndarray]:
    given = candidates(seen, times, skeleton)
    # A keypoint without another candidate needs no probability.
    judged = given.worth & (given.worth.sum(2, keepdims=True) > 1)
    probability = np.where(judged, 0.0, 1.0)
    probability[judged] = forest.probability(given.features[judged])
    lead = np.where(np.arange(probability.shape[2]) == 0, margin, 0.0)
    best = likeliest_paths(probability + lead, given.worth, given.positions, times, given.torso, costs)[..., None]
    moved = np.zeros(seen.keypoints.shape[:2], bool)
    moved[:, given.joints] = best[..., 0] > 0
    found = seen.keypoints.copy()
    position = np.take_along_axis(given.positions, best[..., None], 2)[:, :, 0]
    chance = np.take_along_axis(probability, best, 2)
    found[:, given.joints] = np.where(
        moved[:, given.joints, None], np.concatenate([position, chance], -1), found[:, given.joints]
    )
    if seen.ensemble is not None and not isinstance(
        forest, HeatmapOdds
    ):  # how much it counts was measured beside the trees
        found = _nearer(found, seen.ensemble, given.joints, _NEAR * given.torso, share)
    return found, moved


def _odds(seen: TTAPrediction) -> HeatmapOdds:
    # The ensemble's place is the last kind: after the keypoint, mirror, line, the peaks, and two of the plain view.
    return HeatmapOdds(None if seen.ensemble is None else 3 + seen.peaks.shape[2] + 2)


def _nearer(
    found: np.ndarray, other: np.ndarray, joints: Sequence[int] | np.ndarray, within: float, share: float
) -> np.ndarray:
    """Some joints a share of the way towards another result's, where they are closer to it than so many pixels."""
    moved, to = found.copy(), (other[..., :2] - found[..., :2])[:, joints]
    near = np.linalg.norm(to, axis=-1, keepdims=True) < within
    moved[:, joints, :2] += np.where(near, share * to, 0.0)
    return moved
