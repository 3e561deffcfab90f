"""Heels and toes, as the ensemble's second network sees them, put to the sides of the final ankles and steadied.

The first network knows no feet, and the second one sometimes takes the left leg for the right one. So the feet follow
the refined ankles: over a clip, Viterbi finds which of the second network's legs is which, by how far its ankles are
from the refined ones and how its feet move. A foot moves with its ankle as a whole, so that a point which leaves the
place beside the ankle that the frames around give it, for a moment and while the network is unsure, is brought back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ttpose.core.skeleton import FEET, Skeleton, torso_lengths
from ttpose.inference.prediction import TTAPrediction
from ttpose.inference.refine.clip import Refined
from ttpose.inference.refine.corrected import CorrectedFrames
from ttpose.inference.refine.viterbi import second_order_viterbi

# Distances in torsos, up to which they count: a lost ankle costs no more than one on the other leg, and a foot is no
# longer.
_LONGEST = 0.5
# Frames further apart in time than this say nothing about each other's feet.
_REACH_S = 0.5
# The rest was chosen on rendered people (docs/experiments.md). A heel goes all the way with its ankle; a toe, which the
# network sees better, all the way only where the networks' ankles are further apart than `_NEAR` torsos.
_NEAR, _TOE_SHARE = 0.15, 0.25
# BlazePose's toe is short of the tip by so much of its heel's distance from it.
_TO_THE_TIP = 0.1
#: Of the signs of `Legs.signs`, fitted to 80 rendered people: the chance that a point is within 0.15 torsos of the
#: label, which is what the score of a rescored joint says, too. On 80 others the shares of right points follow it.
WEIGHTS = np.array([-4.34, 0.73, -0.16, 0.2, -0.71, 3.3, 2.1])
# Keep logarithms finite: smaller distances and more certain visibilities say no more.
_LEAST_APART, _LEAST_AWAY, _LEAST_ODDS = 0.02, 0.03, 0.001
# A frame whose two views are so many torsos apart counts half; deviation of the weights over time; squared seconds that
# are added to a line's spread in time.
_APART, _FADE_S, _FLAT = 0.1, 0.04, 2e-4


def with_feet(
    refined: Refined,
    seen: TTAPrediction,
    times: Sequence[float] | np.ndarray,
    skeleton: Skeleton,
    corrected: CorrectedFrames | None = None,
) -> Refined:
    """A clip's refined keypoints [N, K, 3] with those of the feet behind them, [N, K + 4, 3].

    Args:
        refined: Of N frames of one clip, in order of time, in original pixels.
        seen: Prediction of the same frames, with the second network's ankles and feet.
        times: [N] seconds.
        skeleton: The refined keypoints' set, with ankles.
        corrected: What a person said, of K + 4 keypoints: such a foot is exactly there, with the score 1.
    """
    feet = place_feet(seen, refined.keypoints, np.asarray(times, float), skeleton)
    keypoints = np.concatenate([refined.keypoints, feet], 1)
    return replace(refined, keypoints=keypoints if corrected is None else corrected.applied_to(keypoints))


def place_feet(seen: TTAPrediction, keypoints: np.ndarray, times: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Points of the feet [N, 4, 3] in the order of `FEET`: original pixels, score 0..1; arguments as of `with_feet`."""
    legs = Legs.of(seen, keypoints, times, skeleton).assigned()
    points = legs.steadied(legs.points())
    chance = 1 / (1 + np.exp(-(legs.signs(points) @ WEIGHTS)))
    found = np.concatenate([points, chance[..., None]], -1)
    return found.reshape(len(times), len(FEET), 3)


@dataclass(frozen=True)
class Legs:
    """Ankles and feet of N frames; sides are left and right, parts big toe and heel.

    Attributes:
        ankles: [N, 2 sides, 3] refined.
        said: [N, 2 sides, 4] the second network's ankles: x, y, visibility, distance of its two views.
        feet: [N, 2 parts, 2 sides, 4] the same of its toes and heels.
        times: [N] seconds.
        torso: Pixels.
    """

    ankles: np.ndarray
    said: np.ndarray
    feet: np.ndarray
    times: np.ndarray
    torso: float

    @classmethod
    def of(cls, seen: TTAPrediction, keypoints: np.ndarray, times: np.ndarray, skeleton: Skeleton) -> Legs:
        """As the second network names them."""
        assert seen.feet is not None and seen.ensemble is not None
        sides = [skeleton.index(f"{side}_ankle") for side in ("left", "right")]
        torso = max(float(np.median(torso_lengths(keypoints, skeleton))), 1e-3)
        feet = seen.feet.reshape(len(times), 2, 2, 4)
        return cls(keypoints[:, sides], seen.ensemble[:, sides], feet, times, torso)

    @property
    def away(self) -> np.ndarray:
        """[N, 2 sides] how far the second network's ankles are from the refined ones, torsos."""
        return np.asarray(np.linalg.norm(self.said[..., :2] - self.ankles[..., :2], axis=-1) / self.torso)

    def assigned(self) -> Legs:
        """With the second network's legs swapped in the frames in which it has them the other way round."""
        orders = [self, replace(self, said=self.said[:, ::-1], feet=self.feet[:, :, ::-1])]
        own = np.stack([np.minimum(each.away, _LONGEST).mean(1) for each in orders], 1)
        offset = np.stack([each.feet[..., :2] - self.ankles[:, None, :, :2] for each in orders], 1) / self.torso
        moved = np.linalg.norm(offset[1:, None] - offset[:-1, :, None], axis=-1)
        moves = np.minimum(moved, _LONGEST).mean((3, 4)) * (np.diff(self.times) <= _REACH_S)[:, None, None]
        swapped = _cheapest(own, moves) == 1
        said = np.where(swapped[:, None, None], orders[1].said, self.said)
        return replace(self, said=said, feet=np.where(swapped[:, None, None, None], orders[1].feet, self.feet))

    def points(self) -> np.ndarray:
        """[N, 2 parts, 2 sides, 2] pixels: the second network's, shifted with its ankles towards the refined ones."""
        shift = self.ankles[..., :2] - self.said[..., :2]
        share = np.where(self.away < _NEAR, _TOE_SHARE, 1.0)[..., None]
        toe, heel = self.feet[:, 0, :, :2], self.feet[:, 1, :, :2]
        return np.stack([toe + _TO_THE_TIP * (toe - heel) + share * shift, heel + shift], 1)

    def signs(self, points: np.ndarray) -> np.ndarray:
        """[N, 2 parts, 2 sides, signs]: what tells how sure a point is, for logistic regression.

        One; whether it is a heel; the logarithm of the distance in torsos of the second network's two views of it; the
        log-odds of its visibility; the logarithm of `away`; the refined ankle's score; the length in torsos of the foot
        that `points` [N, 2 parts, 2 sides, 2] make, since one that looks short is often a wrong one.
        """
        one = np.ones(self.feet.shape[:3])
        apart = np.log(self.feet[..., 3] / self.torso + _LEAST_APART)
        odds = self.feet[..., 2].clip(_LEAST_ODDS, 1 - _LEAST_ODDS)
        away, score = np.log(self.away + _LEAST_AWAY)[:, None] * one, self.ankles[:, None, :, 2] * one
        heel = one * np.array([0.0, 1.0])[:, None]
        length = np.linalg.norm(points[:, 0] - points[:, 1], axis=-1) / self.torso
        length = np.minimum(length, _LONGEST)[:, None] * one
        return np.stack([one, heel, apart, np.log(odds / (1 - odds)), away, score, length], -1)

    def steadied(self, points: np.ndarray) -> np.ndarray:
        """Points [N, 2 parts, 2 sides, 2] beside the ankles as lines through the frames around have them.

        A frame counts the less the further the second network's views are apart.
        """
        ankles = self.ankles[:, None, :, :2]
        trust = 1 / (1 + (self.feet[..., 3] / (_APART * self.torso)) ** 2)
        return np.asarray(ankles + _local_lines(points - ankles, trust, self.times))


def _cheapest(own: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """[N] the states of the cheapest sequence, of costs `own` [N, S] and `moves` [N - 1, S before, S here]."""
    if len(own) < 3:
        return np.asarray(own.argmin(1))
    return second_order_viterbi(own[:, None], moves[:1], lambda frame: moves[frame - 1][None, None])[:, 0]


def _local_lines(values: np.ndarray, trust: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Values [N, ..., 2] where lines fitted to the frames around, weighted by `trust` [N, ...], have them."""
    total, time, square = (np.zeros(trust.shape) for _ in range(3))
    value, product = np.zeros(values.shape), np.zeros(values.shape)
    frames = np.arange(len(times))
    for step in range(-_reach(times), _reach(times) + 1):
        there = np.clip(frames + step, 0, len(times) - 1)
        since = times[there] - times
        near = np.exp(-0.5 * (since / _FADE_S) ** 2) * (frames + step == there)
        since = since.reshape(-1, *[1] * (trust.ndim - 1))
        weight = trust[there] * near.reshape(since.shape)
        total, time, square = total + weight, time + weight * since, square + weight * since**2
        value = value + weight[..., None] * values[there]
        product = product + (weight * since)[..., None] * values[there]
    mean, middle = value / total[..., None], time / total
    varied = square / total - middle**2
    together = product / total[..., None] - middle[..., None] * mean
    # The small number keeps the slope through a few frames near zero.
    return np.asarray(mean - (together / (varied + _FLAT)[..., None]) * middle[..., None])


def _reach(times: np.ndarray) -> int:
    """So many frames on either side are within three deviations of the weights."""
    ends = np.searchsorted(times, times + 3 * _FADE_S, "right") - np.arange(len(times)) - 1
    return int(max(ends.max(initial=0), 0))
