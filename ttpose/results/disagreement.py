"""How far a single view's prediction is from a result: a sign of where the result may be wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ttpose.results.records import FrameRecord, KeypointResult


def with_disagreement(result: KeypointResult, single_view: KeypointResult) -> KeypointResult:
    """A result whose first people know how far each keypoint is from where one view of the frame has it.

    Args:
        result: The refined or personalized result.
        single_view: The base's prediction of the same frames from one view each; keypoints that it lacks are not
            compared.
    """
    own, others = result.skeleton.keypoints, single_view.skeleton.keypoints
    rows = [others.index(name) if name in others else -1 for name in own]
    frames = [_compared(a, b, rows) for a, b in zip(result.frames, single_view.frames, strict=True)]
    return replace(result, frames=frames)


def _compared(frame: FrameRecord, other: FrameRecord, rows: list[int]) -> FrameRecord:
    """`rows`: for each keypoint its position in the other record, -1 where that has none."""
    if not frame.people or not other.people or frame.people[0].filled or other.people[0].filled:
        return frame
    first, *rest = frame.people
    single = np.where(np.array(rows)[:, None] < 0, np.nan, other.people[0].keypoints[rows, :2])
    apart = np.linalg.norm(first.keypoints[:, :2] - single, axis=-1)
    return replace(frame, people=(replace(first, disagreement=apart), *rest))
