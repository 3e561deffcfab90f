"""Everybody in a photo: found, predicted and refined one by one, as a video's subject is in a single frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ttpose.core.geometry import Box
from ttpose.inference.crops import cut_crop
from ttpose.inference.follow import predict_boxes
from ttpose.inference.pipeline import predict_crops
from ttpose.inference.prediction import TTAPrediction
from ttpose.inference.refine.clip import refine
from ttpose.inference.refine.feet import with_feet
from ttpose.inference.settings import RefineSettings
from ttpose.inference.tta import ViewOutput
from ttpose.media import Frame
from ttpose.models.engine import PoseNetwork
from ttpose.tracking.box_correction import refine_box
from ttpose.tracking.detector import Detector, DetectorSettings
from ttpose.tracking.search import Searcher
from ttpose.tracking.settings import TrackSettings

_MOST_PEOPLE = 20  # a crowd is nobody's personalization
# A detection this small, in pixels of the box's longer side, whose mean score stays below this is not a person that
# anybody could measure: a spot in the background.
_TINY_PX, _TINY_SCORE = 48, 0.2


@dataclass(frozen=True)
class PhotoPerson:
    """One person: the box that the pose has corrected, and keypoints [K, 3], both in the photo's pixels.

    The keypoints are those of `RefineSettings.output_skeleton`.
    """

    box: Box
    keypoints: np.ndarray


def find_people(image: np.ndarray, detector: Detector) -> list[Box]:
    """Boxes of the people in an RGB uint8 [H, W, 3] image, surest first, as `track_subject` finds them in a video."""
    settings = TrackSettings()
    found = Searcher(detector, settings).search(image, 0.0, [])
    sure = [person for person in found if person.score >= DetectorSettings.min_score]
    ordered = sorted(sure, key=lambda person: -person.score)
    return [person.box.with_margin(settings.margin_share) for person in ordered[:_MOST_PEOPLE]]


def predict_people(
    image: np.ndarray,
    boxes: Sequence[Box],
    base: PoseNetwork,
    detector: Detector,
    settings: RefineSettings,
    model: PoseNetwork | None = None,
) -> list[PhotoPerson]:
    """Predict the people in boxes of an image; boxes are corrected by the base's pose, as in videos.

    Args:
        image: RGB uint8 [H, W, 3].
        boxes: In its pixels.
        base: Corrects the boxes.
        detector: Runs where a pose cannot be trusted.
        settings: Views, ensemble and refinement.
        model: The weights that predict; None takes the base.

    Returns:
        The people in the boxes' order, without tiny ones that the model is not sure of.
    """
    frame = Frame(0, 0.0, image)
    found = predict_boxes([(frame, box) for box in boxes], base, detector)
    if not found:
        return []
    used = base if model is None else model
    plain = ViewOutput.cat([person.plain for person in found]) if used is base else None
    seen = predict_crops(used, [person.crop for person in found], settings, plain=plain)
    people, own = [], len(used.skeleton)
    for person, points in zip(found, _refined(seen, used, settings), strict=True):
        body = points[:own]  # feet say nothing about the box
        box = refine_box(person.box, body, skeleton=used.skeleton)
        if box.side >= _TINY_PX or body[:, 2].mean() >= _TINY_SCORE:
            people.append(PhotoPerson(box, points))
    return people


def predict_in_box(image: np.ndarray, box: Box, model: PoseNetwork, settings: RefineSettings) -> np.ndarray:
    """Keypoints [K, 3] of the person in exactly this box of an RGB uint8 image, in its pixels."""
    seen = predict_crops(model, [cut_crop(image, box, model.config.crop, plain=settings.plain)], settings)
    return _refined(seen, model, settings)[0]


def _refined(seen: TTAPrediction, model: PoseNetwork, settings: RefineSettings) -> np.ndarray:
    """[N, K, 3]: each person is a clip of one frame."""
    skeleton = model.skeleton
    feet, found = len(settings.output_skeleton(skeleton)) > len(skeleton), []
    for i in range(len(seen)):
        one = seen.part([i])
        refined = refine(one, [0.0], skeleton, settings)
        found.append((with_feet(refined, one, [0.0], skeleton) if feet else refined).keypoints)
    return np.concatenate(found)
