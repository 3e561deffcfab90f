"""Left and right made consistent over time: the cheapest of all namings of the legs and of the arms of a clip.

A single frame of a back view or a profile often does not tell left from right, and a network then guesses anew in
every frame. Over a clip the guesses are tied together: a leg does not jump to the other leg's place. Dynamic
programming (Viterbi) over four namings a frame (legs as found or exchanged, arms likewise) finds the sequence with
the least movement that the maps' own odds still support.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ttpose.skeleton import Skeleton

_NAMINGS = ((False, False), (False, True), (True, False), (True, True))


@dataclass(frozen=True)
class SideCosts:
    """Weights of the path's cost, in nats of the maps' odds.

    Attributes:
        evidence: Weight of the maps' log-odds. Small, since a network that confuses sides is confident about it.
        movement: Cost of a limb's mean movement by one torso length between frames.
        longest: Movement is counted up to this many torso lengths, so that a lost keypoint costs no more than that.
        cross: Cost of legs and arms that are named oppositely.
        rename: Cost of exchanging a limb, which decides where nothing else does.
        reach_s: Frames further apart in time than this are not tied together.
    """

    # Where neighbouring values agree on labelled and rendered clips; less movement follows the maps' confusions, more
    # evidence too (docs/accuracy.md).
    evidence: float = 0.15
    movement: float = 80.0
    longest: float = 0.5
    cross: float = 1.5
    rename: float = 1e-3
    reach_s: float = 0.5


def settle_sides(
    keypoints: np.ndarray, sides: np.ndarray, times: np.ndarray, skeleton: Skeleton, costs: SideCosts | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Choose the naming of every frame's legs and arms.

    Args:
        keypoints: [N, K, 3] in image pixels, frames in order; further columns go along.
        sides: [N, K] log-odds of a keypoint's own side over its mirror's.
        times: [N] seconds.
        skeleton: The keypoint set.
        costs: Weights.

    Returns:
        The keypoints with exchanged limbs where that is cheaper [N, K, 3], and which limbs were exchanged, bool
        [N, 2] (legs, arms). Clips of fewer than three frames come back as they are.
    """
    costs = costs or SideCosts()
    groups = _limb_groups(skeleton)
    if len(keypoints) < 3 or not all(groups):
        return keypoints, np.zeros((len(keypoints), 2), bool)
    candidates = np.stack([_renamed(keypoints, naming, groups, skeleton) for naming in _NAMINGS], 1)
    path = _cheapest_path(_own_costs(sides, groups, costs), _move_costs(candidates, times, groups, skeleton, costs))
    return candidates[np.arange(len(path)), path], np.array(_NAMINGS)[path]


def _limb_groups(skeleton: Skeleton) -> tuple[list[int], list[int]]:
    def members(*parts: str) -> list[int]:
        return [i for i, name in enumerate(skeleton.keypoints) if name.split("_", 1)[-1] in parts and "_" in name]

    return members("hip", "knee", "ankle"), members("shoulder", "elbow", "wrist")


def _renamed(
    keypoints: np.ndarray, naming: tuple[bool, bool], groups: tuple[list[int], list[int]], skeleton: Skeleton
) -> np.ndarray:
    order = np.arange(len(skeleton))
    for exchanged, group in zip(naming, groups, strict=True):
        if exchanged:
            order[group] = np.array(skeleton.flip)[group]
    return keypoints[:, order]


def _own_costs(sides: np.ndarray, groups: tuple[list[int], list[int]], costs: SideCosts) -> np.ndarray:
    """[N, 4]: what a frame's own maps say against each naming."""
    odds = np.stack([sides[:, group].mean(1) for group in groups], 1)
    against = [costs.evidence * (odds * np.array(naming)).sum(1) for naming in _NAMINGS]
    always = [costs.cross * (naming[0] != naming[1]) + costs.rename * sum(naming) for naming in _NAMINGS]
    return np.stack(against, 1) + np.array(always)


def _move_costs(
    candidates: np.ndarray,
    times: np.ndarray,
    groups: tuple[list[int], list[int]],
    skeleton: Skeleton,
    costs: SideCosts,
) -> np.ndarray:
    """[N - 1, 4 before, 4 after]: how far the limbs move between frames under each pair of namings."""
    size = _torso_length(candidates[:, 0], skeleton)
    before, after = candidates[:-1, :, None], candidates[1:, None, :]
    moved = np.minimum(np.linalg.norm(after[..., :2] - before[..., :2], axis=-1) / size, costs.longest)
    sure = np.minimum(after[..., 2], before[..., 2])
    total = sum((moved * sure)[..., g].sum(-1) / (sure[..., g].sum(-1) + 1e-6) for g in groups)
    tied = (np.diff(times) <= costs.reach_s)[:, None, None]
    return costs.movement * np.asarray(total) * tied


def _torso_length(keypoints: np.ndarray, skeleton: Skeleton) -> float:
    """Median distance of mid-shoulder to mid-hip over the clip, pixels."""

    def middle(part: str) -> np.ndarray:
        return keypoints[:, [skeleton.index(f"left_{part}"), skeleton.index(f"right_{part}")], :2].mean(1)

    return float(max(np.median(np.linalg.norm(middle("shoulder") - middle("hip"), axis=1)), 1e-3))


def _cheapest_path(own: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """Viterbi: the sequence of states with the least sum of own [N, S] and move [N - 1, S, S] costs."""
    cost, origins = own[0], []
    for here, move in zip(own[1:], moves, strict=True):
        total = cost[:, None] + move
        origins.append(total.argmin(0))
        cost = total.min(0) + here
    path = [int(cost.argmin())]
    for origin in reversed(origins):
        path.append(int(origin[path[-1]]))
    return np.array(path[::-1])
