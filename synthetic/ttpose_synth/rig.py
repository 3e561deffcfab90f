"""The skeleton of the body, and how a mocap skeleton's motion is carried over to it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ttpose_synth import rotations
from ttpose_synth.motion import MotionLibrary

#: Bones that end in one of these belong to the person's left and right side, as does a joint with the prefix.
SIDES = ((".L", "l"), (".R", "r"))
# A limb: its bones from the base on, the bone where it ends, and the mocap joints at both ends.
_LIMBS = (
    (("upperarm01", "upperarm02"), "lowerarm01", "Shldr", "ForeArm"),
    (("lowerarm01", "lowerarm02"), "wrist", "ForeArm", "Hand"),
    (("upperleg01", "upperleg02"), "lowerleg01", "Thigh", "Shin"),
    (("lowerleg01", "lowerleg02"), "foot", "Shin", "Foot"),
)
_HAND = ("wrist", "finger", "metacarpal")
# Prefixes of bone names and the mocap joint that drives them; first those in the middle, then those of a side.
_MIDDLE_JOINTS = (
    (("root", "spine05", "pelvis"), "hip"), (("spine04", "spine03"), "abdomen"),
    (("spine02", "spine01", "breast"), "chest"), (("neck",), "neck"),
)  # fmt: skip
_SIDE_JOINTS = (
    (("clavicle", "shoulder01"), "Collar"), (("upperarm",), "Shldr"), (("lowerarm",), "ForeArm"), (_HAND, "Hand"),
    (("upperleg",), "Thigh"), (("lowerleg",), "Shin"), (("foot", "toe"), "Foot"),
)  # fmt: skip


@dataclass(frozen=True)
class BoneEnds:
    """Points that are means of body vertices, so that bones follow the body's shape.

    Attributes:
        index: int64 [N], vertices, point after point.
        offset: int64 [B + 1], where each point's vertices begin and end.
    """

    index: np.ndarray
    offset: np.ndarray

    def of(self, vertices: np.ndarray) -> np.ndarray:
        """The points of a body [V, 3], as [B, 3]."""
        return np.add.reduceat(vertices[self.index], self.offset[:-1]) / np.diff(self.offset)[:, None]


@dataclass(frozen=True)
class Rig:
    """Bones of the base mesh; parents come before children.

    Attributes:
        names: Of the B bones; `.L` and `.R` are the person's own sides.
        parent: Number of each bone's parent, -1 for the root.
        head_ends: For each bone the body vertices whose mean is its start.
        tail_ends: For each bone the body vertices whose mean is its end.
    """

    names: tuple[str, ...]
    parent: tuple[int, ...]
    head_ends: BoneEnds
    tail_ends: BoneEnds

    @cached_property
    def number(self) -> dict[str, int]:
        """Bone numbers by name."""
        return {name: i for i, name in enumerate(self.names)}

    def heads(self, vertices: np.ndarray) -> np.ndarray:
        """Where the bones of a body [V, 3] start, [B, 3]."""
        return self.head_ends.of(vertices)

    def tails(self, vertices: np.ndarray) -> np.ndarray:
        """Where the bones of a body [V, 3] end, [B, 3]."""
        return self.tail_ends.of(vertices)


@dataclass(frozen=True)
class Bones:
    """One person's bones, ready to be moved.

    Attributes:
        parent: As in the rig.
        head: [B, 3], starts in the rest pose, metres.
        source: int [B], the mocap joint that drives each bone.
        align: [B, 3, 3], turns each bone of this body's rest pose to the mocap skeleton's rest direction.
        fingers: (finger bone, wrist bone, rotation [3, 3]): a hand relaxed in one way for the whole clip.
        leg_length: Hip to ankle, metres; scales how far the person travels.
    """

    parent: tuple[int, ...]
    head: np.ndarray
    source: np.ndarray
    align: np.ndarray
    fingers: tuple[tuple[int, int, np.ndarray], ...]
    leg_length: float

    def pose(self, rotation: np.ndarray, root: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Carry a motion over to this body.

        Args:
            rotation: [T, J, 3, 3], world rotations of the mocap joints relative to their rest pose.
            root: [T, 3], the hips, metres.

        Returns:
            Bone rotation float32 [T, B, 3, 3] and translation float32 [T, B, 3], such that a rest point x goes to
            `rotation @ x + translation`, and the bones' starts [T, B, 3].
        """
        world = rotation[:, self.source] @ self.align
        for bone, wrist, curl in self.fingers:
            world[:, bone] = world[:, wrist] @ curl
        parent = np.maximum(self.parent, 0)
        step = np.einsum("tbij,bj->tbi", world[:, parent], self.head - self.head[parent])
        start = np.empty_like(step)
        for bone, above in enumerate(self.parent):
            start[:, bone] = root if above < 0 else start[:, above] + step[:, bone]
        translation = start - np.einsum("tbij,bj->tbi", world, self.head)
        return world.astype(np.float32), translation.astype(np.float32), start


def fit_bones(rig: Rig, motion: MotionLibrary, vertices: np.ndarray, rng: np.random.Generator) -> Bones:
    """Place the bones in a body [V, 3] and draw how far its fingers are curled."""
    head, tail = rig.heads(vertices), rig.tails(vertices)
    hip, knee, ankle = (head[rig.number[bone]] for bone in ("upperleg01.L", "lowerleg01.L", "foot.L"))
    return Bones(
        parent=rig.parent,
        head=head,
        source=np.array([motion.number[driving_joint(bone)] for bone in rig.names]),
        align=_rest_alignment(rig, motion, head),
        fingers=_relaxed_fingers(rig, rng, head, tail),
        leg_length=float(np.linalg.norm(hip - knee) + np.linalg.norm(knee - ankle)),
    )


def driving_joint(bone: str) -> str:
    """Name of the mocap joint that moves a bone; bones of the face follow the head."""
    stem, side = (bone[:-2], bone[-1].lower()) if bone.endswith((".L", ".R")) else (bone, "")
    for prefixes, joint in _MIDDLE_JOINTS:
        if stem.startswith(prefixes):
            return joint
    for prefixes, joint in _SIDE_JOINTS:
        if stem.startswith(prefixes):
            return side + joint
    return "head"


def _rest_alignment(rig: Rig, motion: MotionLibrary, head: np.ndarray) -> np.ndarray:
    align = np.tile(np.eye(3), (len(rig.names), 1, 1))
    for suffix, side in SIDES:
        for bones, end, base_joint, end_joint in _LIMBS:
            body_direction = head[rig.number[end + suffix]] - head[rig.number[bones[0] + suffix]]
            rotation = rotations.between(
                body_direction, motion.rest_of(side + end_joint) - motion.rest_of(side + base_joint)
            )
            followers = [bone + suffix for bone in bones]
            if end == "wrist":  # hands go on in the direction of the forearm
                followers += [name for name in rig.names if name.endswith(suffix) and name.startswith(_HAND)]
            align[[rig.number[name] for name in followers]] = rotation
    return align


def _relaxed_fingers(
    rig: Rig, rng: np.random.Generator, head: np.ndarray, tail: np.ndarray
) -> tuple[tuple[int, int, np.ndarray], ...]:
    """Bend the four fingers (not the thumb) about the axis across the hand, further at each segment."""
    curl = rng.uniform(0.1, 0.9)
    fingers = []
    for suffix, _ in SIDES:
        across = np.array([0.0, 0.0, -1.0 if suffix == ".L" else 1.0])
        for finger in range(2, 6):
            for segment in (1, 2, 3):
                bone = rig.number[f"finger{finger}-{segment}{suffix}"]
                along = (tail[bone] - head[bone]) / np.linalg.norm(tail[bone] - head[bone])
                axis = across - along * (across @ along)
                rotation = rotations.from_vector(axis / np.linalg.norm(axis) * curl * 0.5 * segment)
                fingers.append((bone, rig.number["wrist" + suffix], rotation))
    return tuple(fingers)
