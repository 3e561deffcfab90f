"""Motion: recorded clips, a window of one, its mirror image and a constant change of posture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ttpose_synth import rotations

# Joints that a turn of the first carries along.
_CHAINS = {
    "Shldr": ("Shldr", "ForeArm", "Hand"),
    "ForeArm": ("ForeArm", "Hand"),
    "Thigh": ("Thigh", "Shin", "Foot"),
}


@dataclass(frozen=True)
class MotionLibrary:
    """Recorded motion at 30 Hz.

    Attributes:
        joints: Names of the J mocap joints; `l` and `r` before a capital are the person's own sides.
        names: Of the clips.
        groups: Of the clips, such as `cmu`.
        rest_joint: [J, 3], joints in the rest pose (arms spread, facing +z), metres.
        quaternion: int16 [N, J, 4], w x y z / 32767: world rotation relative to the rest pose, all clips after
            one another, without a change of sign inside a clip.
        root: [N, 3], the hips, metres.
        glitch: bool [N], an implausible jump to the next frame.
        offset: int64 [clips + 1], where each clip begins and ends.
    """

    joints: tuple[str, ...]
    names: tuple[str, ...]
    groups: tuple[str, ...]
    rest_joint: np.ndarray
    quaternion: np.ndarray
    root: np.ndarray
    glitch: np.ndarray
    offset: np.ndarray

    @cached_property
    def number(self) -> dict[str, int]:
        """Joint numbers by name."""
        return {name: i for i, name in enumerate(self.joints)}

    @cached_property
    def mirror(self) -> np.ndarray:
        """int [J]: the joint on the other side, or the joint itself."""
        return np.array([self.number[_other_side(name)] for name in self.joints])

    @cached_property
    def leg_length(self) -> float:
        """Hip to ankle of the mocap skeleton, metres."""
        hip, knee, ankle = (self.rest_of(name) for name in ("lThigh", "lShin", "lFoot"))
        return float(np.linalg.norm(hip - knee) + np.linalg.norm(knee - ankle))

    def rest_of(self, joint: str) -> np.ndarray:
        """Rest position of a joint by name, [3]."""
        return self.rest_joint[self.number[joint]]

    def last(self, clip: int) -> int:
        """Number of the last frame of a clip."""
        return int(self.offset[clip + 1] - self.offset[clip]) - 1

    def sample(self, clip: int, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rotations [T, J, 3, 3] and hips [T, 3] of a clip at fractional frame numbers [T]."""
        rows = slice(int(self.offset[clip]), int(self.offset[clip + 1]))
        lower = np.clip(np.floor(times).astype(int), 0, self.last(clip) - 1)
        blend = np.clip(times - lower, 0, 1)
        q, root = self.quaternion[rows], self.root[rows]
        mixed = q[lower] * (1 - blend)[:, None, None] + q[lower + 1] * blend[:, None, None]
        return rotations.from_quaternions(mixed), root[lower] * (1 - blend)[:, None] + root[lower + 1] * blend[:, None]


@dataclass(frozen=True)
class MotionRanges:
    """How motion varies; chosen by eye on contact sheets."""

    # Recorded dance and martial arts, short actions, interpolated key poses (sitting, handstand, ...).
    group_shares: tuple[tuple[str, float], ...] = (("cmu", 0.6), ("action", 0.22), ("keypose", 0.18))
    steps: tuple[float, ...] = (0.5, 1.0, 1.0, 1.5, 2.0, 3.0)  # motion frames (1/30 s) per picture
    shortest_step: float = 0.4  # motions shorter than the clip are played this slowly, then to and fro
    window_tries: int = 20  # to find one without a glitch
    mirror_share: float = 0.5
    jitter_share: float = 0.6
    # Deviation of a constant extra turn in radians per axis: as far as a person's habits, not beyond the joints.
    jitter: tuple[tuple[str, float], ...] = (
        ("abdomen", 0.08), ("chest", 0.08), ("head", 0.2), ("lShldr", 0.25), ("rShldr", 0.25),
        ("lForeArm", 0.3), ("rForeArm", 0.3), ("lThigh", 0.12), ("rThigh", 0.12),
    )  # fmt: skip


@dataclass(frozen=True)
class MotionWindow:
    """Some moments of one recorded clip: its number, frame numbers [T], and their distance."""

    clip: int
    times: np.ndarray
    step: float


def choose_window(library: MotionLibrary, rng: np.random.Generator, frames: int, ranges: MotionRanges) -> MotionWindow:
    """Draw a clip and `frames` moments of it, avoiding recording glitches."""
    shares = [(group, share) for group, share in ranges.group_shares if group in library.groups]
    weights = np.array([share for _, share in shares])
    group = shares[rng.choice(len(shares), p=weights / weights.sum())][0]
    candidates = [number for number, name in enumerate(library.groups) if name == group]
    clip = candidates[rng.integers(len(candidates))]
    last = library.last(clip)
    step = ranges.steps[rng.integers(len(ranges.steps))]
    if frames > 1 and step * (frames - 1) > last:
        step = max(last / (frames - 1), ranges.shortest_step)
    span = step * (frames - 1)
    glitch = np.flatnonzero(library.glitch[library.offset[clip] : library.offset[clip + 1]])
    begin = 0.0
    for _ in range(ranges.window_tries):
        begin = rng.uniform(0, max(last - span, 0))
        if not ((glitch >= np.floor(begin)) & (glitch <= begin + span)).any():
            break
    times = begin + np.arange(frames) * step
    return MotionWindow(clip, last - np.abs(last - times % (2 * last)), step)


def mirrored(library: MotionLibrary, rotation: np.ndarray, root: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The motion as seen in a mirror: left and right change places."""
    flip = np.diag([-1.0, 1.0, 1.0])
    return flip @ rotation[:, library.mirror] @ flip, root * [-1, 1, 1]


def jittered(
    library: MotionLibrary, rng: np.random.Generator, rotation: np.ndarray, ranges: MotionRanges
) -> np.ndarray:
    """Turn some joints of rotations [T, J, 3, 3] by a constant amount; what hangs on them follows."""
    rotation = rotation.copy()
    for joint, deviation in ranges.jitter:
        extra = rotations.from_vector(rng.normal(0, deviation, 3))
        own = library.number[joint]
        in_world = rotation[:, own] @ extra @ np.swapaxes(rotation[:, own], 1, 2)
        for follower in _CHAINS.get(joint[1:], ())[1:]:
            number = library.number[joint[0] + follower]
            rotation[:, number] = in_world @ rotation[:, number]
        rotation[:, own] = rotation[:, own] @ extra
    return rotation


def _other_side(joint: str) -> str:
    if joint[0] in "lr" and joint[1].isupper():
        return ("r" if joint[0] == "l" else "l") + joint[1:]
    return joint
