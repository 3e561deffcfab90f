"""Ground truth: where the keypoints are, which of them can be seen, and the person's box."""

from __future__ import annotations

import numpy as np

from ttpose.core.geometry import Box
from ttpose.core.skeleton import COCO17, FEET
from ttpose_synth.person import Person
from ttpose_synth.rig import Rig

#: Points of the head beyond COCO's: half-way between ears and top, and the top of the skull.
HEAD_POINTS = ("head", "head_top")
#: All labelled points: COCO's, the head's, the feet's.
POINTS = COCO17.keypoints + HEAD_POINTS + FEET

# The bone whose start is the joint.
_JOINT_BONE = {
    "shoulder": "upperarm01", "elbow": "lowerarm01", "wrist": "wrist",
    "hip": "upperleg01", "knee": "lowerleg01", "ankle": "foot",
}  # fmt: skip
# Bones whose surface never hides the joint: the limb itself, and clothes that move with it.
_OWN_BONES: dict[str, tuple[str, ...]] = {
    "shoulder": ("clavicle", "shoulder01", "upperarm01"),
    "elbow": ("upperarm01", "upperarm02", "lowerarm01", "lowerarm02"),
    "wrist": ("lowerarm02", "wrist", "metacarpal", "finger"),
    "hip": ("pelvis", "upperleg01"),
    "knee": ("upperleg01", "upperleg02", "lowerleg01", "lowerleg02"),
    "ankle": ("lowerleg02", "foot", "toe"),
    "big_toe": ("foot", "toe"),
    "heel": ("foot", "toe"),
}
# Metres of flesh and cloth that may lie before a point, which is inside the body, until it counts as hidden.
_TOLERANCE = {
    "nose": 0.025, "eye": 0.03, "ear": 0.035, "head": 0.16, "top": 0.16, "shoulder": 0.12,
    "elbow": 0.075, "wrist": 0.06, "hip": 0.17, "knee": 0.095, "ankle": 0.085,
    "toe": 0.05, "heel": 0.06,
}  # fmt: skip
_NEAREST = 0.1  # metres, as for drawing


def points_3d(rig: Rig, person: Person, rotation: np.ndarray, translation: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Where the points are in the world, [T, points, 3] metres, for the result of `Bones.pose`."""
    points = np.empty((len(start), len(POINTS), 3))
    for i, name in enumerate(POINTS):
        side, _, joint = name.partition("_")
        if joint in _JOINT_BONE:
            points[:, i] = start[:, rig.number[_JOINT_BONE[joint] + _suffix(side)]]
        else:
            rigid, bone = (person.foot_points, "foot" + _suffix(side)) if name in FEET else (person.face_points, "head")
            number = rig.number[bone]
            points[:, i] = rotation[:, number] @ rigid[name] + translation[:, number]
    return points


def own_bones(rig: Rig) -> np.ndarray:
    """bool [points, bones]: surface that moves with this bone does not hide this point."""
    table = np.zeros((len(POINTS), len(rig.names)), bool)
    for i, name in enumerate(POINTS):
        side, _, joint = name.partition("_")
        if joint in _OWN_BONES:
            table[i] = [bone.endswith(_suffix(side)) and bone.startswith(_OWN_BONES[joint]) for bone in rig.names]
    return table


def visible_points(
    samples: np.ndarray,
    depth: np.ndarray,
    depth_buffer: np.ndarray,
    face_buffer: np.ndarray,
    face_bone: np.ndarray,
    own: np.ndarray,
) -> np.ndarray:
    """Which points can be seen past the person's own body.

    Args:
        samples: [points, 2], samples with centres at integers.
        depth: [points], metres.
        depth_buffer: [H, W], from `rasterise`.
        face_buffer: [H, W], from `rasterise`.
        face_bone: int [F], the bone that moves a face.
        own: From `own_bones`.

    Returns:
        bool [points]; False outside the picture.
    """
    height, width = depth_buffer.shape
    seen = np.zeros(len(samples), bool)
    for i, (x, y) in enumerate(np.floor(samples + 0.5).astype(int)):
        if not (0 <= x < width and 0 <= y < height) or depth[i] < _NEAREST:
            continue
        around = depth_buffer[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
        drawn = around[around > 0]
        # The farthest surface near the point decides: beside an edge the point is seen past it.
        farthest = 1 / drawn.min() if drawn.size else np.inf
        face = face_buffer[y, x]
        is_own = face >= 0 and own[i, face_bone[face]]
        seen[i] = is_own or farthest >= depth[i] - _TOLERANCE[POINTS[i].split("_")[-1]]
    return seen


def inside(points: np.ndarray, size: int) -> np.ndarray:
    """bool [...]: which points [..., 2] lie on a picture of the given side."""
    return np.all((points >= -0.5) & (points < size - 0.5), axis=-1)


def box_of(mask: np.ndarray) -> Box:
    """Tight box around a mask uint8 [H, W] where it is at least half covered; the whole picture if nowhere."""
    rows, columns = np.flatnonzero((mask > 127).any(1)), np.flatnonzero((mask > 127).any(0))
    if not len(rows):
        return Box(-0.5, -0.5, float(mask.shape[1]), float(mask.shape[0]))
    x, y = float(columns[0]) - 0.5, float(rows[0]) - 0.5
    return Box(x, y, float(columns[-1] - columns[0] + 1), float(rows[-1] - rows[0] + 1))


def _suffix(side: str) -> str:
    return ".L" if side == "left" else ".R"
