"""Corrections in memory: for some frames of a clip, where a person says that the joints are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ttpose.core.skeleton import Skeleton

#: Visibility codes of a corrected joint, the ones of COCO but for 0, which says more there than "not labelled" here.
VISIBLE, HIDDEN, NOT_IN_PICTURE = 2, 1, 0

#: Parts of the body whose left and right can be swapped, in the order in which they are listed.
PARTS = ("legs", "arms", "head")
_MEMBERS = {
    "legs": ("hip", "knee", "ankle", "big_toe", "heel"),
    "arms": ("shoulder", "elbow", "wrist"),
    "head": ("eye", "ear"),
}


@dataclass(frozen=True)
class FrameCorrection:
    """What is corrected in one frame.

    Attributes:
        keypoints: float [K, 3]: x, y in original pixels and the visibility 2 (visible), 1 (hidden, the place is a
            guess) or 0 (not in the picture; x and y are NaN then). NaN in all three where the joint was not corrected.
            These are the final places: swaps have been applied to them already.
        swaps: Parts whose left and right were swapped, of `PARTS`; the joints of these that are not corrected follow.
        reference: float [K, 2]: where the joints of the swapped parts are, under the names that they have after the
            swap, as the prediction had it that was looked at. It tells which side is which, not exact places. NaN for
            all other joints, and where a swap was noted without a prediction.
    """

    keypoints: np.ndarray
    swaps: tuple[str, ...] = ()
    reference: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))

    def __post_init__(self) -> None:
        if not len(self.reference):
            object.__setattr__(self, "reference", np.full((len(self.keypoints), 2), np.nan))

    @property
    def corrected(self) -> np.ndarray:
        """Which joints were corrected, bool [K]; those that are not in the picture count."""
        return np.isfinite(self.keypoints[:, 2])

    @property
    def placed(self) -> np.ndarray:
        """Which joints have a place, bool [K]."""
        return self.corrected & np.isfinite(self.keypoints[:, :2]).all(axis=1)

    @property
    def sides(self) -> np.ndarray:
        """Places [K, 2] that tell left from right: corrected ones, else those of the reference, else NaN."""
        return np.where(self.placed[:, None], self.keypoints[:, :2], self.reference)

    def joints(self, count: int) -> FrameCorrection:
        """The same of the first so many keypoints; nothing is corrected of those beyond."""
        more = ((0, max(count - len(self.keypoints), 0)), (0, 0))
        keypoints, reference = (
            np.pad(a[:count], more, constant_values=np.nan) for a in (self.keypoints, self.reference)
        )
        return FrameCorrection(keypoints, self.swaps, reference)


@dataclass(frozen=True)
class Corrections:
    """All corrections of one clip.

    Attributes:
        frames: By the frame's number in the clip.
    """

    frames: dict[int, FrameCorrection]

    def __len__(self) -> int:
        return len(self.frames)

    def joints(self, count: int) -> Corrections:
        """The same of the first so many keypoints; frames of which nothing is left are left out."""
        some = {index: frame.joints(count) for index, frame in self.frames.items()}
        return Corrections({index: frame for index, frame in some.items() if frame.corrected.any() or frame.swaps})


def part_members(part: str, skeleton: Skeleton) -> list[int]:
    """Positions of a part's keypoints in a skeleton, both sides."""
    return [
        k
        for k, name in enumerate(skeleton.keypoints)
        if name.startswith(("left_", "right_")) and name.split("_", 1)[1] in _MEMBERS[part]
    ]


def swapped(parts: Sequence[str], skeleton: Skeleton) -> np.ndarray:
    """For each keypoint [K] the position of the one whose place it takes when parts are swapped."""
    order = np.arange(len(skeleton))
    for part in parts:
        members = part_members(part, skeleton)
        order[members] = np.array(skeleton.flip)[members]
    return order
