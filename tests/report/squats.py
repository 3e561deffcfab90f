"""A clip of somebody who squats three times, seen from the right; the left knee is hidden at the bottom of each."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.clips import HEIGHT, WIDTH, picture, write_clip
from tests.report.examples import Clip, made_for
from tests.results.posed import Posture, drawn
from ttpose.core.skeleton import COCO17

#: Of each squat, with the rest after it; the clip begins with a rest.
REST, LENGTH, COUNT = 8, 24, 3
DEEPEST = 100.0


def squatting() -> list[np.ndarray]:
    """Keypoints [17, 3] of each frame in the pixels of `tests.clips`."""
    one = DEEPEST * np.sin(np.linspace(0, np.pi, LENGTH)) ** 2
    knees = np.concatenate([np.zeros(REST), *[part for _ in range(COUNT) for part in (one, np.zeros(REST))]])
    frames = []
    for knee in knees:
        points = drawn(Posture(trunk=0.2 * knee, hip=(knee, knee), knee=(0.9 * knee, knee)))[: len(COCO17)]
        points[:, :2] = (points[:, :2] - (500, 400)) * 0.22 + (WIDTH / 2, HEIGHT / 2)
        if knee > 0.9 * DEEPEST:
            points[COCO17.index("left_knee"), 2] = 0.1
        frames.append(points)
    return frames


def squat_clip(folder: Path) -> Clip:
    """The video with what was made of it."""
    people = squatting()
    path = write_clip(folder / "squat.mp4", images=[picture(i) for i in range(len(people))], times_s=None)
    return Clip(path, made_for(path, list(people)))
