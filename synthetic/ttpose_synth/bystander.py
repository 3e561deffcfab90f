"""Somebody else in the picture: unlabelled, in the same place and light, beside, behind or before the person."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ttpose_synth.assets import SyntheticAssets
from ttpose_synth.person import sample_person
from ttpose_synth.raster import SUPERSAMPLE
from ttpose_synth.scene import BystanderRanges, ClipRanges, Moment, Scene, Studio
from ttpose_synth.take import Take, act


@dataclass(frozen=True)
class Bystander:
    """Another person of a clip, with a body, clothes and a motion of their own."""

    studio: Studio

    @classmethod
    def sample(
        cls,
        assets: SyntheticAssets,
        rng: np.random.Generator,
        scene: Scene,
        take: Take,
        ranges: ClipRanges,
    ) -> Bystander | None:
        """Draw one, or nobody, for a scene that was framed for `take`."""
        if rng.random() >= ranges.bystanders.share:
            return None
        person = sample_person(assets, int(rng.integers(2**31)))
        moments = len(take.vertices)
        own = act(assets, person, rng, moments // take.slow, ranges.motion, blur_share=0.0)
        place = _place(rng, scene, moments // 2, ranges.bystanders)
        vertices = tuple(own.vertices[number // take.slow] + place for number in range(moments))
        return cls(Studio(person, replace(own, vertices=vertices), scene))

    def join(self, moment: Moment, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Put them into a moment of the person.

        Returns:
            The image, float32 [S, S, 3], linear light; and how much of each pixel they take, float32 [S, S], 0..1.
        """
        other = self.studio.render(number)
        size = len(moment.image)
        # Buffers hold the inverse of the depth, 0 where nobody is.
        nearer = other.depth_buffer > moment.depth_buffer
        cover = nearer.reshape(size, SUPERSAMPLE, size, SUPERSAMPLE).mean((1, 3), dtype=np.float32)
        share = cover[..., None]
        return moment.image * (1 - share) + other.image * share, cover


def _place(rng: np.random.Generator, scene: Scene, moment: int, ranges: BystanderRanges) -> np.ndarray:
    """Where they stand on the floor, float32 [3], seen from the camera of one moment."""
    camera = scene.camera
    forward = camera.target[moment] - camera.centre[moment]
    forward[1] = 0.0
    distance = float(np.linalg.norm(forward))
    forward /= max(distance, 1e-6)
    right = np.array([-forward[2], 0.0, forward[0]])
    away = max(rng.uniform(*ranges.behind), ranges.nearest - distance)
    beside = rng.uniform(*ranges.beside) * rng.choice([-1.0, 1.0])
    # Farther away the same angle is a longer way.
    beside *= (distance + away) / max(distance, 1e-6)
    place = camera.target[moment] + away * forward + beside * right
    return np.array([place[0], 0.0, place[2]], np.float32)
