"""Training samples: two frames of one person under one random warp, in an order that only the seed decides."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TypedDict

import numpy as np
from torch.utils.data import Dataset, Sampler

from ttpose.core import geometry
from ttpose.core.errors import InputError
from ttpose.core.geometry import Box
from ttpose.core.skeleton import Skeleton, convert
from ttpose.data.datasets import LabelledFrame, Video
from ttpose.training.augment import Warp, draw_warp, warp_matrix
from ttpose.training.schedule import JointSettings

# A picture that cannot be decoded is replaced by another sample; so many in a row mean that the disk is gone.
_ATTEMPTS = 20

#: A sample's name: epoch and index. Together with the seed they decide its random numbers.
Key = tuple[int, int]


class Sample(TypedDict):
    """One training sample.

    Attributes:
        target, source: RGB uint8 [S, S, 3].
        joints: float32 [K, 3]: x, y in the target's pixels, and weight 0 or 1.
        damaged: How many unreadable pictures this sample stands in for.
    """

    target: np.ndarray
    source: np.ndarray
    joints: np.ndarray
    damaged: int


class FramePairs(Dataset[Sample]):
    """A sample for each frame of each video; the source is any other frame of the same video.

    Args:
        videos: Videos of at least two frames; those of one frame are their own source.
        skeleton: Keypoint set to learn; labels are taken to it by name.
        size: Side of the crops in pixels.
        settings: Augmentation and seed.
        with_source: Whether the source is needed; else the target stands in and no second picture is read.
        independent: Whether the source is turned and scaled by a warp of its own.
    """

    def __init__(
        self,
        videos: Sequence[Video],
        skeleton: Skeleton,
        size: int,
        settings: JointSettings,
        *,
        with_source: bool = True,
        independent: bool = False,
    ) -> None:
        self.videos, self.skeleton, self.size, self.settings = videos, skeleton, size, settings
        self.with_source, self.independent = with_source, independent
        lengths = [len(video) for video in videos]
        self.video_of = np.repeat(np.arange(len(videos)), lengths)
        self.frame_of = np.concatenate([np.arange(length) for length in lengths])

    def __len__(self) -> int:
        return len(self.video_of)

    def __getitem__(self, key: Key) -> Sample:
        """The sample of an epoch and index.

        Raises:
            InputError: Many pictures in a row cannot be read.
        """
        epoch, index = key
        rng = np.random.default_rng([self.settings.seed, epoch, index])
        for attempt in range(_ATTEMPTS):
            try:
                return self._sample(index, rng, attempt)
            except InputError as error:
                last = error
                index = int(rng.integers(len(self)))
        raise last

    def _sample(self, index: int, rng: np.random.Generator, damaged: int) -> Sample:
        video, position = self.videos[self.video_of[index]], int(self.frame_of[index])
        target, source = video.frames[position], video.frames[_other(len(video), position, rng)]
        warp = draw_warp(rng, self.settings)
        matrix = warp_matrix(target.box, self.size, self.settings, warp)
        joints = labels_of(target, video.skeleton, self.skeleton)
        joints[:, :2] = geometry.apply(matrix, joints[:, :2])
        joints[:, 2] = joints[:, 2] >= (2 if self.settings.visible_only else 1)
        if warp.flip:
            joints = joints[list(self.skeleton.flip)]
        # Mirrored together: nothing tells the decoder which side of the source is which in the target.
        other = dataclasses.replace(draw_warp(rng, self.settings), flip=warp.flip) if self.independent else warp
        own = self.settings.source_box == "own"
        crop = geometry.warp(target.read(), matrix, self.size)
        return Sample(
            target=crop,
            source=self._crop(source, source.box if own else target.box, other) if self.with_source else crop,
            joints=joints.astype(np.float32),
            damaged=damaged,
        )

    def _crop(self, frame: LabelledFrame, box: Box, warp: Warp) -> np.ndarray:
        return geometry.warp(frame.read(), warp_matrix(box, self.size, self.settings, warp), self.size)


def _other(count: int, position: int, rng: np.random.Generator) -> int:
    """A random frame other than `position`, if there is one."""
    return (position + int(rng.integers(1, count))) % count if count > 1 else position


def labels_of(frame: LabelledFrame, skeleton: Skeleton, wanted: Skeleton) -> np.ndarray:
    """A frame's keypoints float64 [K, 3] in another set; joints without a label are at 0, 0 with visibility 0."""
    labels = frame.keypoints if skeleton == wanted else convert(frame.keypoints, skeleton, wanted)
    return np.where(np.isfinite(labels).all(1, keepdims=True), labels, 0.0)


class BatchOrder(Sampler[list[Key]]):
    """The batches of one process, from any step of a training to its end.

    Each epoch is a random order of all samples that the seed and epoch decide. A step takes the next `batch` samples
    for each process; the last step of an epoch is filled up from the epoch's start, so that all steps weigh alike.

    Args:
        samples: Number of samples.
        settings: Batch size, epochs and seed.
        rank: This process, from 0.
        processes: How many there are.
        start: First step, counted over the whole training.
    """

    def __init__(self, samples: int, settings: JointSettings, *, rank: int = 0, processes: int = 1, start: int = 0):
        self.samples, self.settings, self.rank, self.processes, self.start = samples, settings, rank, processes, start

    @property
    def steps_per_epoch(self) -> int:
        """Steps that see every sample at least once."""
        return -(-self.samples // (self.settings.batch * self.processes))

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return self.steps_per_epoch * self.settings.epochs

    def __len__(self) -> int:
        return max(self.steps - self.start, 0)

    def __iter__(self) -> Iterator[list[Key]]:
        batch, together = self.settings.batch, self.settings.batch * self.processes
        first = self.start // self.steps_per_epoch
        for epoch in range(first, self.settings.epochs):
            order = np.random.default_rng([self.settings.seed, epoch]).permutation(self.samples)
            order = np.resize(order, self.steps_per_epoch * together)
            begin = self.start % self.steps_per_epoch if epoch == first else 0
            for step in range(begin, self.steps_per_epoch):
                offset = step * together + self.rank * batch
                yield [(epoch, int(index)) for index in order[offset : offset + batch]]
