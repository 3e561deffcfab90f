"""Two people at one place: whose pose it is, where the poses found for both are the same."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ttpose.core import geometry
from ttpose.core.geometry import Box
from ttpose.core.skeleton import Skeleton
from ttpose.inference.crops import PersonCrop
from ttpose.tracking.appearance import CORE, appearance_distance, appearance_of, mean_appearance
from ttpose.tracking.tracklets import covered

_SURE = 0.2  # score of a keypoint that counts
_NEAR = 0.1  # keypoints nearer to each other than this are the same, in sides of the pose's box: a third of a torso ...
_SHARE = 0.5  # ... and poses that share so many of their keypoints are one person's
_ALONE = 0.2  # nobody else's box covers more of a person whose colours are remembered
_REMEMBERED = 10  # colours of frames, of the last second or so
_OWN_SCORE, _OWN_OVERLAP = 0.3, 0.3  # of somebody who is seen behind a rival
_EVERY = 3  # frames between two of them
# How much the fit of boxes counts beside that of colours; those of different people differ by about 0.6, boxes by 0.3.
_BOX_SHARE = 0.5
_TRUNK = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")


@dataclass(frozen=True)
class Sight:
    """What was predicted of one person in a frame.

    Attributes:
        pose: [K, 3] in the image's pixels.
        box: The track's, there.
        crop: What the pose was found in.
    """

    pose: np.ndarray
    box: Box
    crop: PersonCrop


class Rivals:
    """Takes poses away from people at whose place somebody else is seen; asked frame by frame, in order.

    A network that is shown two people finds the one in front. Of two tracks with the same pose, that one keeps it whose
    clothes have the colours that are seen there and whose box fits it; the other person is hidden.

    Args:
        people: How many.
        skeleton: Names the keypoints.
    """

    def __init__(self, people: int, skeleton: Skeleton) -> None:
        self._trunk = [skeleton.index(name) for name in _TRUNK if name in skeleton.keypoints]
        self._colours: list[deque[np.ndarray]] = [deque(maxlen=_REMEMBERED) for _ in range(people)]

    def hidden(self, index: int, sights: Sequence[Sight | None]) -> dict[int, int]:
        """Who is hidden in the next frame, and by whom.

        Args:
            index: The frame.
            sights: Of each person, or None.

        Returns:
            Positions of people, of the hidden one and the one who has the pose.
        """
        lost: dict[int, int] = {}
        contested: set[int] = set()
        for a, b in combinations(range(len(sights)), 2):
            one, other = sights[a], sights[b]
            if one is None or other is None or a in lost or b in lost or not are_same(one.pose, other.pose):
                continue
            contested |= {a, b}
            seen = self._colours_of(one)
            keeps = a if self._misfit(a, one, seen) <= self._misfit(b, other, seen) else b
            lost[a + b - keeps] = keeps
        if index % _EVERY == 0:
            for i, sight in enumerate(sights):
                if sight is not None and i not in contested and _is_alone(i, sights):
                    self._colours[i].append(self._colours_of(sight))
        return lost

    def _misfit(self, person: int, sight: Sight, seen: np.ndarray) -> float:
        """How badly what is seen fits a person, 0..1.5."""
        known = self._colours[person]
        colours = appearance_distance(mean_appearance(list(known)), seen) if known else 0.5
        return colours + _BOX_SHARE * (1 - sight.box.iou(_extent(sight.pose)))

    def _colours_of(self, sight: Sight) -> np.ndarray:
        """The colours of the trunk, or of all of the person where it is not sure."""
        sure = [k for k in self._trunk if sight.pose[k, 2] >= _SURE]
        whole = _extent(sight.pose)
        box = Box.around(sight.pose[sure, :2]) if len(sure) >= 3 else whole
        least = 0.12 * whole.side  # a trunk seen from the side
        width, height = max(box.width, least) / CORE[0], max(box.height, least) / CORE[1]
        x, y = box.center
        corners = Box(x - width / 2, y - height / 2, width, height).corners
        inside = geometry.apply(geometry.invert(sight.crop.to_source), corners)
        return appearance_of(sight.crop.image, Box.around(inside))


def is_own(sight: Sight, rival: Sight) -> bool:
    """Whether what is seen without a rival is the person: sure enough, another pose, and where the track has it."""
    pose = sight.pose
    return (
        float(pose[:, 2].mean()) >= _OWN_SCORE
        and not are_same(pose, rival.pose)
        and sight.box.iou(_extent(pose)) >= _OWN_OVERLAP
    )


def are_same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two poses [K, 3] are one person's: at least half of the keypoints that both are sure of coincide."""
    sure = (one[:, 2] >= _SURE) & (other[:, 2] >= _SURE)
    if sure.sum() < 4:
        return False
    apart = np.linalg.norm(one[sure, :2] - other[sure, :2], axis=1)
    side = min(_extent(one).side, _extent(other).side)
    return float((apart < _NEAR * side).mean()) >= _SHARE


def _is_alone(person: int, sights: Sequence[Sight | None]) -> bool:
    own = sights[person]
    others = [sight.box for i, sight in enumerate(sights) if sight is not None and i != person]
    return own is not None and all(covered(own.box, box) < _ALONE for box in others)


def _extent(pose: np.ndarray) -> Box:
    sure = pose[:, 2] >= _SURE
    return Box.around(pose[sure if sure.any() else slice(None), :2])
