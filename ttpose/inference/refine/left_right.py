"""Left/right swap correction over time, of the legs and of the arms of a clip.

A single frame of a back view or a profile often does not tell left from right, and a network then guesses anew in
every frame. Over a clip the guesses bind each other: a leg does not jump to the other leg's position. Viterbi over four
states a frame (legs as found or swapped, arms likewise) finds the sequence with the least movement, and the least
change of velocity, that the heatmaps' own odds still support. The second term is what tells limbs that pass each other
from limbs that turn back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ttpose.core.skeleton import Skeleton, torso_lengths
from ttpose.inference.prediction import TTAPrediction
from ttpose.inference.refine.viterbi import second_order_viterbi

_SWAPS = ((False, False), (False, True), (True, False), (True, True))


@dataclass(frozen=True)
class SwapCosts:
    """Weights of a sequence's costs, in nats of the heatmaps' odds.

    Attributes:
        evidence: Weight of the maps' log-odds. Small, since a network that confuses sides is confident about it.
        sure: Mean odds of a limb, in nats, from where on they count fully besides: so clear are hardly any confusions.
        movement: Cost of a limb's mean movement by one torso length between frames.
        turning: Cost of a limb's mean distance of one torso length from where its last movement would have led.
        longest: Both distances are counted up to this many torso lengths, so that a lost keypoint costs no more.
        cross: Cost of swapping only the legs or only the arms.
        swap: Cost of swapping a limb, which decides where nothing else does.
        close_s: Frames up to this far apart in time count fully, others less in proportion.
        reach_s: Frames further apart in time than this do not bind each other.
    """

    # In the middle of a plateau on labelled and rendered clips, with eight choices of views: more evidence loses back
    # views, less follows fast dancers wrongly; without the turning, PCK@0.2 is 1.7 points lower (docs/experiments.md).
    evidence: float = 0.2
    sure: float = 1.0  # four TTA views are hardly ever that sure of a wrong side (docs/experiments.md)
    movement: float = 80.0
    turning: float = 80.0
    longest: float = 0.3  # more of it follows fast limbs wrongly where frames are far apart (12 a second)
    cross: float = 1.5
    swap: float = 1e-3
    close_s: float = 0.04
    reach_s: float = 0.5


def correct_swaps(
    keypoints: np.ndarray,
    side_odds: np.ndarray,
    times: np.ndarray,
    skeleton: Skeleton,
    costs: SwapCosts | None = None,
    reference: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Choose in every frame whether legs and arms are swapped.

    Args:
        keypoints: [N, K, 3] in image pixels, frames in order; further columns go along.
        side_odds: [N, K] log-odds of a keypoint's own side over its mirror's.
        times: [N] seconds.
        skeleton: The keypoint set.
        costs: Weights.
        reference: [N, K, 2] image pixels, where left and right are known, such as corrected frames, NaN elsewhere;
            being away from it costs as much as movement does.

    Returns:
        The keypoints with swapped limbs where that is cheaper [N, K, 3], and which limbs were swapped, bool
        [N, 2] (legs, arms). Clips of fewer than three frames come back as they are.
    """
    costs = costs or SwapCosts()
    groups = limb_groups(skeleton)
    if len(keypoints) < 3 or not all(groups):
        return keypoints, np.zeros((len(keypoints), 2), bool)
    candidates = np.stack([_swapped(keypoints, state, groups, skeleton) for state in _SWAPS], 1)
    own = _own_costs(side_odds, groups, costs)
    if reference is not None:
        own += _away_costs(candidates, reference, groups, skeleton, costs)
    moves = _move_costs(candidates, times, groups, skeleton, costs)
    turns = _turn_costs(candidates, times, groups, skeleton, costs)

    def bound(frame: int) -> np.ndarray:
        return np.asarray(turns[frame - 2] + moves[frame - 1])[None]

    path = second_order_viterbi(own[:, None], moves[:1], bound)[:, 0]
    return candidates[np.arange(len(path)), path], np.array(_SWAPS)[path]


def corrected_sides(prediction: TTAPrediction, times: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """[N, K, 2]: a prediction's keypoints, left/right corrected over time, as a `reference` for another prediction."""
    found, _ = correct_swaps(prediction.keypoints, prediction.side_odds, times, skeleton)
    return found[..., :2]


def apply_swaps(seen: TTAPrediction, swapped: np.ndarray, skeleton: Skeleton) -> TTAPrediction:
    """A prediction with left and right swapped where they were wrong.

    Args:
        seen: Of N frames.
        swapped: bool [N, 2] (legs, arms), from `correct_swaps`.
        skeleton: The keypoint set.

    Returns:
        The prediction without maps; what the plain view alone predicts stays as it is.
    """
    rows = np.arange(len(swapped))[:, None]
    order = np.tile(np.arange(len(skeleton)), (len(swapped), 1))
    for limb, group in enumerate(limb_groups(skeleton)):
        order[:, group] = np.where(swapped[:, [limb]], np.array(skeleton.flip)[group], group)
    side_odds = np.where(order == np.arange(len(skeleton)), 1, -1) * seen.side_odds[rows, order]
    keypoints, spread, peaks = (array[rows, order] for array in (seen.keypoints, seen.spread, seen.peaks))
    return replace(seen, keypoints=keypoints, side_odds=side_odds, spread=spread, peaks=peaks, maps=None)


def limb_groups(skeleton: Skeleton) -> tuple[list[int], list[int]]:
    """The keypoints of the legs and of the arms, hips and shoulders included."""

    def members(*parts: str) -> list[int]:
        return [i for i, name in enumerate(skeleton.keypoints) if name.split("_", 1)[-1] in parts and "_" in name]

    return members("hip", "knee", "ankle"), members("shoulder", "elbow", "wrist")


def _swapped(
    keypoints: np.ndarray, state: tuple[bool, bool], groups: tuple[list[int], list[int]], skeleton: Skeleton
) -> np.ndarray:
    order = np.arange(len(skeleton))
    for swapped, group in zip(state, groups, strict=True):
        if swapped:
            order[group] = np.array(skeleton.flip)[group]
    return keypoints[:, order]


def _own_costs(side_odds: np.ndarray, groups: tuple[list[int], list[int]], costs: SwapCosts) -> np.ndarray:
    """[N, 4]: what a frame's own heatmaps say against each state."""
    odds = np.stack([side_odds[:, group].mean(1) for group in groups], 1)
    said = costs.evidence * odds + np.maximum(odds - costs.sure, 0)
    against = [(said * np.array(state)).sum(1) for state in _SWAPS]
    always = [costs.cross * (state[0] != state[1]) + costs.swap * sum(state) for state in _SWAPS]
    return np.stack(against, 1) + np.array(always)


def _away_costs(
    candidates: np.ndarray,
    reference: np.ndarray,
    groups: tuple[list[int], list[int]],
    skeleton: Skeleton,
    costs: SwapCosts,
) -> np.ndarray:
    """[N, 4]: how far each state is from the reference."""
    size, there = _torso_length(candidates[:, 0], skeleton), np.isfinite(reference).all(-1)[:, None]
    away = candidates[..., :2] - np.where(there[..., None], reference[:, None], 0.0)
    return costs.movement * _mean_distance(away, candidates[..., 2] * there, size, groups, costs)


def _move_costs(
    candidates: np.ndarray,
    times: np.ndarray,
    groups: tuple[list[int], list[int]],
    skeleton: Skeleton,
    costs: SwapCosts,
) -> np.ndarray:
    """[N - 1, 4 before, 4 after]: how far the limbs move between frames in each pair of states."""
    size = _torso_length(candidates[:, 0], skeleton)
    before, after = candidates[:-1, :, None], candidates[1:, None, :]
    total = _mean_distance(
        after[..., :2] - before[..., :2], np.minimum(after[..., 2], before[..., 2]), size, groups, costs
    )
    return costs.movement * total * _tie(np.diff(times), costs)[:, None, None]


def _turn_costs(
    candidates: np.ndarray,
    times: np.ndarray,
    groups: tuple[list[int], list[int]],
    skeleton: Skeleton,
    costs: SwapCosts,
) -> np.ndarray:
    """[N - 2, 4 two before, 4 before, 4 after]: how far the limbs end from where their velocity would have led."""
    size, gaps = _torso_length(candidates[:, 0], skeleton), np.diff(times)
    first, second, third = (
        candidates[:-2, :, None, None],
        candidates[1:-1, None, :, None],
        candidates[2:, None, None, :],
    )
    # A longer gap carries a movement further; far extrapolation is worth little, and is not tried beyond double.
    pace = np.clip(gaps[1:] / np.maximum(gaps[:-1], 1e-6), 0, 2)[:, None, None, None, None, None]
    expected = second[..., :2] + pace * (second[..., :2] - first[..., :2])
    sure = np.minimum(np.minimum(first[..., 2], second[..., 2]), third[..., 2])
    total = _mean_distance(third[..., :2] - expected, sure, size, groups, costs)
    return costs.turning * total * _tie(np.maximum(gaps[:-1], gaps[1:]), costs)[:, None, None, None]


def _tie(gaps: np.ndarray, costs: SwapCosts) -> np.ndarray:
    """How much movement over gaps in time says: in a longer one a limb may have gone anywhere."""
    return np.minimum(1.0, costs.close_s / np.maximum(gaps, 1e-6)) * (gaps <= costs.reach_s)


def _mean_distance(
    moved: np.ndarray, sure: np.ndarray, size: float, groups: tuple[list[int], list[int]], costs: SwapCosts
) -> np.ndarray:
    """Sum over legs and arms of the mean distance in torsos; `moved` [..., K, 2], weighted by `sure` [..., K]."""
    distance = np.minimum(np.linalg.norm(moved, axis=-1) / size, costs.longest)
    return np.asarray(sum((distance * sure)[..., g].sum(-1) / (sure[..., g].sum(-1) + 1e-6) for g in groups))


def _torso_length(keypoints: np.ndarray, skeleton: Skeleton) -> float:
    """Median distance of mid-shoulder to mid-hip over the clip, pixels."""
    return float(max(np.median(torso_lengths(keypoints, skeleton)), 1e-3))
