from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.clips import HEIGHT, WIDTH
from ttpose.core.skeleton import COCO17
from ttpose.media import SourceInfo

FRAMES = 40
INFO = SourceInfo(Path("walk.mp4"), "video", WIDTH, HEIGHT, FRAMES, 1.33, 30.0, 0)
KNEES = COCO17.index("left_knee"), COCO17.index("right_knee")


def file_of(*frames: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A corrections file's content for the clip of `INFO`."""
    clip = {"name": "walk.mp4", "sha256": None, "width": WIDTH, "height": HEIGHT, "frames": FRAMES}
    return {"schema": "ttpose.corrections/1", "clip": clip, "skeleton": "coco17", "frames": list(frames), **changes}


def coco_of(*frames: int, names: tuple[str, ...] = COCO17.keypoints, **changes: Any) -> dict[str, Any]:
    """A COCO keypoint file in which all joints of some frames are at (10 + k, 20 + k)."""
    images = [
        {"id": 100 + i, "file_name": f"frames/frame_{i:06d}.png", "width": WIDTH, "height": HEIGHT} for i in frames
    ]
    points = [value for k in range(len(names)) for value in (10 + k, 20 + k, 2)]
    people = [{"id": i, "image_id": 100 + i, "category_id": 1, "keypoints": list(points)} for i in frames]
    content = {"images": images, "annotations": people, "categories": [{"id": 1, "keypoints": list(names)}]}
    return {**content, **changes}


def prediction(frames: int = FRAMES) -> np.ndarray:
    """Keypoints [N, 17, 3] in the picture, each joint somewhere else."""
    rows = np.stack([20 + 5.0 * np.arange(17), 30 + 4.0 * np.arange(17), np.full(17, 0.9)], 1)
    return np.stack([rows + np.array([0.5 * i, 0, 0]) for i in range(frames)])
