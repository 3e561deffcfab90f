"""A labelled clip of a synthetic person: the way from two seeds to pictures and ground truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ttpose.core.geometry import Box, crop_to_heatmap
from ttpose.core.skeleton import COCO17
from ttpose_synth.assets import SyntheticAssets
from ttpose_synth.bystander import Bystander
from ttpose_synth.labels import HEAD_POINTS, POINTS, box_of, inside, own_bones, visible_points
from ttpose_synth.person import Person, sample_person
from ttpose_synth.raster import SUPERSAMPLE
from ttpose_synth.scene import ClipRanges, Scene, Studio, sample_scene
from ttpose_synth.take import Take, act

_STREAM = 77  # keeps the clip's random numbers apart from other uses of the same two seeds
_BYSTANDER_STREAM = 78  # so that a clip is otherwise the same with and without somebody else


@dataclass(frozen=True)
class SyntheticClip:
    """T pictures of one person with ground truth. Pixel centres are at integers.

    Attributes:
        images: uint8 [T, S, S, 3], RGB.
        keypoints: float32 [T, 17, 3], COCO order: x, y in pixels, and visibility: 2 visible, 1 hidden, 0 outside the
            picture (its coordinates are still where the point is).
        boxes: T boxes, tight around the person on the picture, as if nothing stood before them.
        masks: uint8 [T, S, S], how much of each pixel shows the person, 0..255.
        head_points: float32 [T, 2, 3], likewise: middle of the head, top of the head.
        foot_points: float32 [T, 4, 3], likewise, of `ttpose.core.skeleton.FEET`: big toes and heels.
        identity_seed: Of the person.
        clip_seed: Of the clip.
        motion: Name of the recorded motion.
        frame_step: Thirtieths of a second between two pictures.
        description: Gender, origin, clothes and hair.
    """

    images: np.ndarray
    keypoints: np.ndarray
    boxes: tuple[Box, ...]
    masks: np.ndarray
    head_points: np.ndarray
    identity_seed: int
    clip_seed: int
    motion: str
    frame_step: float
    description: tuple[str, ...]
    foot_points: np.ndarray


def render_clip(
    assets: SyntheticAssets,
    identity_seed: int,
    clip_seed: int,
    frames: int = 16,
    size: int = 256,
    *,
    ranges: ClipRanges | None = None,
) -> SyntheticClip:
    """Render one clip of one person; the same arguments give the same bytes.

    Args:
        assets: What to draw from.
        identity_seed: Chooses the person: body, skin, clothes, hair.
        clip_seed: Chooses motion, camera, place and light.
        frames: Pictures.
        size: Their side in pixels.
        ranges: How clips differ; the defaults suit training.
    """
    person = sample_person(assets, identity_seed)
    return render_person(assets, person, clip_seed, frames, size, ranges=ranges)


def render_person(
    assets: SyntheticAssets,
    person: Person,
    clip_seed: int,
    frames: int = 16,
    size: int = 256,
    *,
    ranges: ClipRanges | None = None,
) -> SyntheticClip:
    """Render one clip of a person drawn before, as `render_clip` does; saves time for several clips of one person."""
    ranges = ranges or ClipRanges()
    rng = np.random.default_rng([person.seed, clip_seed, _STREAM])
    take = act(assets, person, rng, frames, ranges.motion, ranges.faults.motion_blur_share)
    scene = sample_scene(assets, rng, take, size, ranges)
    studio, own = Studio(person, take, scene), own_bones(assets.rig)
    chance = np.random.default_rng([person.seed, clip_seed, _BYSTANDER_STREAM])
    other = Bystander.sample(assets, chance, scene, take, ranges)
    images = np.empty((frames, size, size, 3), np.uint8)
    masks = np.empty((frames, size, size), np.uint8)
    points = np.empty((frames, len(POINTS), 3), np.float32)
    boxes = []
    for frame in range(frames):
        light, mask, points[frame], cover = _expose_frame(studio, other, person, take, scene, frame, own)
        boxes.append(box_of(mask))
        picture = _display(light)
        if scene.occluder is not None:
            thing = scene.occluder.cover(size, frame)
            picture, cover = scene.occluder.paint(picture, thing), np.maximum(cover, thing)
        mask[cover > 128] = 0
        points[frame] = _hide(points[frame], cover)
        images[frame], masks[frame] = scene.faults.apply(rng, picture), mask
    keypoints, head, feet = np.split(points, [len(COCO17), len(COCO17) + len(HEAD_POINTS)], axis=1)
    return SyntheticClip(
        images=images,
        keypoints=keypoints.copy(),
        boxes=tuple(boxes),
        masks=masks,
        head_points=head.copy(),
        identity_seed=person.seed,
        clip_seed=clip_seed,
        motion=assets.motion.names[take.window.clip],
        frame_step=float(take.window.step),
        description=person.description,
        foot_points=feet.copy(),
    )


def _expose_frame(
    studio: Studio,
    other: Bystander | None,
    person: Person,
    take: Take,
    scene: Scene,
    frame: int,
    own: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """One picture as the mean of its moments.

    Returns:
        Linear light [S, S, 3]; mask uint8 [S, S] and points [points, 3] as if nobody stood before the person; and how
        much of each pixel somebody before them takes, uint8 [S, S].
    """
    numbers = range(frame * take.slow, (frame + 1) * take.slow)
    moments = [studio.render(number) for number in numbers]
    projected = [scene.camera.project(take.points[number], number) for number in numbers]
    position = crop_to_heatmap(_mean([samples for samples, _ in projected]), SUPERSAMPLE)
    coverage = _mean([moment.coverage for moment in moments])
    # What can be seen hardly changes while the shutter is open; the last moment decides.
    last, (samples, depth) = moments[-1], projected[-1]
    seen = visible_points(samples, depth, last.depth_buffer, last.face_buffer, person.face_bone, own)
    points = np.column_stack([position, np.where(inside(position, scene.size), 1 + seen, 0)])
    mask = (coverage * 255).astype(np.uint8)
    if other is None:
        return _mean([moment.image for moment in moments]), mask, points, np.zeros_like(mask)
    joined = [other.join(moment, number) for moment, number in zip(moments, numbers, strict=True)]
    crowd = (_mean([cover for _, cover in joined]) * 255).astype(np.uint8)
    return _mean([image for image, _ in joined]), mask, points, crowd


def _display(light: np.ndarray) -> np.ndarray:
    """Linear light to display values 0..255 (gamma 2), float32."""
    picture = np.sqrt(np.minimum(light, 1))
    picture *= 255
    return picture


def _mean(arrays: list[np.ndarray]) -> np.ndarray:
    return arrays[0] if len(arrays) == 1 else np.mean(arrays, axis=0)


def _hide(points: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """Mark points [points, 3] under what stands before the person, [S, S], as hidden."""
    column, row = np.floor(points[:, :2].T + 0.5).astype(int)
    on_picture = points[:, 2] > 0
    hidden = on_picture.copy()
    hidden[on_picture] = cover[row[on_picture], column[on_picture]] > 128
    return np.column_stack([points[:, :2], np.where(hidden, 1, points[:, 2])])
