"""Joint and segment angles as a clinician reads them: flexion positive, 0° in neutral stance, without jumps of 360°.

docs/angles.md draws the convention.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ttpose.core.skeleton import Skeleton
from ttpose.results.facing import Facing, facing, steady
from ttpose.results.segments import LIMBS, SIDES, Segments, segment

#: Keypoints that score less count as unseen; the same bound as for drawing.
MIN_SCORE = 0.2

#: Joint angles, then segment angles, in the order of tables, with the keypoints of one side that each is made of.
JOINTS = {
    "ankle": ("knee", "ankle", "heel", "big_toe"),
    "knee": ("hip", "knee", "ankle"),
    "hip": ("shoulder", "hip", "knee"),
    "shoulder": ("hip", "shoulder", "elbow"),
    "elbow": ("shoulder", "elbow", "wrist"),
}
SEGMENTS = {"thigh": LIMBS["thigh"], "shank": LIMBS["shank"], "foot": ("heel", "big_toe")}
_MIDDLE = {"trunk": ("shoulder", "hip"), "pelvis": ("hip",)}

# Where the whole turn of 360° begins that degrees are given in, far from any that the joint reaches: hips extend by
# some 30° and flex by 140°, arms reach some 60° back. Arms and whole bodies turn on; there it is the turn that they
# begin in.
_LEAST = {"hip": -120.0, "shoulder": -120.0}
_LEAST_ELSEWHERE = -180.0
_ENDLESS = ("shoulder", "trunk", "thigh", "shank", "foot")
# Knees and elbows bend one way. From this flexion on, the bend itself says which way that is in the picture; below, a
# face in profile outweighs it, so that a knee that is bent backwards by some 10° shows as such. Nothing bends backwards
# by more than `_MOST_BACK`.
_CLEAR_FLEXION, _MOST_BACK = 20.0, -30.0
_FACING_WEIGHT = {"knee": 0.6, "elbow": 0.3}
# Turns are counted by the mean direction over so many seconds either way, which a few misplaced keypoints do not turn.
_TURN_S = 0.1
# A change of facing turns signs around: gradually, in so many seconds, as nobody turns round at once.
_TURN_ROUND_S = 0.3
# Hips that look nearer to each other than this share of the trunk are seen from the side, where their line is noise.
_LEAST_HIPS = 0.15


@dataclass(frozen=True)
class BodyAngles:
    """One person's angles over time.

    Attributes:
        names: A names, such as `left_knee` or `trunk`.
        degrees: [T, A]; NaN where a keypoint is missing or unsure.
        scores: [T, A] the lowest score of the keypoints, 0..1; NaN where `degrees` is.
        facing: Where the person faces.
    """

    names: tuple[str, ...]
    degrees: np.ndarray
    scores: np.ndarray
    facing: Facing

    def column(self, name: str) -> np.ndarray:
        """Degrees [T] of one angle; raises ValueError for a name that is not in `names`."""
        return np.asarray(self.degrees[:, self.names.index(name)])


def angle_names(skeleton: Skeleton) -> tuple[str, ...]:
    """The angles that a keypoint set allows: joints from the ankle upwards, then trunk, pelvis and limb segments."""
    return tuple(_parts(skeleton))


def body_angles(
    keypoints: np.ndarray, skeleton: Skeleton, times: np.ndarray, min_score: float = MIN_SCORE
) -> BodyAngles:
    """One person's joint and segment angles in the plane of the picture.

    Joints are 0° in neutral stance and positive in flexion: ankle (dorsiflexion), knee, hip, shoulder (180° overhead)
    and elbow. Segments are 0° upright (the foot: level) and positive where the upper end of trunk or shank is in front
    of the lower one, the lower end of the thigh in front of the upper one, and the toes are above the heel. The pelvis
    is positive where the left hip is higher than the right one. In front is where the person faces; of somebody seen
    from the front or from behind it is outwards, for the trunk to the person's left.

    Args:
        keypoints: [T, K, 3]: x, y in pixels (y down), score 0..1; NaN where there is none.
        skeleton: Names the K keypoints.
        times: [T] seconds, rising.
        min_score: A keypoint below it is not used.

    Returns:
        The angles of `angle_names`.
    """
    points = np.asarray(keypoints, dtype=np.float64)
    seen = (points[..., 2] >= min_score) & np.isfinite(points[..., :2]).all(-1)
    places = np.where(seen[..., None], points[..., :2], np.nan)
    where = facing(places, skeleton, times)
    as_shown, mirrored = (_turns(places * (side, 1), skeleton) for side in (1, -1))
    parts = _parts(skeleton)
    degrees = np.full((len(points), len(parts)), np.nan)
    scores = np.full_like(degrees, np.nan)
    for column, (name, used) in enumerate(parts.items()):
        if name == "pelvis":
            degrees[:, column] = _pelvis(places, skeleton)
        else:
            degrees[:, column] = _signed(name, as_shown[name], mirrored[name], where, times)
        scores[:, column] = np.where(np.isfinite(degrees[:, column]), _lowest(points, seen, used), np.nan)
    return BodyAngles(tuple(parts), degrees, scores, where)


def _signed(name: str, as_shown: np.ndarray, mirrored: np.ndarray, where: Facing, times: np.ndarray) -> np.ndarray:
    """Degrees [T] of an angle, by its turns [T] for somebody who faces right, as shown and mirrored."""
    side, _, part = name.rpartition("_")
    signs = where.sign(side or "left")
    if part in _FACING_WEIGHT:
        bend = np.clip(np.degrees(np.angle(as_shown)) / _CLEAR_FLEXION, -1, 1)
        evidence = np.nan_to_num(bend) + _FACING_WEIGHT[part] * where.profile * signs
        signs = 1 - 2 * steady(np.stack([evidence, -evidence], -1), times)
    least = _LEAST.get(part, _LEAST_ELSEWHERE)
    both = {1: _in_degrees(as_shown, times, part, least), -1: _in_degrees(mirrored, times, part, least)}
    degrees = both[int(signs[0])] if len(signs) else both[1]
    for change in np.flatnonzero(np.diff(signs)) + 1:
        other = both[int(signs[change])]
        middle = (times[change - 1] + times[change]) / 2
        share = np.clip((times - middle) / _TURN_ROUND_S + 0.5, 0, 1)
        degrees = (1 - share) * degrees + share * (other + 360 * _turns_between(degrees, other, change, least))
    return degrees


def _turns_between(degrees: np.ndarray, other: np.ndarray, change: np.intp, least: float) -> float:
    """How many whole turns `other` [T] is behind `degrees` [T] at frame `change`."""
    known = np.flatnonzero(np.isfinite(degrees))
    if not len(known):
        return 0.0
    nearest = known[np.argmin(np.abs(known - change))]
    return float(np.floor((degrees[nearest] - least) / 360) - np.floor((other[nearest] - least) / 360))


def _in_degrees(turn: np.ndarray, times: np.ndarray, part: str, least: float) -> np.ndarray:
    """Degrees [T] of turns [T] of one sign."""
    if part in _ENDLESS:
        return _continuous(turn, times, least)
    degrees = least + np.mod(np.degrees(np.angle(turn)) - least, 360)
    return np.where(degrees < _MOST_BACK, -degrees, degrees) if part in _FACING_WEIGHT else degrees


def _parts(skeleton: Skeleton) -> dict[str, list[int]]:
    """For each angle the positions of its keypoints; those that the set lacks are left out."""
    both = {name: [f"{side}_{part}" for side in SIDES for part in parts] for name, parts in _MIDDLE.items()}
    joints = {f"{side}_{joint}": [f"{side}_{p}" for p in parts] for joint, parts in JOINTS.items() for side in SIDES}
    limbs = {f"{side}_{limb}": [f"{side}_{p}" for p in parts] for limb, parts in SEGMENTS.items() for side in SIDES}
    named = {**joints, **both, **limbs}
    known = set(skeleton.keypoints)
    return {name: [skeleton.index(p) for p in parts] for name, parts in named.items() if known.issuperset(parts)}


def _turns(points: np.ndarray, skeleton: Skeleton) -> dict[str, np.ndarray]:
    """Each angle of somebody who looks to the right as a turn, a complex number [T] of length 1."""
    seen = Segments.of(points, skeleton)
    trunk = (-1j * seen.trunk).conj()
    turns = {"trunk": trunk}
    for side in SIDES:
        # A limb's lower end in front is a turn to the left of upright, a trunk's or shank's upper end to the right.
        thigh, shank, arm, forearm = (-1j * seen.limbs[f"{side}_{name}"] for name in LIMBS)
        foot = segment(points, skeleton, f"{side}_heel", f"{side}_big_toe")
        turns |= {f"{side}_thigh": thigh, f"{side}_shank": shank.conj(), f"{side}_foot": foot}
        turns |= {f"{side}_hip": thigh * trunk, f"{side}_knee": thigh * shank.conj()}
        turns |= {f"{side}_ankle": shank.conj() * foot, f"{side}_shoulder": arm * trunk}
        turns |= {f"{side}_elbow": forearm * arm.conj()}
    return turns


def _continuous(turn: np.ndarray, times: np.ndarray, least: float) -> np.ndarray:
    """Degrees [T] of turns [T] that go on and on instead of jumping; the first is within 360° from `least` on."""
    degrees = np.full(len(turn), np.nan)
    there = np.isfinite(turn)
    known, at = turn[there], times[there]
    if len(known):
        first, last = np.searchsorted(at, at - _TURN_S, "left"), np.searchsorted(at, at + _TURN_S, "right")
        total = np.concatenate([[0], np.cumsum(known)])
        mean = total[last] - total[first]
        mean = np.where(np.abs(mean) > 1e-6, mean, known)
        counted = np.degrees(np.unwrap(np.angle(mean)))
        begin = 360 * np.floor((counted[0] - least) / 360)
        degrees[there] = counted - begin + np.degrees(np.angle(known * mean.conj()))
    return degrees


def _pelvis(points: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """How much higher the left hip is, in degrees from level [T]; NaN seen from the side."""
    hips = segment(points, skeleton, "right_hip", "left_hip", unit=False)
    sides = [np.abs(segment(points, skeleton, f"{side}_hip", f"{side}_shoulder", unit=False)) for side in SIDES]
    trunk = np.fmax(*sides)
    apart = np.abs(hips) >= _LEAST_HIPS * np.where(np.isfinite(trunk), trunk, 0)
    return np.where(apart, np.degrees(np.arctan2(hips.imag, np.abs(hips.real))), np.nan)


def _lowest(points: np.ndarray, seen: np.ndarray, used: list[int]) -> np.ndarray:
    """The lowest score [T] of the keypoints that were used; the trunk may do without those of one side."""
    scores = np.where(seen[:, used], points[:, used, 2], np.inf).min(1)
    return np.where(np.isfinite(scores), scores, np.nan)
