"""Boxes corrected by the pose: detectors cut raised arms off, keypoints tell where they end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ttpose.core.geometry import Box
from ttpose.core.skeleton import COCO17, Skeleton, convert


@dataclass(frozen=True)
class BoxCorrectionSettings:
    """Numbers of correcting boxes; shares are of a box's longer side."""

    min_score: float = 0.3  # a keypoint that counts
    least_share: float = 0.3  # of the keypoints must count, or the pose says nothing about the box
    margin: float = 0.15  # labelled boxes (14 joints with the head) end this share of the joints' extent outside
    head: float = 0.64  # crown over ears, in shares of ears over shoulders: (1 - 0.93) / (0.93 - 0.82) of the height
    most_growth: float = 0.5  # a side moves out by no more, should a keypoint be far off
    low_score: float = 0.25  # mean score below which the pose is not trusted to carry the box on
    same_box: float = 0.75  # a frame is predicted again when its corrected box overlaps the first one by less (IoU)
    expected: float = 0.3  # a new detection is the subject only where the box overlaps it by more (IoU)
    border: float = 0.02  # of the crop's side: a keypoint this near its edge, or beyond, presses on it
    least_extent: float = 0.25  # of the crop's side: a pose smaller than this has collapsed or is another person


def refine_box(
    track_box: Box,
    keypoints: np.ndarray,
    *,
    skeleton: Skeleton = COCO17,
    settings: BoxCorrectionSettings | None = None,
) -> Box:
    """Correct a person's box by the person's keypoints.

    Each side goes out to the pose's box where that reaches further. It goes in only as far as the pose is complete,
    all the way if all keypoints count and not at all if half of them do: a box whose legs were not recognised keeps
    most of its lower end.

    Args:
        track_box: The box so far, in image pixels.
        keypoints: [K, 3] x, y in image pixels and score 0..1.
        skeleton: The keypoints' names.
        settings: Numbers.

    Returns:
        The corrected box; `track_box` itself where the pose is too poor to say anything.
    """
    s = settings or BoxCorrectionSettings()
    sure = keypoints[:, 2] >= s.min_score
    if sure.mean() < s.least_share or track_box.side <= 0:
        return track_box
    points = np.concatenate([keypoints[sure, :2], _crown(keypoints, skeleton, s)])
    tight = Box.around(points)
    grow = s.margin * tight.side
    pose = np.array([tight.x - grow, tight.y - grow, tight.x + tight.width + grow, tight.y + tight.height + grow])
    old = track_box.corners.ravel()
    outward = np.array([-1.0, -1.0, 1.0, 1.0])
    move = (pose - old) * outward
    complete = max(2 * float(sure.mean()) - 1, 0.0)
    move = np.where(move > 0, np.minimum(move, s.most_growth * track_box.side), move * complete)
    x0, y0, x1, y1 = (old + move * outward).tolist()
    if x1 <= x0 or y1 <= y0:
        return track_box
    return Box(x0, y0, x1 - x0, y1 - y0)


def better_box(
    box: Box,
    keypoints: np.ndarray,
    detect: Callable[[], Sequence[Box]],
    *,
    skeleton: Skeleton = COCO17,
    settings: BoxCorrectionSettings | None = None,
) -> Box:
    """The box to predict the frame in: `box` itself, or a clearly different one that fits the person better.

    Args:
        box: The box that was predicted in, in image pixels.
        keypoints: [K, 3] what was found in it.
        detect: Runs the detector on the frame; called only where the pose cannot be trusted.
        skeleton: The keypoints' names.
        settings: Numbers.
    """
    s = settings or BoxCorrectionSettings()
    if needs_redetection(box, keypoints, settings=s):
        near = [found for found in detect() if found.iou(box) > s.expected]
        other = max(near, key=box.iou, default=box)
    else:
        other = refine_box(box, keypoints, skeleton=skeleton, settings=s)
    return other if other.iou(box) < s.same_box else box


def needs_redetection(
    track_box: Box,
    keypoints: np.ndarray,
    *,
    pad: float = 1.1,
    settings: BoxCorrectionSettings | None = None,
) -> bool:
    """Whether the detector should run again, because the pose in this box's crop cannot be trusted.

    True if its confidence is low, if several sure keypoints press on the crop's edge, or if they shrank to a spot.

    Args:
        track_box: The box that the crop was made of, in image pixels.
        keypoints: [K, 3] x, y in image pixels and score 0..1.
        pad: The crop's side over the box's longer side.
        settings: Numbers.
    """
    s = settings or BoxCorrectionSettings()
    sure = keypoints[keypoints[:, 2] >= s.min_score, :2]
    if float(keypoints[:, 2].mean()) < s.low_score or len(sure) < s.least_share * len(keypoints):
        return True
    half = track_box.side * pad / 2
    from_center = np.abs(sure - track_box.center).max(axis=1)
    pressing = int((from_center > half * (1 - 2 * s.border)).sum())
    return pressing >= 2 or Box.around(sure).side < s.least_extent * 2 * half


def _crown(keypoints: np.ndarray, skeleton: Skeleton, s: BoxCorrectionSettings) -> np.ndarray:
    """The top of the head [1, 2], beyond the ears as seen from the shoulders; [0, 2] if unknown or a keypoint."""
    names = Skeleton("crown", ("head", "neck"), (), (0.0, 0.0))
    if "head_top" in skeleton.keypoints:
        return np.empty((0, 2))
    head, neck = convert(keypoints, skeleton, names)
    if min(head[2], neck[2]) < s.min_score:
        return np.empty((0, 2))
    return (head[:2] + s.head * (head[:2] - neck[:2]))[None]
