"""A person in motion: the posed mesh and its labelled points at every moment of a clip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ttpose_synth.assets import SyntheticAssets
from ttpose_synth.labels import POINTS, points_3d
from ttpose_synth.meshes import skin_vertices
from ttpose_synth.motion import MotionRanges, MotionWindow, choose_window, jittered, mirrored
from ttpose_synth.person import Person

# Share of the time between two pictures that the shutter stays open in a clip with motion blur.
_SHUTTER = 0.35
# Slower motion than the recorded one shows no blur.
_SLOWEST_BLURRED = 1.0
# Height of an ankle over the floor, as a share of the leg.
_ANKLE_HEIGHT = 0.1


@dataclass(frozen=True)
class Take:
    """What the camera films.

    Attributes:
        window: Which recorded motion it is.
        slow: Moments per picture: 2 with motion blur (shutter opens, shutter closes), else 1.
        vertices: Per moment, float32 [V, 3], metres.
        points: [moments, points, 3], metres.
    """

    window: MotionWindow
    slow: int
    vertices: tuple[np.ndarray, ...]
    points: np.ndarray


def act(
    assets: SyntheticAssets,
    person: Person,
    rng: np.random.Generator,
    frames: int,
    ranges: MotionRanges,
    blur_share: float,
) -> Take:
    """Draw a motion and let the person carry it out, standing on the floor at the middle of the scene."""
    library = assets.motion
    window = choose_window(library, rng, frames, ranges)
    times, slow = window.times, 1
    if blur_share > 0 and window.step >= _SLOWEST_BLURRED and rng.random() < blur_share:
        closing = times + _SHUTTER * window.step
        times, slow = np.minimum(np.stack([times, closing], 1).ravel(), library.last(window.clip)), 2
    rotation, root = library.sample(window.clip, times)
    if rng.random() < ranges.mirror_share:
        rotation, root = mirrored(library, rotation, root)
    root = root * (person.bones.leg_length / library.leg_length)
    root[:, [0, 2]] -= root[len(times) // 2, [0, 2]]
    if rng.random() < ranges.jitter_share:
        rotation = jittered(library, rng, rotation, ranges)
    bone_rotation, bone_translation, start = person.bones.pose(rotation, root)
    points = points_3d(assets.rig, person, bone_rotation, bone_translation, start)
    ankles = [POINTS.index("left_ankle"), POINTS.index("right_ankle")]
    rise = _ANKLE_HEIGHT * person.bones.leg_length - points[:, ankles, 1].min()
    points[..., 1] += rise
    bone_translation[..., 1] += np.float32(rise)
    vertices = []
    for turn, shift in zip(bone_rotation, bone_translation, strict=True):
        posed = np.empty_like(person.vertex)
        skin_vertices(person.vertex, person.bone_index, person.bone_weight, turn, shift, posed)
        vertices.append(posed)
    return Take(window, slow, tuple(vertices), points)
