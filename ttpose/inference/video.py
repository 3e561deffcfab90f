"""People followed through a source that is read once: predicted frame by frame, and told apart where they meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ttpose.core.geometry import Box
from ttpose.core.progress import Advance
from ttpose.inference.crops import PersonCrop, cut_crop
from ttpose.inference.follow import CHUNK, FollowedFrame, chunks, follow_frames
from ttpose.inference.masking import without_person
from ttpose.inference.overlap import in_order
from ttpose.inference.pipeline import PredictedClip, predict_crops
from ttpose.inference.prediction import TTAPrediction, join
from ttpose.inference.rivals import Rivals, Sight, is_own
from ttpose.inference.settings import RefineSettings
from ttpose.inference.tta import ViewOutput
from ttpose.media import Frame, Source
from ttpose.models.engine import PoseNetwork
from ttpose.tracking.detector import Detector, SharedDetector
from ttpose.tracking.track import SubjectTrack

#: Receives a crop and its prediction.
Keep = Callable[[PersonCrop, TTAPrediction], None]


def predict_video(
    source: Source,
    track: SubjectTrack,
    base: PoseNetwork,
    detector: Detector,
    settings: RefineSettings,
    advance: Advance,
    *,
    model: PoseNetwork | None = None,
    keep: Keep | None = None,
    keep_maps: bool = False,
) -> PredictedClip:
    """Follow one person through a source, read once; as `predict_tracks` does with several."""
    keeps = None if keep is None else [keep]
    (clip,) = predict_tracks(
        source, [track], base, detector, settings, advance, model=model, keep=keeps, keep_maps=keep_maps
    )
    return clip


def predict_tracks(
    source: Source,
    tracks: Sequence[SubjectTrack],
    base: PoseNetwork,
    detector: Detector,
    settings: RefineSettings,
    advance: Advance,
    *,
    model: PoseNetwork | None = None,
    keep: Sequence[Keep] | None = None,
    keep_maps: bool = False,
) -> list[PredictedClip]:
    """Follow people through a source, read once, and predict each of them in each frame as the settings say.

    Boxes follow the base's plain view whatever the weights are, so that the same clip gives the same crops before and
    after learning.

    Args:
        source: Video or photo.
        tracks: Each person's boxes.
        base: Corrects the boxes.
        detector: Runs where a pose cannot be trusted.
        settings: Views and ensemble.
        advance: Called with the number of frames that were done.
        model: The weights that predict; None takes the base.
        keep: For each person what receives each crop in order, with its prediction (N = 1); whatever it does not keep
            is let go.
        keep_maps: Whether these predictions have the mean heatmaps.

    Returns:
        What was predicted of each person.
    """
    model = base if model is None else model
    margin = not settings.plain or model is not base or keep is not None
    # Left and right of other weights are the base's, where they are corrected (`PredictedClip.sides`), and its pose is
    # shown to the ensemble: so a person file predicts what the personalization wrote, which has both from the base.
    with_base = model is not base and settings.correct_swaps
    base_settings = replace(settings, ensemble_files=())

    def predict(chunk: list[Frame]) -> list[_Chunk]:
        shared = detector if len(tracks) == 1 else SharedDetector(detector)
        return [predict_one(chunk, track, shared) for track in tracks]

    def predict_one(chunk: list[Frame], track: SubjectTrack, shared: Detector) -> _Chunk:
        followed = follow_frames(chunk, track, base, shared, margin=margin)
        seen = [frame for frame in followed if frame.prediction is not None]
        return _Chunk(followed, seen, *(predict_seen(seen) if seen else (None, None)))

    def predict_seen(seen: list[FollowedFrame]) -> tuple[TTAPrediction, TTAPrediction | None]:
        by_base = _predict_followed(seen, base, base, base_settings, keep_maps=False) if with_base else None
        return _predict_followed(seen, base, model, settings, keep_maps=keep_maps, by_base=by_base), by_base

    collected = [_Collected(None if keep is None else keep[i]) for i in range(len(tracks))]

    def predict_without_rival(frame: FollowedFrame, rival: np.ndarray) -> _Chunk:
        """One frame without the person who has been found in it."""
        seen = [frame.without(rival, base)]
        return _Chunk(seen, seen, *predict_seen(seen))

    rivals = Rivals(len(tracks), base.skeleton)
    for parts in in_order(predict, chunks(source.frames(), CHUNK)):
        for person, part in zip(collected, _told_apart(parts, tracks, rivals, predict_without_rival), strict=True):
            person.add(part)
        advance(len(parts[0].followed))
    return [person.clip() for person in collected]


@dataclass(frozen=True)
class _Chunk:
    """A few frames of one person: all, those with the person in them, and what is predicted for these."""

    followed: list[FollowedFrame]
    seen: list[FollowedFrame]
    found: TTAPrediction | None
    by_base: TTAPrediction | None = None

    def sight(self, index: int, box: Box | None) -> Sight | None:
        """What was predicted in a frame in which the track has this box, or None."""
        for row, frame in enumerate(self.seen):
            if frame.index == index and self.found is not None and frame.crop is not None and box is not None:
                return Sight(self.found.keypoints[row], box, frame.crop)
        return None

    def frame(self, index: int) -> FollowedFrame:
        """One of the frames with the person in them."""
        return next(frame for frame in self.seen if frame.index == index)

    def with_frame(self, index: int, other: _Chunk | None, note: str) -> _Chunk:
        """The same with another prediction of a frame, or (None) with nothing in it, and why."""
        old = self.frame(index)
        new = FollowedFrame(index, old.time_s, "; ".join(filter(None, (old.note, note))))
        if other is not None:
            (new,) = other.seen
        seen = [new if frame is old else frame for frame in self.seen]
        followed = [new if frame.index == index else frame for frame in self.followed]
        row = next(row for row, frame in enumerate(self.seen) if frame is old)
        again = other or _Chunk([], [], None)
        found, by_base = (_with_row(*pair, row) for pair in ((self.found, again.found), (self.by_base, again.by_base)))
        return _Chunk(followed, [frame for frame in seen if frame.prediction is not None], found, by_base)


def _with_row(part: TTAPrediction | None, new: TTAPrediction | None, row: int) -> TTAPrediction | None:
    """A prediction with another one in the place of a row, or (None) without it."""
    if part is None:
        return None
    rows = [new if i == row else part.part([i]) for i in range(len(part))]
    kept = [one for one in rows if one is not None]
    return join(kept) if kept else None


def _told_apart(
    parts: list[_Chunk],
    tracks: Sequence[SubjectTrack],
    rivals: Rivals,
    predict_without_rival: Callable[[FollowedFrame, np.ndarray], _Chunk],
) -> list[_Chunk]:
    """The chunks without poses that are somebody else's: of whoever is seen behind that person, or nothing."""
    if len(parts) < 2:
        return parts
    for index in [frame.index for frame in parts[0].followed]:
        sights = [part.sight(index, track.box_at(index)) for part, track in zip(parts, tracks, strict=True)]
        for one, other in rivals.hidden(index, sights).items():
            sight, rival = sights[one], sights[other]
            assert sight is not None and rival is not None  # or they would be no rivals
            again = predict_without_rival(parts[one].frame(index), rival.pose)
            found = again.sight(index, sight.box)
            behind = found is not None and is_own(found, rival)
            parts[one] = parts[one].with_frame(index, again if behind else None, f"hidden by number {other + 1}")
    return parts


class _Collected:
    """One person's chunks in order, without pixels but for what `keep` keeps."""

    def __init__(self, keep: Keep | None) -> None:
        self._keep = keep
        self._frames: list[FollowedFrame] = []
        self._parts: list[TTAPrediction] = []
        self._base_parts: list[TTAPrediction] = []

    def add(self, chunk: _Chunk) -> None:
        if chunk.found is not None:
            for i, frame in enumerate(chunk.seen):
                if self._keep is not None and frame.crop is not None:
                    self._keep(frame.crop, chunk.found.part([i]))
            self._parts.append(replace(chunk.found, maps=None))
        self._base_parts += [] if chunk.by_base is None else [chunk.by_base]
        self._frames += [replace(frame, crop=None, plain=None) for frame in chunk.followed]

    def clip(self) -> PredictedClip:
        parts, base_parts = self._parts, self._base_parts
        return PredictedClip(self._frames, join(parts) if parts else None, join(base_parts) if base_parts else None)


def _predict_followed(
    seen: Sequence[FollowedFrame],
    base: PoseNetwork,
    model: PoseNetwork,
    settings: RefineSettings,
    *,
    keep_maps: bool,
    by_base: TTAPrediction | None = None,
) -> TTAPrediction:
    """The settings' prediction of followed frames; what the plain view of the base has shown is not computed again.

    With `by_base`, the base's prediction of the same frames, the ensemble's part is taken from it.
    """
    followed = join([frame.prediction for frame in seen if frame.prediction is not None])
    if model is base and settings.plain and not keep_maps:
        return followed
    crops = [frame.crop for frame in seen if frame.crop is not None]
    plain = ViewOutput.cat([frame.plain for frame in seen if frame.plain is not None]) if model is base else None
    ensemble = None if by_base is None else by_base.ensemble
    found = predict_crops(model, crops, settings, plain=plain, keep_maps=keep_maps, ensemble=ensemble)
    return found if by_base is None else replace(found, feet=by_base.feet)


def predict_video_again(
    source: Source, clip: PredictedClip, model: PoseNetwork, settings: RefineSettings, advance: Advance
) -> TTAPrediction | None:
    """Other weights' prediction of a clip in the crops of its first prediction, read once more."""
    return predict_tracks_again(source, [clip], [model], settings, advance)[0]


def predict_tracks_again(
    source: Source,
    clips: Sequence[PredictedClip],
    models: Sequence[PoseNetwork],
    settings: RefineSettings,
    advance: Advance,
) -> list[TTAPrediction | None]:
    """The same of several people in one source, each by weights of their own; the ensemble's prediction stands."""
    followed = [{frame.index: frame for frame in clip.seen} for clip in clips]
    second = [_ensemble_by_frame(clip) for clip in clips]

    def predict(chunk: list[Frame]) -> tuple[int, list[TTAPrediction | None]]:
        return len(chunk), [predict_one(chunk, *each) for each in zip(followed, second, models, strict=True)]

    def predict_one(
        chunk: list[Frame], where: dict[int, FollowedFrame], second: dict[int, np.ndarray], model: PoseNetwork
    ) -> TTAPrediction | None:
        known = [frame for frame in chunk if frame.index in where and frame.image is not None]
        crops = [_cut(frame, where[frame.index], model) for frame in known]
        ensemble = np.stack([second[frame.index] for frame in known]) if second and known else None
        return predict_crops(model, crops, settings, ensemble=ensemble) if crops else None

    if all(clip.prediction is None for clip in clips):
        return [None] * len(clips)
    parts: list[list[TTAPrediction]] = [[] for _ in clips]
    for count, found in in_order(predict, chunks(source.frames(), CHUNK)):
        for person, part in zip(parts, found, strict=True):
            person += [] if part is None else [part]
        advance(count)
    return [join(person) if person else None for person in parts]


def _ensemble_by_frame(clip: PredictedClip) -> dict[int, np.ndarray]:
    """What the ensemble's second network predicted [K, 4], by the frame's number; empty where it was not asked."""
    ensemble = None if clip.prediction is None else clip.prediction.ensemble
    return {} if ensemble is None else {frame.index: row for frame, row in zip(clip.seen, ensemble, strict=True)}


def _cut(frame: Frame, followed: FollowedFrame, model: PoseNetwork) -> PersonCrop:
    """The crop of a followed frame, as it was cut before."""
    assert frame.image is not None and followed.crop_box is not None
    grid = model.config.crop
    crop = cut_crop(frame.image, followed.crop_box, grid, index=frame.index, time_s=frame.time_s)
    return crop if followed.masked is None else without_person(crop, followed.masked, model.skeleton)
