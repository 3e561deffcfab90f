"""Keypoint sets: names, flip pairs, limbs, per-keypoint OKS sigmas, and the way from one set to another."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Skeleton:
    """A named keypoint set.

    Attributes:
        name: Short name, stored in files.
        keypoints: Names in order, `left_` and `right_` as the person's own sides.
        limbs: Pairs of keypoint indices to draw and to measure.
        sigmas: OKS standard deviation of each keypoint in shares of the person's scale.
    """

    name: str
    keypoints: tuple[str, ...]
    limbs: tuple[tuple[int, int], ...]
    sigmas: tuple[float, ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.keypoints)

    @property
    def flip(self) -> tuple[int, ...]:
        """For each keypoint the index of its mirror image."""
        return tuple(self.keypoints.index(_other_side(name)) for name in self.keypoints)

    def index(self, name: str) -> int:
        """Position of a keypoint by name; raises ValueError if the set has none of that name."""
        return self.keypoints.index(name)


def _other_side(name: str) -> str:
    if name.startswith("left_"):
        return "right_" + name[5:]
    if name.startswith("right_"):
        return "left_" + name[6:]
    return name


# Standard deviations of COCO's annotators (cocodataset.org/#keypoints-eval), for feet those of COCO-WholeBody's, both
# sides' mean; points that neither labels take the value of the nearest body part they do.
_SIGMAS = {
    "nose": 0.026, "eye": 0.025, "ear": 0.035, "shoulder": 0.079, "elbow": 0.072, "wrist": 0.062,
    "hip": 0.107, "knee": 0.087, "ankle": 0.089, "head": 0.079, "head_top": 0.079, "neck": 0.079,
    "pelvis": 0.107, "spine": 0.107, "thorax": 0.079, "big_toe": 0.080, "heel": 0.080,
}  # fmt: skip


def _skeleton(name: str, keypoints: tuple[str, ...], limbs: tuple[tuple[str, str], ...]) -> Skeleton:
    sigmas = tuple(_SIGMAS[point.removeprefix("left_").removeprefix("right_")] for point in keypoints)
    return Skeleton(name, keypoints, tuple((keypoints.index(a), keypoints.index(b)) for a, b in limbs), sigmas)


_ARMS = (
    ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
    ("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist"),
)  # fmt: skip
_LEGS = (
    ("left_hip", "left_knee"), ("left_knee", "left_ankle"), ("right_hip", "right_knee"), ("right_knee", "right_ankle"),
)  # fmt: skip
_TRUNK = (
    ("left_shoulder", "right_shoulder"), ("left_hip", "right_hip"),
    ("left_shoulder", "left_hip"), ("right_shoulder", "right_hip"),
)  # fmt: skip
_FACE = (("nose", "left_eye"), ("nose", "right_eye"), ("left_eye", "left_ear"), ("right_eye", "right_ear"))

#: COCO keypoints, 17 points; the set of the shipped model.
COCO17 = _skeleton(
    "coco17",
    (
        "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder",
        "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip",
        "left_knee", "right_knee", "left_ankle", "right_ankle",
    ),
    (*_FACE, *_TRUNK, *_ARMS, *_LEGS),
)  # fmt: skip

#: Points of the feet, named as in HALPE-26 and OpenPose's BODY_25.
FEET = ("left_big_toe", "right_big_toe", "left_heel", "right_heel")

#: COCO's keypoints in their order, then those of the feet: 21 points. What two networks say together.
COCO17_FEET = _skeleton(
    "coco17_feet",
    (*COCO17.keypoints, *FEET),
    (
        *_FACE, *_TRUNK, *_ARMS, *_LEGS,
        ("left_ankle", "left_heel"), ("left_heel", "left_big_toe"), ("left_ankle", "left_big_toe"),
        ("right_ankle", "right_heel"), ("right_heel", "right_big_toe"), ("right_ankle", "right_big_toe"),
    ),
)  # fmt: skip

#: Penn Action, 13 points (TTP paper, section 4).
PENN13 = _skeleton(
    "penn13",
    (
        "head", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
        "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
    ),
    (("head", "left_shoulder"), ("head", "right_shoulder"), *_TRUNK, *_ARMS, *_LEGS),
)  # fmt: skip

#: BBC Pose, 7 upper-body points (Charles et al. 2013), in that dataset's order.
BBC7 = _skeleton(
    "bbc7",
    ("head", "right_wrist", "left_wrist", "right_elbow", "left_elbow", "right_shoulder", "left_shoulder"),
    (("head", "left_shoulder"), ("head", "right_shoulder"), ("left_shoulder", "right_shoulder"), *_ARMS),
)

#: Human3.6M, 16 points in the common MPII-like order of 2D work on it.
H36M16 = _skeleton(
    "h36m16",
    (
        "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "pelvis", "thorax",
        "neck", "head_top", "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow",
        "left_wrist",
    ),
    (
        ("head_top", "neck"), ("neck", "thorax"), ("thorax", "pelvis"), ("pelvis", "left_hip"), ("pelvis", "right_hip"),
        ("thorax", "left_shoulder"), ("thorax", "right_shoulder"), *_ARMS, *_LEGS,
    ),
)  # fmt: skip

#: Leeds Sports Pose, 14 points.
LSP14 = _skeleton(
    "lsp14",
    (
        "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist", "right_elbow",
        "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "neck", "head_top",
    ),
    (("head_top", "neck"), ("neck", "left_shoulder"), ("neck", "right_shoulder"), *_TRUNK[1:], *_ARMS, *_LEGS),
)  # fmt: skip


def torso_lengths(points: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Distance of mid-shoulder to mid-hip [N] of keypoints [N, K, 2 or more]."""
    shoulders, hips = (
        points[:, [skeleton.index(f"left_{part}"), skeleton.index(f"right_{part}")], :2].mean(1)
        for part in ("shoulder", "hip")
    )
    return np.asarray(np.linalg.norm(shoulders - hips, axis=-1))


def skeleton_named(name: str) -> Skeleton:
    """Look a keypoint set up by its short name; raises KeyError for a name that no set has."""
    return {s.name: s for s in (COCO17, COCO17_FEET, PENN13, BBC7, H36M16, LSP14)}[name]


def in_skeleton(keypoints: np.ndarray, source: Skeleton, target: Skeleton) -> np.ndarray:
    """Keypoints [..., K_source, 3] of the same names in another set [..., K_target, 3]; NaN, score 0, for the others.

    Other than `convert` it derives nothing.
    """
    out = np.full((*keypoints.shape[:-2], len(target), 3), np.nan)
    out[..., 2] = 0.0
    for position, name in enumerate(target.keypoints):
        if name in source.keypoints:
            out[..., position, :] = keypoints[..., source.index(name), :]
    return out


def convert(keypoints: np.ndarray, source: Skeleton, target: Skeleton) -> np.ndarray:
    """Take keypoints [..., K_source, 3] (x, y, score) to another set, by name.

    Points that the source lacks are derived where anatomy defines them (head from the ears, else the nose; neck and
    thorax half-way between the shoulders; pelvis half-way between the hips) with the lower of the parts' scores;
    what cannot be derived gets NaN coordinates and score 0.

    Returns:
        [..., K_target, 3].
    """
    out = np.full((*keypoints.shape[:-2], len(target), 3), np.nan, dtype=np.float64)
    out[..., 2] = 0.0
    for position, name in enumerate(target.keypoints):
        for parts in _other_names(name):
            if all(part in source.keypoints for part in parts):
                rows = keypoints[..., [source.index(part) for part in parts], :]
                out[..., position, :2] = rows[..., :2].mean(axis=-2)
                out[..., position, 2] = rows[..., 2].min(axis=-1)
                break
    return out


def _other_names(name: str) -> tuple[tuple[str, ...], ...]:
    """The keypoints, best first, whose mean is the keypoint `name`."""
    shoulders, hips, ears = ("left_shoulder", "right_shoulder"), ("left_hip", "right_hip"), ("left_ear", "right_ear")
    derived: dict[str, tuple[tuple[str, ...], ...]] = {
        "head": (ears, ("nose",)),
        "neck": (("thorax",), shoulders),
        "thorax": (("neck",), shoulders),
        "pelvis": (hips,),
    }
    return ((name,), *derived.get(name, ()))
