"""From refined keypoints to the records of a keypoint file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ttpose.core.geometry import Box
from ttpose.core.skeleton import Skeleton
from ttpose.inference.follow import FollowedFrame
from ttpose.inference.refine.clip import Refined
from ttpose.inference.refine.corrected import CorrectedFrames
from ttpose.results.records import FrameRecord, PersonRecord
from ttpose.tracking.box_correction import refine_box


def frame_records(
    frames: Sequence[FollowedFrame],
    refined: Refined | None,
    skeleton: Skeleton,
    corrected: CorrectedFrames | None = None,
) -> list[FrameRecord]:
    """One record for every frame, in order.

    Args:
        frames: All of a clip's.
        refined: Keypoints of the frames that have a prediction, the model's own first, then perhaps those of the feet;
            None where none has.
        skeleton: The model's keypoint set, whose keypoints correct the boxes.
        corrected: What a person said of the same frames. Where no subject was found it makes the record.
    """
    rows = iter(()) if refined is None else iter(zip(refined.keypoints, refined.swapped, strict=True))
    records = [
        FrameRecord(frame.index, frame.time_s, (), frame.note)
        if frame.prediction is None
        else _record(frame, *next(rows), skeleton)
        for frame in frames
    ]
    if corrected is None:
        return records
    return [_corrected(record, corrected, row) for row, record in enumerate(records)]


def _record(frame: FollowedFrame, keypoints: np.ndarray, swapped: np.ndarray, skeleton: Skeleton) -> FrameRecord:
    if frame.box is None:
        return FrameRecord(frame.index, frame.time_s, (), frame.note)
    notes = [frame.note] if frame.note else []
    limbs = [name for name, was in zip(("legs", "arms"), swapped, strict=True) if was]
    if limbs:
        notes.append(f"left and right {' and '.join(limbs)} swapped to agree with the frames around")
    person = PersonRecord(1, refine_box(frame.box, keypoints[: len(skeleton)], skeleton=skeleton), keypoints)
    return FrameRecord(frame.index, frame.time_s, (person,), "; ".join(notes) or None)


def _corrected(record: FrameRecord, corrected: CorrectedFrames, row: int) -> FrameRecord:
    """The record, marked where a person corrected it; its keypoints are the corrected ones already."""
    joints = tuple(np.flatnonzero(corrected.said[row]).tolist())
    if not joints:
        return record
    if record.people:
        return replace(record, people=(replace(record.people[0], corrected=joints), *record.people[1:]))
    placed = corrected.placed[row]
    if not placed.any():
        return record
    nothing = np.full((1, len(placed), 3), np.nan)
    nothing[..., 2] = 0.0
    keypoints = corrected.part([row]).applied_to(nothing)[0]
    person = PersonRecord(1, Box.around(keypoints[placed, :2]), keypoints, corrected=joints)
    return replace(record, people=(person,))
