"""From refined keypoints to the records of a keypoint file."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ttpose.core.skeleton import Skeleton
from ttpose.inference.follow import FollowedFrame
from ttpose.inference.refine.clip import Refined
from ttpose.results.records import FrameRecord, PersonRecord
from ttpose.tracking.box_correction import refine_box


def frame_records(frames: Sequence[FollowedFrame], refined: Refined | None, skeleton: Skeleton) -> list[FrameRecord]:
    """One record for every frame, in order.

    Args:
        frames: All of a clip's.
        refined: Keypoints of the frames that have a prediction; None where none has.
        skeleton: The keypoint set.
    """
    rows = iter(()) if refined is None else iter(zip(refined.keypoints, refined.swapped, strict=True))
    return [
        FrameRecord(frame.index, frame.time_s, (), frame.note)
        if frame.prediction is None
        else _record(frame, *next(rows), skeleton)
        for frame in frames
    ]


def _record(frame: FollowedFrame, keypoints: np.ndarray, swapped: np.ndarray, skeleton: Skeleton) -> FrameRecord:
    if frame.box is None:
        return FrameRecord(frame.index, frame.time_s, (), frame.note)
    notes = [frame.note] if frame.note else []
    limbs = [name for name, was in zip(("legs", "arms"), swapped, strict=True) if was]
    if limbs:
        notes.append(f"left and right {' and '.join(limbs)} swapped to agree with the frames around")
    person = PersonRecord(1, refine_box(frame.box, keypoints, skeleton=skeleton), keypoints)
    return FrameRecord(frame.index, frame.time_s, (person,), "; ".join(notes) or None)
