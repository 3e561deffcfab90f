"""Labels of a few frames taken as a person's corrections, so that learning from them can be measured on the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from ttpose.core.errors import UsageError
from ttpose.core.skeleton import Skeleton
from ttpose.corrections.model import Corrections, FrameCorrection
from ttpose.corrections.suggest import suggest_frames
from ttpose.data.labelled_clip import LabelledClip
from ttpose.results.disagreement import with_disagreement
from ttpose.results.records import FrameRecord, KeypointResult, PersonRecord

Pick = Literal["even", "suggested"]

_FRAME_RATE = 25.0  # labelled clips do not tell theirs; the personalization takes the same


def evenly_picked(frames: int, count: int) -> list[int]:
    """Numbers of `count` frames, each in the middle of an equal part of the clip.

    Raises:
        UsageError: Not a frame more than these is left to score.
    """
    if count >= frames:
        raise UsageError(f"{count} corrections of {frames} frames leave none to score", "correct fewer frames")
    edge = frames / (2 * count)
    return sorted(set(np.linspace(edge, frames - 1 - edge, count).round().astype(int).tolist()))


def suggested(clip: LabelledClip, keypoints: np.ndarray, base: np.ndarray, skeleton: Skeleton, count: int) -> list[int]:
    """Numbers of the frames that `ttpose correct` would suggest.

    Args:
        clip: Its boxes.
        keypoints: [T, K, 3] image pixels, the personalized result.
        base: The same by the base and a single view.
        skeleton: Of both.
        count: How many.
    """
    result = with_disagreement(_result(clip, keypoints, skeleton), _result(clip, base, skeleton))
    return sorted(suggestion.index for suggestion in suggest_frames(result, count))


def corrections_from_labels(clip: LabelledClip, frames: Sequence[int], skeleton: Skeleton) -> Corrections:
    """Labels of the scored joints that the skeleton has, in some frames, as a person's corrections."""
    found = {}
    for frame in frames:
        keypoints = np.full((len(skeleton), 3), np.nan)
        for joint, scored, label in zip(clip.joints, clip.scored, clip.keypoints[frame], strict=True):
            if scored and joint in skeleton.keypoints and label[2] > 0:
                keypoints[skeleton.index(joint)] = label
        found[frame] = FrameCorrection(keypoints)
    return Corrections(found)


def _result(clip: LabelledClip, keypoints: np.ndarray, skeleton: Skeleton) -> KeypointResult:
    records = [
        FrameRecord(i, i / _FRAME_RATE, (PersonRecord(1, frame.box, found),))
        for i, (frame, found) in enumerate(zip(clip.frames, keypoints, strict=True))
    ]
    return KeypointResult({}, {}, skeleton, records)
