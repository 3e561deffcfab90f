"""The subject of a clip as a stream of crops: each frame's box from the track, corrected by the pose in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from ttpose.core.geometry import Box
from ttpose.inference.crops import PersonCrop, cut_crop
from ttpose.inference.masking import without_person
from ttpose.inference.prediction import TTAPrediction
from ttpose.inference.tta import ViewOutput, plain_view, predict_tta
from ttpose.media import Frame
from ttpose.models.engine import PoseNetwork
from ttpose.results.together import NOT_FOUND
from ttpose.tracking.box_correction import better_box, refine_box
from ttpose.tracking.detector import Detector
from ttpose.tracking.track import SubjectTrack

#: Frames that are read and predicted together: a batch of the network's.
CHUNK = 4


@dataclass(frozen=True)
class FollowedFrame:
    """One decoded frame and the subject in it, as one plain view shows it.

    Attributes:
        index: Position in the clip.
        time_s: Presentation time.
        note: Why there is no crop, or what is odd about the frame.
        crop: The subject's cut-out, None where the subject is not known to be in the frame.
        crop_box: The box that the crop was cut by, or None.
        box: The subject's box in the image as the pose corrects it, or None.
        prediction: By the plain view of the crop (N = 1), or None.
        plain: The network's output that it was decoded from, or None.
        masked: [K, 3] the pose of somebody in front who is masked out of the crop, or None.
    """

    index: int
    time_s: float
    note: str | None
    crop: PersonCrop | None = None
    crop_box: Box | None = None
    box: Box | None = None
    prediction: TTAPrediction | None = None
    plain: ViewOutput | None = None
    masked: np.ndarray | None = None

    def without(self, pose: np.ndarray, model: PoseNetwork) -> FollowedFrame:
        """The frame predicted anew with somebody else's pose [K, 3] masked out of the crop, which must be there."""
        assert self.crop is not None and self.crop_box is not None
        crop = without_person(self.crop, pose, model.skeleton)
        (person,) = _predict_crops([crop], [self.crop_box], model)
        return replace(
            self, crop=crop, box=person.box, prediction=person.prediction, plain=person.plain, masked=pose
        )  # fmt: skip


@dataclass(frozen=True)
class BoxedPerson:
    """A person predicted by one plain view in a box that the pose has corrected; attributes as of `FollowedFrame`."""

    crop: PersonCrop
    crop_box: Box
    box: Box
    prediction: TTAPrediction
    plain: ViewOutput


def chunks(frames: Iterable[Frame], count: int) -> Iterator[list[Frame]]:
    """The frames, so many at a time, the last ones fewer."""
    frames = iter(frames)
    while few := list(islice(frames, count)):
        yield few


def follow_frames(
    frames: Sequence[Frame], track: SubjectTrack, model: PoseNetwork, detector: Detector, *, margin: bool = True
) -> list[FollowedFrame]:
    """The subject in some decoded frames, in any order of calls; pixels are let go as soon as they are cut.

    Args:
        frames: A chunk of a source's.
        track: The subject's box in each frame of the source.
        model: The network that predicts the plain view and so corrects the boxes.
        detector: Runs where a pose cannot be trusted.
        margin: Whether crops have the margin that other views than the plain one need; without it cutting is faster.
    """
    boxes = [track.box_at(frame.index) for frame in frames]
    known = [(f, box) for f, box in zip(frames, boxes, strict=True) if f.image is not None and box is not None]
    people = dict(zip([f.index for f, _ in known], predict_boxes(known, model, detector, margin=margin), strict=True))
    return [_followed(frame, people.get(frame.index)) for frame in frames]


def _followed(frame: Frame, person: BoxedPerson | None) -> FollowedFrame:
    if person is None:
        missing = "the frame is damaged" if frame.image is None else NOT_FOUND
        return FollowedFrame(frame.index, frame.time_s, frame.note or missing)
    return FollowedFrame(
        frame.index, frame.time_s, frame.note,
        person.crop, person.crop_box, person.box, person.prediction, person.plain,
    )  # fmt: skip


def predict_boxes(
    known: Sequence[tuple[Frame, Box]], model: PoseNetwork, detector: Detector, *, margin: bool = True
) -> list[BoxedPerson]:
    """Predict the people in boxes by one plain view, in a better box where the pose asks for one.

    Args:
        known: Frames with their pictures, and a person's box in each.
        model, detector, margin: As for `follow_frames`.
    """
    found = _predict(known, model, margin)
    again = []
    for i, (frame, box) in enumerate(known):
        image = frame.image
        assert image is not None  # of those with pictures alone

        def detect(image: np.ndarray = image) -> list[Box]:
            return [one.box for one in detector.find([image])[0]]

        other = better_box(box, found[i].prediction.keypoints[0], detect, skeleton=model.skeleton)
        if other != box:
            again.append((i, (frame, other)))
    for (i, _), better in zip(again, _predict([pair for _, pair in again], model, margin), strict=True):
        found[i] = better
    return found


def _predict(pairs: Sequence[tuple[Frame, Box]], model: PoseNetwork, margin: bool) -> list[BoxedPerson]:
    grid = model.config.crop
    crops = [
        cut_crop(frame.image, box, grid, index=frame.index, time_s=frame.time_s, plain=not margin)
        for frame, box in pairs
        if frame.image is not None
    ]
    return _predict_crops(crops, [box for _, box in pairs], model) if crops else []


def _predict_crops(crops: Sequence[PersonCrop], boxes: Sequence[Box], model: PoseNetwork) -> list[BoxedPerson]:
    plain = plain_view(model, crops)
    prediction = predict_tta(model, crops, plain=plain)
    found = []
    for i, (crop, box) in enumerate(zip(crops, boxes, strict=True)):
        corrected = refine_box(box, prediction.keypoints[i], skeleton=model.skeleton)
        found.append(BoxedPerson(crop, box, corrected, prediction.part([i]), plain.rows([i])))
    return found
