"""Second-order Viterbi: the best sequence of candidate positions of each joint over a clip.

A position that is probable in its own frame may still be wrong: a limb does not jump to another peak for one frame.
A sequence of one candidate per frame has a probability in each frame and a cost for each change of velocity; Viterbi
over pairs of frames finds the best sequence of each joint by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_NEVER = -1e9  # in place of log 0, so that differences stay finite


@dataclass(frozen=True)
class ViterbiCosts:
    """Weights of a sequence's costs, in nats.

    Attributes:
        turning: Cost of ending one torso length from where the last velocity would have led.
        longest: This distance counts up to so many torso lengths, so that a lost joint costs no more.
        close_s: Frames up to this far apart in time count fully; further apart a limb may change its velocity, and the
            cost falls with the square of the time, as far as a steady force carries.
        reach_s: Frames further apart in time than this do not bind each other.
        doubt: Added to every probability: no candidate is ever ruled out by its own frame.
    """

    # Rendered people gain alike from 1 to 4; above 2 PCK@0.1 falls and real clips lose. At half the frames a quarter of
    # it is best (docs/experiments.md).
    turning: float = 2.0
    longest: float = 1.5
    close_s: float = 0.04
    reach_s: float = 0.5
    doubt: float = 0.02


def likeliest_paths(
    probability: np.ndarray,
    worth: np.ndarray,
    positions: np.ndarray,
    times: np.ndarray,
    torso: float,
    costs: ViterbiCosts | None = None,
) -> np.ndarray:
    """Choose a candidate in every frame.

    Args:
        probability: [N, L, C] that each of C candidates is right for each of L joints, in N frames in order of time.
        worth: bool [N, L, C]: candidates that may be chosen, one at least of each joint in each frame.
        positions: [N, L, C, 2] pixels.
        times: [N] seconds.
        torso: Its length in pixels.
        costs: Weights.

    Returns:
        [N, L] numbers of the chosen candidates.
    """
    costs = costs or ViterbiCosts()
    gain = np.where(worth, np.log(probability + costs.doubt), _NEVER)
    if len(gain) < 3:
        return gain.argmax(2)
    at, gaps = positions / torso, np.diff(times)

    def turns(frame: int) -> np.ndarray:
        return _turns(at[frame - 2 : frame + 1], gaps[frame - 2 : frame], costs)

    return second_order_viterbi(-gain, np.zeros((gain.shape[1], gain.shape[2], gain.shape[2])), turns)


def second_order_viterbi(own: np.ndarray, first: np.ndarray, turns: Callable[[int], np.ndarray]) -> np.ndarray:
    """The cheapest sequence of states where costs bind three frames: Viterbi over pairs of states.

    Args:
        own: [N, L, S] cost of each of S states in each of N >= 3 frames, for L sequences by themselves.
        first: [L, S, S] cost of each pair of states in the first two frames.
        turns: For a frame from the third on, [L, S two before, S before, S here] cost of each triple of states.

    Returns:
        [N, L] numbers of the chosen states.
    """
    cost = own[0][:, :, None] + first + own[1][:, None]  # of the best path to each pair of states
    origins = []
    for frame in range(2, len(own)):
        total = cost[..., None] + turns(frame)
        origins.append(total.argmin(1))
        cost = total.min(1) + own[frame][:, None]
    last = cost.min(1).argmin(1)
    rows = np.arange(len(cost))
    path = [last, cost[rows, :, last].argmin(1)]
    for origin in reversed(origins):
        path.append(origin[rows, path[-1], path[-2]])
    return np.array(path[::-1])


def _turns(at: np.ndarray, gaps: np.ndarray, costs: ViterbiCosts) -> np.ndarray:
    """[L, C two before, C before, C here]: cost of each change of velocity between three frames' positions `at`."""
    longest = gaps.max()
    if longest > costs.reach_s:
        _, joints, count, _ = at.shape
        return np.zeros((joints, count, count, count))
    # A longer gap carries a movement further; far extrapolation is worth little, and is not tried beyond double.
    pace = np.clip(gaps[1] / max(gaps[0], 1e-6), 0, 2)
    first, second, third = at[0][:, :, None, None], at[1][:, None, :, None], at[2][:, None, None, :]
    off = np.linalg.norm(third - (second + pace * (second - first)), axis=-1)
    tie = min(1.0, costs.close_s / max(longest, 1e-6)) ** 2
    return np.asarray(costs.turning * tie * np.minimum(off, costs.longest))
