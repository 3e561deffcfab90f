"""The likeliest path of each joint through its places over a clip.

A place that is likely in its own frame may still lead nowhere: a limb does not jump to another peak for one frame. A
path through one place a frame has a probability in each and a price for each turn; dynamic programming (Viterbi over
pairs of frames) finds the best path of each joint by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_NEVER = -1e9  # in place of log 0, so that differences stay finite


@dataclass(frozen=True)
class ViterbiCosts:
    """Weights of a path, in nats.

    Attributes:
        turning: Cost of ending one torso length from where the last movement would have led.
        longest: Turns count up to this many torso lengths, so that a lost joint costs no more.
        close_s: Frames up to this far apart are tied fully; further apart a limb may turn by itself, and turns cost
            less by the square of the time, as far as a steady force carries.
        reach_s: Frames further apart in time than this are not tied together.
        doubt: Added to every probability: no place is ever ruled out by its own frame.
    """

    # Rendered people gain alike from 1 to 4; above 2 PCK@0.1 falls and real clips lose. At half the frames a quarter of
    # it is best (docs/accuracy.md).
    turning: float = 2.0
    longest: float = 1.5
    close_s: float = 0.04
    reach_s: float = 0.5
    doubt: float = 0.02


def likeliest_paths(
    probability: np.ndarray,
    worth: np.ndarray,
    places: np.ndarray,
    times: np.ndarray,
    torso: float,
    costs: ViterbiCosts | None = None,
) -> np.ndarray:
    """Choose a place in every frame.

    Args:
        probability: [N, L, C] that each of C places is right for each of L joints, in N frames in order of time.
        worth: bool [N, L, C]: places that may be chosen, one at least of each joint in each frame.
        places: [N, L, C, 2] pixels.
        times: [N] seconds.
        torso: Its length in pixels.
        costs: Weights.

    Returns:
        [N, L] numbers of the chosen places.
    """
    costs = costs or ViterbiCosts()
    gain = np.where(worth, np.log(probability + costs.doubt), _NEVER)
    if len(gain) < 3:
        return gain.argmax(2)
    at = places / torso
    best = gain[0][:, :, None] + gain[1][:, None]  # of paths to each pair of places in the first two frames
    origins = []
    for here in range(2, len(gain)):
        total = best[..., None] - _turns(at[here - 2 : here + 1], np.diff(times[here - 2 : here + 1]), costs)
        origins.append(total.argmax(1))
        best = total.max(1) + gain[here][:, None]
    last = best.max(1).argmax(1)
    joints = np.arange(len(best))
    path = [last, best[joints, :, last].argmax(1)]
    for origin in reversed(origins):
        path.append(origin[joints, path[-1], path[-2]])
    return np.array(path[::-1])


def _turns(at: np.ndarray, gaps: np.ndarray, costs: ViterbiCosts) -> np.ndarray:
    """[L, C two before, C before, C here]: the price of each turn between three frames' places [3, L, C, 2]."""
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
