from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from ttpose.core.errors import InputError
from ttpose.core.geometry import Box
from ttpose.data.datasets import open_dataset
from ttpose.data.shards import write_shard
from ttpose.training.start import choose_skeleton


@dataclass(frozen=True)
class Clip:
    """A clip as a renderer hands it over; every frame one grey, the person in its middle."""

    images: np.ndarray
    keypoints: np.ndarray
    head_points: np.ndarray
    foot_points: np.ndarray
    boxes: tuple[Box, ...]
    masks: np.ndarray
    motion: str
    identity_seed: int


def rendered_clip(identity: int, clip: int, frames: int = 3, size: int = 48) -> Clip:
    rng = np.random.default_rng((identity, clip))
    keypoints = np.dstack([rng.uniform(8, 40, (frames, 17, 2)), np.full((frames, 17), 2.0)]).astype(np.float32)
    heads = np.dstack([rng.uniform(8, 40, (frames, 2, 2)), np.full((frames, 2), 2.0)]).astype(np.float32)
    greys = 40 * (1 + np.arange(frames, dtype=np.uint8))[:, None, None, None]
    images = np.ones((frames, size, size, 3), np.uint8) * greys
    boxes = (Box(8, 8, 32, 32),) * frames
    feet = np.zeros((frames, 4, 3), np.float32)
    return Clip(images, keypoints, heads, feet, boxes, np.zeros((frames, size, size), np.uint8), "walk", identity)


def write_people(folder: Path, people: int = 2, clips: int = 2, frames: int = 3) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for identity in range(people):
        shown = [rendered_clip(identity, clip, frames) for clip in range(clips)]
        write_shard(folder / f"identity_{identity:07d}.npz", shown)
    return folder


def test_each_clip_of_each_person_is_a_video(tmp_path: Path) -> None:
    videos = open_dataset(f"shards:{write_people(tmp_path)}")
    assert [(video.name, video.person, len(video)) for video in videos] == [
        (f"identity_000000{person}_clip_0{clip}", f"identity_000000{person}", 3) for person in (0, 1) for clip in (0, 1)
    ]
    known = rendered_clip(1, 1)
    np.testing.assert_array_equal(videos[3].keypoints[:, :17], known.keypoints)
    np.testing.assert_array_equal(videos[3].keypoints[:, 17:], known.head_points)
    assert videos[3].skeleton.keypoints[17:] == ("head", "head_top")
    assert videos[3].frames[2].box == known.boxes[2]
    assert abs(int(videos[3].frames[2].read().mean()) - 120) <= 1


def test_coco_keypoints_are_learned_unless_others_are_named(tmp_path: Path) -> None:
    videos = open_dataset(f"shards:{write_people(tmp_path)}")
    assert choose_skeleton(videos, None).name == "coco17"
    assert choose_skeleton(videos, "penn13").name == "penn13"


def test_a_frame_that_the_person_has_left_is_left_out(tmp_path: Path) -> None:
    clip = rendered_clip(0, 0)
    clip.keypoints[1, 3:, 2] = 0
    clip.head_points[1, :, 2] = 0
    write_shard(tmp_path / "identity_0000000.npz", [clip])
    (video,) = open_dataset(f"shards:{tmp_path}")
    assert [int(frame.read().mean()) // 38 for frame in video.frames] == [1, 3]


def test_a_folder_without_shards_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no shards"):
        open_dataset(f"shards:{tmp_path}")
