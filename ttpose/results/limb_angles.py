"""The angle between the two limbs that meet at a joint, as seen in the picture: without a sign, 180° where straight.

`ttpose.results.angles` has the angles that files and pages show: flexion, 0° in neutral stance.
"""

from __future__ import annotations

import numpy as np

from ttpose.core.skeleton import Skeleton
from ttpose.results.angles import MIN_SCORE

# The two neighbours between which the angle at a joint is measured.
_NEIGHBOURS = {
    "knee": ("hip", "ankle"),
    "hip": ("shoulder", "knee"),
    "elbow": ("shoulder", "wrist"),
    "shoulder": ("hip", "elbow"),
}


def limb_angle_names(skeleton: Skeleton) -> tuple[str, ...]:
    """The joints of a keypoint set that an angle can be measured at, such as `left_knee`, knees first."""
    sides = [(side, joint) for joint in _NEIGHBOURS for side in ("left", "right")]
    needed = {f"{side}_{joint}": [f"{side}_{part}" for part in (joint, *_NEIGHBOURS[joint])] for side, joint in sides}
    return tuple(name for name, parts in needed.items() if all(part in skeleton.keypoints for part in parts))


def joint_angles(keypoints: np.ndarray, skeleton: Skeleton, min_score: float = MIN_SCORE) -> dict[str, np.ndarray]:
    """Angles between the two limbs that meet at a joint, in the plane of the picture.

    A knee or elbow is 180° when straight, a hip is 180° when trunk and thigh are in line (standing), a shoulder is
    0° when the arm hangs along the trunk and 180° when it is raised overhead. A limb that points towards the camera
    is foreshortened, and its angles are those of its picture, not of the body.

    Args:
        keypoints: [..., K, 3]: x, y in pixels, score.
        skeleton: Names the K keypoints.
        min_score: An angle with a keypoint below it is NaN.

    Returns:
        For each of `limb_angle_names`, degrees 0..180, float64 [...]; NaN where a keypoint is missing or unsure, or a
        limb has no length.
    """
    points = np.asarray(keypoints, dtype=np.float64)
    points = np.where(points[..., 2:] >= min_score, points[..., :2], np.nan)
    angles = {}
    for name in limb_angle_names(skeleton):
        side, joint = name.split("_")
        start, end = (points[..., skeleton.index(f"{side}_{part}"), :] for part in _NEIGHBOURS[joint])
        middle = points[..., skeleton.index(name), :]
        angles[name] = _between(start - middle, end - middle)
    return angles


def _between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Degrees between vectors [..., 2]; arctan2 is exact where arccos of a rounded cosine is not."""
    across = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    angle = np.degrees(np.arctan2(np.abs(across), (a * b).sum(-1)))
    has_length = (np.hypot(a[..., 0], a[..., 1]) > 0) & (np.hypot(b[..., 0], b[..., 1]) > 0)
    return np.where(has_length, angle, np.nan)
