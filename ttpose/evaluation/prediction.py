"""Predictions for labelled frames, one picture in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ttpose.core.geometry import Box
from ttpose.core.progress import Progress
from ttpose.data.labelled_clip import LabelledFrame

if TYPE_CHECKING:
    from ttpose.models.pose_model import PoseModel


def predict_frames(
    model: PoseModel,
    frames: Sequence[LabelledFrame],
    name: str,
    progress: Progress,
    boxes: Sequence[Box] | None = None,
) -> np.ndarray:
    """Keypoints of the labelled person in each frame.

    Args:
        model: The network; one plain view of each frame is predicted.
        frames: T frames.
        name: Of the clip, for the progress.
        progress: Receives progress.
        boxes: Instead of the labels' boxes.

    Returns:
        float64 [T, K, 3]: x, y in image pixels, score.

    Raises:
        InputError: A picture cannot be read.
    """
    from ttpose.inference.photos import predict_in_box
    from ttpose.inference.settings import SINGLE_VIEW
    from ttpose.models.engine import compiled

    network, found = compiled(model), np.empty((len(frames), len(model.skeleton), 3))
    with progress.stage(f"predict {name}", total=len(frames)) as advance:
        for position, frame in enumerate(frames):
            box = frame.box if boxes is None else boxes[position]
            found[position] = predict_in_box(frame.read(), box, network, SINGLE_VIEW)
            advance(1)
    return found


def picture_reader(frames: Sequence[LabelledFrame]) -> Callable[[int], np.ndarray]:
    """A function that reads the picture of a frame by its position."""
    return lambda position: frames[position].read()
