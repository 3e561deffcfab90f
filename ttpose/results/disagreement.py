"""How far a single view's prediction is from a result: a sign of where the result may be wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ttpose.results.records import FrameRecord, KeypointResult


def with_disagreement(result: KeypointResult, single_view: KeypointResult) -> KeypointResult:
    """A result whose first people know how far each keypoint is from where one view of the frame has it.

    Args:
        result: The refined or personalized result.
        single_view: The base's prediction of the same frames from one view each.
    """
    frames = [_compared(a, b) for a, b in zip(result.frames, single_view.frames, strict=True)]
    return replace(result, frames=frames)


def _compared(frame: FrameRecord, other: FrameRecord) -> FrameRecord:
    if not frame.people or not other.people or frame.people[0].filled or other.people[0].filled:
        return frame
    first, *rest = frame.people
    apart = np.linalg.norm(first.keypoints[:, :2] - other.people[0].keypoints[:, :2], axis=-1)
    return replace(frame, people=(replace(first, disagreement=apart), *rest))
