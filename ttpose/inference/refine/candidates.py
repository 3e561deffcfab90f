"""Candidate positions of each limb joint of a clip, and the features by which boosted trees score them.

The highest peak of a heatmap is often wrong where another peak, the mirror joint's position, the plain view alone, a
line through the neighbouring frames or a second network is right. What tells them apart is not one number but many
small ones: how high the peaks are, where the limb was just before and after, how long it would become.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ttpose.core.skeleton import Skeleton, torso_lengths
from ttpose.inference.prediction import TTAPrediction

# A candidate nearer to the keypoint than this, in torsos, is the same position.
_SAME = 0.1
# Frames further apart than this say nothing about each other.
_REACH_S = 0.5
_NEIGHBOURS = (-3, -2, -1, 1, 2, 3)
# The line through neighbouring frames: frames on either side, the score that counts nothing, and how fast trust fades.
_LINE_FRAMES, _LINE_SCORE, _LINE_FADE_S = 4, 0.15, 0.06
#: So many frames on either side say something about a frame.
NEIGHBOURHOOD = max(_LINE_FRAMES, *_NEIGHBOURS)
# A limb's own length is a high quantile of what is seen: perspective only ever shortens it.
_LIMB_QUANTILE = 0.7

#: Numbers of the kinds of places that no peak belongs to: the mirror's place, the line through neighbouring frames.
MIRROR_AND_LINE = (1, 2)

#: Joints that candidates are made for, and for each the part that it hangs on and the one that hangs on it.
PARTS = {
    "shoulder": ("hip", "elbow"),
    "elbow": ("shoulder", "wrist"),
    "wrist": ("elbow", "elbow"),
    "hip": ("shoulder", "knee"),
    "knee": ("hip", "ankle"),
    "ankle": ("knee", "knee"),
}


@dataclass(frozen=True)
class Candidates:
    """Candidate positions of the L limb joints of N frames; the first one is the keypoint as it is.

    Attributes:
        joints: [L] numbers of the joints in the keypoint set.
        positions: [N, L, C, 2] pixels.
        scores: [N, L, C] heatmap values, 0 where none belongs to the candidate.
        worth: bool [N, L, C]: the keypoint itself, and positions that differ from it; a peak that the map does not have
            is none.
        features: float32 [N, L, C, F], NaN where unknown.
        torso: Length of the torso, pixels.
    """

    joints: np.ndarray
    positions: np.ndarray
    scores: np.ndarray
    worth: np.ndarray
    features: np.ndarray
    torso: float


def limb_joints(skeleton: Skeleton) -> list[int]:
    """The joints of arms and legs; empty where the keypoint set lacks one of them."""
    names = [f"{side}_{part}" for part in PARTS for side in ("left", "right")]
    return [skeleton.index(name) for name in names] if set(names) <= set(skeleton.keypoints) else []


def candidates(seen: TTAPrediction, times: np.ndarray, skeleton: Skeleton) -> Candidates:
    """Gather candidates and their features.

    Args:
        seen: Of N frames in order of time, left/right corrected.
        times: [N] seconds.
        skeleton: A keypoint set with all `limb_joints`.
    """
    joints, mirror = np.array(limb_joints(skeleton)), np.array(skeleton.flip)
    found, score = seen.keypoints[..., :2], seen.keypoints[..., 2]
    line, support = _line_through_neighbours(found, score, times)
    nothing = np.zeros_like(score)[..., None]
    alone = [seen.single_view_keypoints, seen.single_view_keypoints[:, mirror]]
    positions = [found, found[:, mirror], line, *np.moveaxis(seen.peaks[..., :2], 2, 0), *(a[..., :2] for a in alone)]
    values = [score[..., None], nothing, nothing, seen.peaks[..., 2], *(a[..., 2:] for a in alone)]
    if seen.ensemble is not None:
        # Where it is not known it is the keypoint's own position, and so none.
        positions.append(np.where(np.isnan(seen.ensemble[..., :2]), found, seen.ensemble[..., :2]))
        values.append(np.nan_to_num(seen.ensemble[..., 2:3]))
    at, value = np.stack(positions, 2)[:, joints], np.concatenate(values, 2)[:, joints]
    size = _torso(found, skeleton)
    worth = np.linalg.norm(at - at[:, :, :1], axis=-1) / size > _SAME
    peaks = slice(3, 3 + seen.peaks.shape[2])  # after the keypoint's, the mirror's and the line's position
    worth[:, :, peaks] &= value[:, :, peaks] > 0  # a map may have fewer
    worth[:, :, 0] = True
    features = [
        *_of_the_maps(seen, joints, mirror, value),
        *_of_the_body(at, found, score, skeleton, joints, size),
        *_of_the_distances(at, seen, line[:, joints], support[:, joints], joints, mirror, size),
        *_of_the_neighbours(at, found, score, times, joints, mirror, size),
        *_of_the_box(at, seen.boxes, size),
    ]
    if seen.ensemble is not None:
        features += _of_the_ensemble(at, seen.ensemble, found, joints, mirror, size)
    together = np.stack(np.broadcast_arrays(*features), -1).astype(np.float32)
    return Candidates(joints, at, value, worth, together, size)


def _of_the_maps(seen: TTAPrediction, joints: np.ndarray, mirror: np.ndarray, value: np.ndarray) -> list[np.ndarray]:
    """Heights of peaks, odds of sides, agreement of views, and what kind of candidate it is."""
    score, alone = seen.keypoints[..., 2], seen.single_view_keypoints[..., 2]
    height = seen.peaks[..., 2][:, joints]
    kinds = value.shape[-1]
    of_frame = [
        score[:, joints],
        seen.side_odds[:, joints],
        seen.spread[:, joints],
        score[:, mirror[joints]],
        alone[:, joints],
        height[..., 1] / (height[..., 0] + 0.05),
        np.broadcast_to(np.median(score[:, joints], 1, keepdims=True), (len(score), len(joints))),
    ]
    part = np.broadcast_to(np.arange(len(joints)) // 2, value.shape[:2])
    kind = np.broadcast_to(np.arange(kinds), value.shape)
    return [value, value / (score[:, joints, None] + 0.05), kind, *(f[..., None] for f in (part, *of_frame))]


def _of_the_body(
    at: np.ndarray, found: np.ndarray, score: np.ndarray, skeleton: Skeleton, joints: np.ndarray, size: float
) -> list[np.ndarray]:
    """Lengths of the limbs that would end there in shares of their own, and the position seen from the torso."""
    out = []
    for end in (0, 1):
        other = np.array([_joined(skeleton, int(joint), end) for joint in joints])
        length = np.linalg.norm(found[:, joints] - found[:, other], axis=-1)
        own = _weighted_quantile(length, score[:, joints] * score[:, other])
        own = own.reshape(-1, 2).mean(1).repeat(2)  # left and right are equally long
        out.append(np.linalg.norm(at - found[:, other][:, :, None], axis=-1) / np.maximum(own, 0.1 * size)[:, None])
        out.append(score[:, other][..., None])
    left = {part: found[:, skeleton.index(f"left_{part}")] for part in ("shoulder", "hip")}
    right = {part: found[:, skeleton.index(f"right_{part}")] for part in ("shoulder", "hip")}
    top, bottom = (left["shoulder"] + right["shoulder"]) / 2, (left["hip"] + right["hip"]) / 2
    up = (top - bottom) / (np.linalg.norm(top - bottom, axis=-1, keepdims=True) + 1e-6)
    across = np.stack([-up[:, 1], up[:, 0]], -1)
    to = (at - ((top + bottom) / 2)[:, None, None]) / size
    side = np.where(np.arange(len(joints)) % 2 == 0, 1.0, -1.0)[:, None]
    facing = ((left["shoulder"] - right["shoulder"]) * across).sum(-1) / size
    outwards = (to * across[:, None, None]).sum(-1) * side
    return [*out, (to * up[:, None, None]).sum(-1), outwards, facing[:, None, None]]


def _of_the_distances(
    at: np.ndarray,
    seen: TTAPrediction,
    line: np.ndarray,
    support: np.ndarray,
    joints: np.ndarray,
    mirror: np.ndarray,
    size: float,
) -> list[np.ndarray]:
    """How far the position is from the other positions, in torsos."""
    others = (
        seen.keypoints[:, joints, :2],
        seen.keypoints[:, mirror[joints], :2],
        seen.single_view_keypoints[:, joints, :2],
        seen.single_view_keypoints[:, mirror[joints], :2],
        line,
    )
    return [*(np.linalg.norm(at - other[:, :, None], axis=-1) / size for other in others), support[..., None]]


def _of_the_neighbours(
    at: np.ndarray,
    found: np.ndarray,
    score: np.ndarray,
    times: np.ndarray,
    joints: np.ndarray,
    mirror: np.ndarray,
    size: float,
) -> list[np.ndarray]:
    """How far the position is from where the joint, or its mirror, was in the frames around, and how sure that was."""
    out, frames = [], np.arange(len(times))
    for step in _NEIGHBOURS:
        there = np.clip(frames + step, 0, len(times) - 1)
        gap = np.abs(times[there] - times)
        known = ((frames + step == there) & (gap <= _REACH_S))[:, None, None]
        which = [(joints, True), (mirror[joints], False)] if abs(step) == 1 else [(joints, True)]
        for numbers, with_score in which:
            moved = np.linalg.norm(at - found[there][:, numbers][:, :, None], axis=-1) / size
            out.append(np.where(known, moved, np.nan))
            if with_score:
                out.append(np.where(known, score[there][:, numbers][..., None], np.nan))
    return out


def _of_the_box(at: np.ndarray, boxes: np.ndarray, size: float) -> list[np.ndarray]:
    """How far from the middle of the person's box, in its widths or heights, and how far beyond its edges, in torsos.

    Other people stand there. A box says the same of a person who lies as of one who stands.
    """
    half = np.maximum(boxes[:, 2:] / 2, 0.5)
    away = np.abs(at - (boxes[:, :2] + boxes[:, 2:] / 2)[:, None, None])
    half = half[:, None, None]
    return [(away / (2 * half)).max(-1), np.maximum(away - half, 0).max(-1) / size]


def _of_the_ensemble(
    at: np.ndarray, ensemble: np.ndarray, found: np.ndarray, joints: np.ndarray, mirror: np.ndarray, size: float
) -> list[np.ndarray]:
    """How far the position is from where another network sees the joint or its mirror; how far the two networks agree.

    They agree on a limb's names where its joints are nearer to the other network's own than to their mirrors.
    """
    point, visible, apart = ensemble[..., :2], ensemble[:, joints, 2], ensemble[:, joints, 3] / size
    own = np.linalg.norm(found[:, joints] - point[:, joints], axis=-1) / size
    other = np.linalg.norm(found[:, joints] - point[:, mirror[joints]], axis=-1) / size
    nearer = np.clip(other - own, -1, 1).reshape(len(at), 2, -1)  # arms, legs
    agreed = nearer.mean(2, keepdims=True).repeat(nearer.shape[2], 2).reshape(own.shape)
    off = np.broadcast_to(np.clip(own, 0, 1).mean(1, keepdims=True), own.shape)
    to = [np.linalg.norm(at - point[:, which][:, :, None], axis=-1) / size for which in (joints, mirror[joints])]
    return [*to, *(fact[..., None] for fact in (apart, visible, agreed, off))]


def _line_through_neighbours(found: np.ndarray, score: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where a line through the frames around, without the frame itself, leads: [N, K, 2], and its support [N, K]."""
    line, support = found.copy(), np.zeros_like(score)
    for frame in range(len(times)):
        near = [i for i in range(frame - _LINE_FRAMES, frame + _LINE_FRAMES + 1) if 0 <= i < len(times) and i != frame]
        away = times[near] - times[frame]
        near, away = np.array(near, int)[np.abs(away) <= _REACH_S], away[np.abs(away) <= _REACH_S]
        if not len(near):
            continue
        trust = np.clip(score[near] - _LINE_SCORE, 0, 1) * np.exp(-np.abs(away) / _LINE_FADE_S)[:, None] + 1e-6
        total = trust.sum(0)
        mean_time = (trust * away[:, None]).sum(0) / total
        mean_position = (trust[..., None] * found[near]).sum(0) / total[:, None]
        off = away[:, None] - mean_time
        varied = (trust * off**2).sum(0) / total
        together = (trust[..., None] * off[..., None] * (found[near] - mean_position)).sum(0) / total[:, None]
        # The small number keeps the slope from one or two frames near zero.
        line[frame] = mean_position - together / (varied[:, None] + 2e-4) * mean_time[:, None]
        support[frame] = total
    return line, support


def _weighted_quantile(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """[L] of values and weights [N, L]."""
    order = values.argsort(0)
    share = np.take_along_axis(weights, order, 0).cumsum(0)
    at = (share < _LIMB_QUANTILE * share[-1:]).sum(0).clip(max=len(values) - 1)
    return np.asarray(np.take_along_axis(values, order, 0)[at, np.arange(values.shape[1])])


def _joined(skeleton: Skeleton, joint: int, end: int) -> int:
    side, part = skeleton.keypoints[joint].split("_")
    return skeleton.index(f"{side}_{PARTS[part][end]}")


def _torso(found: np.ndarray, skeleton: Skeleton) -> float:
    """Median distance of mid-shoulder to mid-hip, pixels; a torso seen from its end counts as a share of the body."""
    joints = limb_joints(skeleton)
    extent = np.median((found[:, joints].max(1) - found[:, joints].min(1)).max(-1))
    return float(max(np.median(torso_lengths(found, skeleton)), 0.15 * extent, 1e-3))
