"""Which frames to correct first: few that stand for most of what is doubtful in a result, and why, in words.

Correcting the single worst frames would tell the same several times: errors come in stretches. So frames are
chosen that stand for the most doubt together, where a frame stands for others of the same pose or the same time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ttpose.core.skeleton import COCO17, COCO17_FEET, Skeleton
from ttpose.results import KeypointResult
from ttpose.results.series import frame_times, off_straight, subject_keypoints, torso_length

#: How many frames to suggest: with five, a trial on labelled clips took a third of the errors of the other frames.
SUGGESTED = 5

# A keypoint is doubted fully at a score of 0 and not at all from here on.
_SURE = 0.6
# Distance of the single-view prediction from the result, and of a keypoint from the straight way between the frames
# around, in torso lengths: what is below counts as agreement, and twice that as full doubt. Half of PCK@0.2 (a wrong
# place by most protocols) for the first; for the second what fast swings and kicks reach at 30 frames a second.
_APART, _JUMP = 0.1, 0.25
# Doubt about a whole frame whose left and right were swapped back, as if a quarter of its keypoints were wrong.
_SWAPPED = 0.25
# What each frame counts besides its doubt, in shares of the clip's mean doubt: errors that nothing points at are as
# likely anywhere, so half of the weight goes to covering the clip.
_FLOOR, _LEAST_FLOOR = 1.0, 0.02
# Two poses are alike when their keypoints are this far apart on average, in torso lengths, after taking out the place.
_ALIKE = 0.25
# Of more frames only the most doubtful of each of so many equal parts can be chosen: the choice compares all pairs.
_MOST = 600
_NAMED = 4  # keypoints that a reason names


@dataclass(frozen=True)
class Suggestion:
    """A frame to correct.

    Attributes:
        index: Its number.
        reasons: Why, in plain words, the weightiest first.
        joints: Positions of the doubted keypoints in the skeleton, the most doubted first.
    """

    index: int
    reasons: tuple[str, ...]
    joints: tuple[int, ...]


@dataclass(frozen=True)
class Doubt:
    """How much each keypoint of each frame is doubted, 0 to 1, by three signs; all [N, K], 0 where nobody is.

    Attributes:
        unsure: By its own low score.
        apart: By the distance of the single-view prediction from the result (0 where the file does not tell).
        jumps: By the distance from the straight way between the frames around.
        swapped: Frames whose left and right were swapped back, bool [N].
        there: Frames in which somebody is, bool [N].
    """

    unsure: np.ndarray
    apart: np.ndarray
    jumps: np.ndarray
    swapped: np.ndarray
    there: np.ndarray

    @property
    def joints(self) -> np.ndarray:
        """All signs together [N, K], 0 to 1: any one of them is enough for doubt."""
        return np.asarray(1 - (1 - self.unsure) * (1 - self.apart) * (1 - self.jumps))

    @property
    def frames(self) -> np.ndarray:
        """Doubt about whole frames [N]."""
        return np.asarray(self.joints.mean(axis=1) + _SWAPPED * self.swapped) * self.there


def suggest_frames(result: KeypointResult, count: int = SUGGESTED) -> list[Suggestion]:
    """At most `count` frames to correct that together stand for the most doubt, the most doubtful of them first.

    Frames in which nobody was found are not among them. Feet do not count: nothing is learned from correcting them.
    """
    body = COCO17 if result.skeleton == COCO17_FEET else result.skeleton
    keypoints, times = subject_keypoints(result, skeleton=body), frame_times(result)
    torso = torso_length(result, keypoints)
    doubt = doubt_of(result, keypoints, times, torso)
    there = np.flatnonzero(doubt.there)
    if not len(there):
        return []
    parts = np.array_split(there, min(len(there), _MOST))
    candidates = np.array([part[doubt.frames[part].argmax()] for part in parts])
    weights = doubt.frames[candidates]
    weights = weights + max(_FLOOR * float(weights.mean()), _LEAST_FLOOR)
    alike = likeness(keypoints[candidates], times[candidates], torso, count)
    chosen = candidates[cover(weights, alike, count)]
    by_doubt = chosen[np.argsort(-doubt.frames[chosen], kind="stable")]
    return [_suggestion(int(frame), result, doubt) for frame in by_doubt]


def doubt_of(result: KeypointResult, keypoints: np.ndarray, times: np.ndarray, torso: float) -> Doubt:
    """Doubt about keypoints [N, K, 3] of a result, its first K ones, at times [N]; `torso` in pixels."""
    there = np.isfinite(keypoints[..., 0]).any(axis=1)
    unsure = np.clip(1 - keypoints[..., 2] / _SURE, 0, 1) * there[:, None]
    apart = _beyond(_disagreement(result)[:, : keypoints.shape[1]] / torso, _APART)
    jumps = _beyond(off_straight(keypoints, times) / torso, _JUMP)
    notes = [frame.note or "" for frame in result.frames]
    swapped = np.array(["swapped" in note for note in notes], bool)
    return Doubt(unsure, apart, jumps, swapped, there)


def likeness(keypoints: np.ndarray, times: np.ndarray, torso: float, count: int) -> np.ndarray:
    """How well each frame stands for each other [N, N], 0 to 1: half by the pose, half by the time.

    Args:
        keypoints: [N, K, 3].
        times: [N] seconds.
        torso: Pixels.
        count: How many frames are chosen; each stands for about that share of the clip's time.
    """
    points = keypoints[..., :2] / torso
    middle = np.nanmean(points, axis=1, keepdims=True)
    shape = np.nan_to_num(points - middle)
    apart = np.stack([np.linalg.norm(shape - each, axis=-1).mean(axis=1) for each in shape])
    span = max(float(np.ptp(times)) / (2 * count), 1e-6)
    since = np.abs(times[:, None] - times[None])
    return np.asarray(0.5 * np.exp(-0.5 * (apart / _ALIKE) ** 2) + 0.5 * np.exp(-0.5 * (since / span) ** 2))


def cover(weights: np.ndarray, alike: np.ndarray, count: int) -> list[int]:
    """Positions of `count` frames that together stand for the most weight, greedily (within 1 - 1/e of the best).

    Args:
        weights: [N], positive.
        alike: [N, N] from `likeness`.
        count: At most N are chosen.
    """
    chosen: list[int] = []
    covered = np.zeros(len(weights))
    for _ in range(min(count, len(weights))):
        gain = np.maximum(alike - covered[None], 0) @ weights
        gain[chosen] = -1
        chosen.append(int(gain.argmax()))
        covered = np.maximum(covered, alike[chosen[-1]])
    return chosen


def _suggestion(frame: int, result: KeypointResult, doubt: Doubt) -> Suggestion:
    skeleton, joints = result.skeleton, doubt.joints[frame]
    doubted = [int(k) for k in np.argsort(-joints, kind="stable") if joints[k] > 0.5]
    signs = [
        (doubt.unsure[frame], "low confidence"),
        (doubt.apart[frame], "single-view prediction and result disagree"),
        (doubt.jumps[frame], "jumps against the frames around"),
    ]
    told = [(float(sign.sum()), f"{text}: {_names(sign, skeleton)}") for sign, text in signs if (sign > 0.5).any()]
    if doubt.swapped[frame]:
        told.append((_SWAPPED * len(joints), result.frames[frame].note or "left and right were swapped"))
    reasons = [text for _, text in sorted(told, key=lambda each: -each[0])]
    index = result.frames[frame].index
    return Suggestion(
        index, tuple(reasons or ["no sign of an error; shows a pose that the others do not"]), tuple(doubted)
    )


def _names(sign: np.ndarray, skeleton: Skeleton) -> str:
    order = [k for k in np.argsort(-sign, kind="stable") if sign[k] > 0.5]
    names = [skeleton.keypoints[k].replace("_", " ") for k in order]
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def _beyond(distance: np.ndarray, agreement: float) -> np.ndarray:
    """0 up to the distance that counts as agreement, 1 from twice that on; 0 where there is none."""
    return np.clip(np.nan_to_num(distance) / agreement - 1, 0, 1)


def _disagreement(result: KeypointResult) -> np.ndarray:
    """Distances of the single-view prediction from the result [N, K] in pixels, NaN where the file does not tell."""
    found = np.full((len(result.frames), len(result.skeleton)), np.nan)
    for row, frame in zip(found, result.frames, strict=True):
        if frame.people and frame.people[0].disagreement is not None:
            row[:] = frame.people[0].disagreement
    return found
