"""The subject of a clip as a stream of crops: each frame's box from the track, corrected by the pose in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ttpose.core.geometry import Box
from ttpose.core.progress import Advance
from ttpose.inference.crops import PersonCrop, cut_crop
from ttpose.inference.tta import TTA_VIEWS, TTAPrediction, join, predict_tta
from ttpose.media import Frame, Source
from ttpose.models.pose_model import PoseModel
from ttpose.tracking.box_correction import needs_redetection, refine_box
from ttpose.tracking.detector import Detector
from ttpose.tracking.track import SubjectTrack

_BATCH = 8
# A crop is cut and looked at again when its corrected box overlaps the first one by less than this.
_SAME_BOX = 0.75
# A new detection is the subject only where the track expects it.
_EXPECTED = 0.3


@dataclass(frozen=True)
class SubjectFrame:
    """One decoded frame and what the model saw of the subject in it.

    Attributes:
        index: Position in the clip.
        time_s: Presentation time.
        crop: The subject's cut-out, None where the subject is not known to be in the frame.
        box: The subject's corrected box in the image, or None.
        seen: The model's observation of the crop (N = 1), or None.
        note: Why there is no crop, or what is odd about the frame.
    """

    index: int
    time_s: float
    crop: PersonCrop | None
    box: Box | None
    seen: TTAPrediction | None
    note: str | None


def follow_subject(
    source: Source, track: SubjectTrack, model: PoseModel, detector: Detector, advance: Advance, *, crops: bool = True
) -> Iterator[SubjectFrame]:
    """Every decoded frame in order; pixels are let go as soon as they are cut.

    Without `crops` there are none in what is given, and the frames are looked at faster.
    """
    waiting: list[Frame] = []
    for frame in source.frames():
        waiting.append(frame)
        if len(waiting) == _BATCH:
            yield from _look(waiting, track, model, detector, crops)
            advance(len(waiting))
            waiting = []
    yield from _look(waiting, track, model, detector, crops)
    advance(len(waiting))


def _look(
    frames: Sequence[Frame], track: SubjectTrack, model: PoseModel, detector: Detector, crops: bool
) -> Iterator[SubjectFrame]:
    boxes = {f.index: track.box_at(f.index) for f in frames if f.image is not None}
    known = [(f, box) for f in frames if (box := boxes.get(f.index)) is not None]
    found = _observe(model, known, crops)
    again = [(f, better) for f, box in known if (better := _better_box(f, box, found[f.index], model, detector)) != box]
    found |= _observe(model, again, crops)
    for frame in frames:
        if frame.index not in found:
            note = frame.note or ("the frame is damaged" if frame.image is None else "the person was not found")
            yield SubjectFrame(frame.index, frame.time_s, None, None, None, note)
            continue
        crop, box, seen = found[frame.index]
        box = refine_box(box, seen.keypoints[0], skeleton=model.skeleton)
        yield SubjectFrame(frame.index, frame.time_s, crop if crops else None, box, seen, frame.note)


_Found = dict[int, tuple[PersonCrop, Box, TTAPrediction]]


def _observe(model: PoseModel, pairs: Sequence[tuple[Frame, Box]], with_margin: bool) -> _Found:
    """Crop, box and observation by frame index."""
    size = model.config.input_size
    crops = [
        cut_crop(frame.image, box, size, index=frame.index, time_s=frame.time_s, plain=not with_margin)
        for frame, box in pairs
        if frame.image is not None
    ]
    if not crops:
        return {}
    seen = predict_tta(model, crops, TTA_VIEWS[:1])
    return {crop.index: (crop, box, row(seen, i)) for i, (crop, (_, box)) in enumerate(zip(crops, pairs, strict=True))}


def _better_box(
    frame: Frame, box: Box, found: tuple[PersonCrop, Box, TTAPrediction], model: PoseModel, detector: Detector
) -> Box:
    """The box itself, or the one to look at instead."""
    keypoints = found[2].keypoints[0]
    if needs_redetection(box, keypoints) and frame.image is not None:
        near = [d.box for d in detector.find([frame.image])[0] if d.box.iou(box) > _EXPECTED]
        if near:
            best = max(near, key=box.iou)
            return best if best.iou(box) < _SAME_BOX else box
        return box
    refined = refine_box(box, keypoints, skeleton=model.skeleton)
    return refined if refined.iou(box) < _SAME_BOX else box


def row(seen: TTAPrediction, position: int) -> TTAPrediction:
    """One frame of an observation."""
    return seen.part(slice(position, position + 1))


def gather(frames: Sequence[SubjectFrame]) -> TTAPrediction:
    """The observations of the frames that have one, in order."""
    return join([f.seen for f in frames if f.seen is not None])


class CropStore:
    """Keeps at most `most` crops, evenly over a clip whose length nobody knows beforehand.

    Every `stride`-th crop is kept; when there are too many, every other one goes and the stride doubles.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.stride = 1
        self.offered = 0
        self._kept: list[PersonCrop] = []

    def offer(self, crop: PersonCrop) -> None:
        """Take the next crop in order of time, or let it go."""
        if self.offered % self.stride == 0:
            self._kept.append(crop)
        self.offered += 1
        if len(self._kept) > self.most:
            self._kept = self._kept[::2]
            self.stride *= 2

    @property
    def crops(self) -> list[PersonCrop]:
        """What is kept, in order."""
        return list(self._kept)

    @property
    def complete(self) -> bool:
        """Whether nothing was let go."""
        return self.stride == 1
