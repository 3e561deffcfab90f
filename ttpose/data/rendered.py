"""Rendered people as a dataset: shards of `ttpose synth --shards`, kept in memory and decoded when needed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ttpose.core.errors import InputError
from ttpose.core.geometry import Box
from ttpose.core.progress import Progress
from ttpose.core.skeleton import COCO17, Skeleton
from ttpose.data.labelled_clip import LabelledFrame
from ttpose.data.shards import Shard, read_shard
from ttpose.data.video import Skips, Split, Video, clean_frame, keep_usable

#: A shard's joints: COCO's, then the middle and the top of the head.
RENDERED19 = Skeleton(
    "rendered19", (*COCO17.keypoints, "head", "head_top"), COCO17.limbs, (*COCO17.sigmas, 0.079, 0.079)
)
_LEAST_SEEN = 6  # labelled joints inside the picture; of a person who has left it nothing can be learned


@dataclass(frozen=True)
class ShardFrame(LabelledFrame):
    """A frame inside a shard; `path` is the shard's.

    Attributes:
        shard: Holds the encoded picture.
        clip, number: Where in it.
    """

    shard: Shard | None = None
    clip: int = 0
    number: int = 0

    def read(self) -> np.ndarray:
        """The picture, RGB uint8 [S, S, 3]; raises `InputError` when it cannot be decoded."""
        if self.shard is None:
            raise InputError(f"{self.path} was not read")
        return self.shard.image(self.clip, self.number)


def read_rendered(folder: Path, split: Split, progress: Progress | None = None) -> list[Video]:
    """One video for each clip of each rendered person, below `train/` or `test/` if the folder has such a folder.

    All shards are kept in memory, encoded: about 0.1 MB a person with two clips of eight frames of 144 pixels.

    Raises:
        InputError: There is no shard, or a malformed one.
    """
    part = folder / split
    paths = sorted((part if part.is_dir() else folder).glob("identity_*.npz"))
    if not paths:
        raise InputError(f"{folder} holds no shards", "write some with `ttpose synth OUT --shards`")
    skips = Skips("shards")
    videos = keep_usable([video for path in paths for video in _videos(path, skips)], skips)
    skips.tell(progress)
    if not videos:
        raise InputError(f"no clip in {folder} shows a person")
    return videos


def _videos(path: Path, skips: Skips) -> list[Video]:
    shard, person = read_shard(path), path.stem
    clips, frames = shard.keypoints.shape[:2]
    found = []
    for clip in range(clips):
        kept = [_frame(path, shard, clip, number, skips) for number in range(frames)]
        usable = tuple(frame for frame in kept if frame is not None)
        if usable:
            found.append(Video(f"{person}_clip_{clip:02d}", person, usable, RENDERED19))
    return found


def _frame(path: Path, shard: Shard, clip: int, number: int, skips: Skips) -> LabelledFrame | None:
    keypoints = np.concatenate([shard.keypoints[clip, number], shard.head_points[clip, number]]).astype(np.float64)
    if (keypoints[:, 2] > 0).sum() < _LEAST_SEEN:
        skips.add("frames that the person has left")
        return None
    box = Box(*(float(value) for value in shard.boxes[clip, number]))
    return clean_frame(ShardFrame(path, keypoints, box, None, shard, clip, number), skips)
