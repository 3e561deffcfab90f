"""What every dataset is turned into: videos of one person each, frame by frame with labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ttpose.core.geometry import Box
from ttpose.core.progress import Progress
from ttpose.core.skeleton import BBC7, COCO17, COCO17_FEET, H36M16, LSP14, PENN13, Skeleton
from ttpose.data.labelled_clip import LabelledFrame

Split = Literal["train", "test"]

# Share of the person's scale for joints that COCO does not label: the width of its annotators' shoulders.
_OTHER_SIGMA = 0.079


@dataclass(frozen=True)
class Video:
    """Frames of one person in order of time.

    Attributes:
        name: Unique within the dataset.
        person: Who is seen; several videos may show the same person.
        frames: Picture path, box and keypoints [K, 3] (x, y, visibility 2 visible, 1 hidden but labelled, 0 missing).
            A missing joint may still have coordinates; they mean nothing.
        skeleton: What the K keypoints are.
        scored_joints: Names of the joints whose labels are meant to be scored; None for all.
    """

    name: str
    person: str
    frames: tuple[LabelledFrame, ...]
    skeleton: Skeleton
    scored_joints: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def keypoints(self) -> np.ndarray:
        """All labels, float64 [T, K, 3]: x, y, visibility."""
        return np.stack([frame.keypoints for frame in self.frames])


class Skips:
    """Counts what a dataset leaves out, and says so once.

    Args:
        dataset: Its name in the message.
    """

    def __init__(self, dataset: str) -> None:
        self.dataset = dataset
        #: Number of things left out, by reason.
        self.counts: dict[str, int] = {}

    def add(self, reason: str, count: int = 1) -> None:
        """Count `count` more things left out for a reason such as "frames without a picture"."""
        if count:
            self.counts[reason] = self.counts.get(reason, 0) + count

    def tell(self, progress: Progress | None) -> None:
        """Say one line for each reason."""
        for reason, count in self.counts.items():
            if progress is not None:
                progress.note(f"{self.dataset}: left out {count} {reason}")


def keep_usable(videos: Sequence[Video], skips: Skips) -> list[Video]:
    """Leave out videos in which no joint is ever visible: they can be neither learned from nor measured."""
    kept = [video for video in videos if any((frame.keypoints[:, 2] == 2).any() for frame in video.frames)]
    skips.add("videos without a visible joint", len(videos) - len(kept))
    return kept


def clean_frame(frame: LabelledFrame, skips: Skips) -> LabelledFrame | None:
    """The frame with joints that are not finite marked as missing; None if its box is none. Both are counted."""
    numbers = np.array(frame.box.as_list())
    if not np.isfinite(numbers).all():
        skips.add("frames whose box is not finite")
        return None
    if (numbers[2:] <= 0).any():
        skips.add("frames whose box has no area")
        return None
    broken = ~np.isfinite(frame.keypoints).all(1)
    if broken.any():
        skips.add("joints that are not finite", int(broken.sum()))
        keypoints = np.where(broken[:, None], 0.0, frame.keypoints)
        return LabelledFrame(frame.path, keypoints, frame.box, frame.mask)
    return frame


def box_of_corners(corners: np.ndarray) -> Box:
    """A box of its left, top, right and bottom edges."""
    x0, y0, x1, y1 = (float(value) for value in corners)
    return Box(x0, y0, x1 - x0, y1 - y0)


def skeleton_of(joints: Sequence[str], name: str) -> Skeleton:
    """The known keypoint set with exactly these joints, else a new one called `name` without limbs."""
    for known in (COCO17, COCO17_FEET, PENN13, BBC7, H36M16, LSP14):
        if known.keypoints == tuple(joints):
            return known
    sigmas = tuple(
        COCO17.sigmas[COCO17.index(joint)] if joint in COCO17.keypoints else _OTHER_SIGMA for joint in joints
    )
    return Skeleton(name, tuple(joints), (), sigmas)
