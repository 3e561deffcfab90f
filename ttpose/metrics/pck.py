"""How good keypoints are: PCK as each dataset defines it, and means with bootstrap intervals.

Arrays are numpy in pixels. Labels are [..., 3]: x, y and visibility (2 visible, 1 hidden but labelled, 0 missing).
What cannot be measured is NaN, never a division by zero, and is counted.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Average = Literal["counts", "joints"]

_SHOULDERS = ("left_shoulder", "right_shoulder")
_HIPS = ("left_hip", "right_hip")
# The two ends of the length that distances are divided by; an end is the mean of its joints.
_ENDS = {"torso": (_SHOULDERS, _HIPS), "neck": (("neck",), _HIPS)}


@dataclass(frozen=True)
class PckRule:
    """When a joint counts as right, and which joints count.

    Attributes:
        name: Short name, stored in reports.
        threshold: Largest distance of a right joint, in reference lengths or (reference "pixels") in pixels.
        reference: "torso" (mid-shoulder to mid-hip of the frame), "neck" (neck to mid-hip) or "pixels".
        visible_only: Count joints of visibility 2 only, else all labelled ones.
        average: The mean weights joints by how often they were counted ("counts") or equally ("joints").
        floor: A frame's reference length is at least this share of the clip's median, so that a torso seen from
            above or foreshortened does not turn small errors into misses.
        resolution: Size of the picture in which pixels are counted over the size of the frames.
    """

    name: str
    threshold: float = 0.2
    reference: Literal["torso", "neck", "pixels"] = "torso"
    visible_only: bool = False
    average: Average = "counts"
    floor: float = 0.0
    resolution: float = 1.0


#: Penn Action as in the TTP paper: PCK@0.2 of the torso, visible joints, weighted by visible counts.
PENN_RULE = PckRule("penn", visible_only=True)
#: Human3.6M as in the TTP paper: PCK@0.2 of neck to mid-hip, all joints.
H36M_RULE = PckRule("h36m", reference="neck")
#: BBC Pose: within 6 pixels of the frame at half size. For frames that were extracted at half size, resolution is 1.
BBC_RULE = PckRule("bbc", threshold=6.0, reference="pixels", resolution=0.5)
#: Labelled clips of one person: all labelled joints; 0.7 leaves upright frames as they are.
CLIP_RULE = PckRule("clip", floor=0.7)

#: Rendered people: Penn Action's, with the floor that labelled clips have.
RENDERED_RULE = PckRule("rendered", visible_only=True, floor=0.7)


@dataclass(frozen=True)
class Measured:
    """Distances of predictions to labels.

    Attributes:
        distances: float64 [T, K] in reference lengths (pixels of the rule's picture for "pixels"); NaN where the
            joint is not counted, infinite where it is but the prediction has no position.
        without_labels: Frames skipped because no joint counts.
        without_length: Frames skipped because a joint that the reference length needs is not labelled, or because
            the length is zero.
    """

    distances: np.ndarray
    without_labels: int
    without_length: int

    def tally(self, threshold: float) -> Tally:
        """Count right joints: those at most `threshold` away."""
        counted = ~np.isnan(self.distances)
        right = counted & (np.where(counted, self.distances, np.inf) <= threshold)
        return Tally(right.sum(0), counted.sum(0))


@dataclass(frozen=True)
class Tally:
    """How often each of K joints was right, and how often it was counted; tallies of several clips add up."""

    right: np.ndarray
    counted: np.ndarray

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.right + other.right, self.counted + other.counted)

    @property
    def per_joint(self) -> np.ndarray:
        """Share of right ones per joint, float64 [K]; NaN for a joint that was never counted."""
        return np.where(self.counted > 0, self.right / np.maximum(self.counted, 1), np.nan)

    def mean(self, average: Average = "counts") -> float:
        """PCK, 0..1, over the joints that were counted; NaN if none was."""
        if not self.counted.any():
            return float("nan")
        if average == "joints":
            return float(np.nanmean(self.per_joint))
        return float(self.right.sum() / self.counted.sum())


def measure(
    predicted: np.ndarray, labels: np.ndarray, joints: Sequence[str], rule: PckRule, scored: np.ndarray | None = None
) -> Measured:
    """Distances of one clip's predictions to its labels.

    Args:
        predicted: [T, K, 2 or more]: x, y first.
        labels: [T, K, 3].
        joints: K names as in `ttpose.core.skeleton`.
        rule: What counts, and the reference length.
        scored: bool [K], the joints to count; by default all. The reference length may use the others.
    """
    counted = labels[..., 2] >= (2 if rule.visible_only else 1)
    if scored is not None:
        counted = counted & scored
    lengths = reference_lengths(labels, joints, rule)
    gaps = np.linalg.norm(predicted[..., :2] - labels[..., :2], axis=-1)
    gaps = np.where(np.isfinite(gaps), gaps, np.inf) / lengths[:, None]
    usable = np.isfinite(lengths)
    return Measured(
        distances=np.where(counted & usable[:, None], gaps, np.nan),
        without_labels=int((~counted.any(1)).sum()),
        without_length=int((counted.any(1) & ~usable).sum()),
    )


def reference_lengths(labels: np.ndarray, joints: Sequence[str], rule: PckRule) -> np.ndarray:
    """What the distances in each frame of a clip are divided by.

    Args:
        labels: [T, K, 3].
        joints: K names.
        rule: Names the length and its floor.

    Returns:
        float64 [T] in frame pixels; NaN where the labels do not give it.
    """
    if rule.reference == "pixels":
        return np.full(len(labels), 1 / rule.resolution)
    ends = _ENDS[rule.reference]
    if any(name not in joints for end in ends for name in end):
        return np.full(len(labels), np.nan)
    first, last = ([list(joints).index(name) for name in end] for end in ends)
    lengths = np.linalg.norm(labels[:, first, :2].mean(1) - labels[:, last, :2].mean(1), axis=-1)
    usable = (labels[:, first + last, 2] > 0).all(1) & np.isfinite(lengths) & (lengths > 0)
    floor = rule.floor * float(np.median(lengths[usable])) if usable.any() else 0.0
    return np.where(usable, np.maximum(lengths, floor), np.nan)


def by_name(predicted: np.ndarray, predicted_joints: Sequence[str], joints: Sequence[str]) -> np.ndarray:
    """Reorder predictions [T, J, C] to the label's joints [T, K, C] by name; NaN where the prediction lacks one."""
    out = np.full((len(predicted), len(joints), predicted.shape[2]), np.nan)
    for column, name in enumerate(joints):
        if name in predicted_joints:
            out[:, column] = predicted[:, list(predicted_joints).index(name)]
    return out


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % bootstrap interval; low and high are NaN for fewer than two values."""

    mean: float
    low: float
    high: float
    count: int


def bootstrap_mean(values: Sequence[float] | np.ndarray, *, seed: int = 0, repeats: int = 10_000) -> Interval:
    """The mean over persons (or clips) and its 95 % percentile bootstrap interval.

    Args:
        values: One number each; NaN ones are left out.
        seed: Of the resampling.
        repeats: Resamples; 10,000 settle the interval's ends to about a hundredth of its width.
    """
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    nan = float("nan")
    if known.size < 2:
        return Interval(float(known[0]) if known.size else nan, nan, nan, known.size)
    random = np.random.default_rng(seed)
    means = [known[random.integers(known.size, size=known.size)].mean() for _ in range(repeats)]
    low, high = np.percentile(means, (2.5, 97.5))
    return Interval(float(known.mean()), float(low), float(high), known.size)


def group_means(values: Sequence[float], groups: Sequence[Hashable]) -> dict[Hashable, float]:
    """The mean value of each group (such as a person's clips), in order of first appearance; NaN values left out."""
    together: dict[Hashable, list[float]] = {}
    for value, group in zip(values, groups, strict=True):
        together.setdefault(group, [])
        if np.isfinite(value):
            together[group].append(value)
    return {group: float(np.mean(known)) if known else float("nan") for group, known in together.items()}
