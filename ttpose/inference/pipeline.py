"""Inference from top to bottom: crops, test-time augmentation, keypoints, ensemble, refinement over time, records.

Videos, photos, evaluation and the final predictions of a personalization all come through here. Nothing learns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ttpose.core.progress import Advance, Progress
from ttpose.core.skeleton import Skeleton
from ttpose.inference.crops import PersonCrop, cut_crop
from ttpose.inference.ensemble import ensemble_member
from ttpose.inference.follow import CHUNK, FollowedFrame, chunks, follow_frames
from ttpose.inference.onnx_ensemble import predict_onnx
from ttpose.inference.overlap import in_order
from ttpose.inference.prediction import TTAPrediction, join
from ttpose.inference.records import frame_records
from ttpose.inference.refine.clip import Refined, refine
from ttpose.inference.refine.corrected import CorrectedFrames
from ttpose.inference.refine.left_right import corrected_sides
from ttpose.inference.settings import RefineSettings
from ttpose.inference.tta import TTA_VIEWS, ViewOutput, predict_batches, predict_tta
from ttpose.media import Frame, Source
from ttpose.models.engine import PoseNetwork
from ttpose.models.pose_model import PoseModel
from ttpose.results.records import FrameRecord
from ttpose.tracking.detector import Detector
from ttpose.tracking.track import SubjectTrack


def predict_crops(
    model: PoseNetwork,
    crops: Sequence[PersonCrop],
    settings: RefineSettings,
    advance: Advance | None = None,
    *,
    ensemble: np.ndarray | None = None,
    plain: ViewOutput | None = None,
    keep_maps: bool = False,
) -> TTAPrediction:
    """Predict crops by test-time augmentation and, where the settings say so, by the ensemble's second network.

    Args:
        model: The network, base or personalized.
        crops: N frames of one person.
        settings: How many views, and whether the ensemble predicts.
        advance: Called with the number of crops that were done.
        ensemble: [N, K, 4] what the second network predicted for the same crops before; it is then not run again.
            None shows it the pose that `model` finds.
        plain: `model`'s output for the crops' plain views, where it is known already.
        keep_maps: Whether the mean heatmaps are kept.
    """
    views = TTA_VIEWS[: settings.views]

    def predict(rows: range) -> TTAPrediction:
        few, known = [crops[i] for i in rows], None if plain is None else plain.rows(rows)
        found = predict_tta(model, few, views, keep_maps=keep_maps, plain=known)
        if settings.ensemble:
            before = None if ensemble is None else ensemble[rows.start : rows.stop]
            found = replace(found, ensemble=_second(model, few, found) if before is None else before)
        if settings.ensemble_files:
            found = replace(found, ensemble_onnx=predict_onnx(settings.ensemble_files, few, model.skeleton))
        return found

    return join(predict_batches(predict, len(crops), advance))


def _second(model: PoseNetwork, crops: Sequence[PersonCrop], found: TTAPrediction) -> np.ndarray:
    """What the ensemble's second network predicts for crops, shown the pose that the first one found."""
    compile = not isinstance(model, PoseModel)  # as the first one is
    member = ensemble_member(model.skeleton, str(model.device), compile=compile)
    return member.predict(crops, found.keypoints)


def predict_clip(
    model: PoseNetwork,
    crops: Sequence[PersonCrop],
    settings: RefineSettings,
    progress: Progress | None = None,
    *,
    ensemble: np.ndarray | None = None,
) -> Refined:
    """The refined keypoints [N, K, 3] of one clip's crops in order of time; arguments as of `predict_crops`."""
    with (progress or Progress()).stage("predict", len(crops)) as advance:
        found = predict_crops(model, crops, settings, advance, ensemble=ensemble)
    return refine(found, [crop.time_s for crop in crops], model.skeleton, settings)


@dataclass(frozen=True)
class PredictedClip:
    """A video or photo after prediction, without pixels.

    Attributes:
        frames: Every decoded frame, with its box and the base's prediction by one plain view.
        prediction: Of the M frames in which the subject is known, by the settings' views and ensemble; None for M = 0.
        base_prediction: The same by the base without the ensemble, for left/right where other weights predicted.
    """

    frames: list[FollowedFrame]
    prediction: TTAPrediction | None
    base_prediction: TTAPrediction | None = None

    @property
    def seen(self) -> list[FollowedFrame]:
        """The M frames in which the subject is known."""
        return [frame for frame in self.frames if frame.prediction is not None]

    def sides(self, skeleton: Skeleton, settings: RefineSettings) -> np.ndarray | None:
        """[M, K, 2]: the base's keypoints, left/right corrected, for other weights to keep to.

        A small change of the weights can tip left and right of a whole stretch; the base's are the steadier ones
        (docs/experiments.md). None where the settings correct nothing.
        """
        found = self.base_prediction or self.prediction
        if found is None or not settings.correct_swaps:
            return None
        return corrected_sides(found, np.array([frame.time_s for frame in self.seen]), skeleton)

    @property
    def single_view(self) -> TTAPrediction | None:
        """The base's prediction of the M frames by one plain view."""
        parts = [frame.prediction for frame in self.frames if frame.prediction is not None]
        return join(parts) if parts else None

    def records(
        self,
        skeleton: Skeleton,
        settings: RefineSettings,
        prediction: TTAPrediction | None = None,
        corrected: CorrectedFrames | None = None,
    ) -> list[FrameRecord]:
        """One record for every frame, refined over time.

        Args:
            skeleton: The keypoint set.
            settings: Which steps of the refinement are taken.
            prediction: Another one of the same M frames; None takes the clip's own.
            corrected: What a person said, of all frames.
        """
        chosen = prediction or self.prediction
        if chosen is None:
            return frame_records(self.frames, None, skeleton, corrected)
        rows = [row for row, frame in enumerate(self.frames) if frame.prediction is not None]
        said = None if corrected is None else corrected.part(rows)
        by_base = chosen is self.prediction and self.base_prediction is None
        sides = None if by_base or corrected is not None else self.sides(skeleton, settings)
        refined = refine(chosen, [frame.time_s for frame in self.seen], skeleton, settings, said, sides)
        return frame_records(self.frames, refined, skeleton, corrected)


def predict_video(
    source: Source,
    track: SubjectTrack,
    base: PoseNetwork,
    detector: Detector,
    settings: RefineSettings,
    advance: Advance,
    *,
    model: PoseNetwork | None = None,
    keep: Callable[[PersonCrop, TTAPrediction], None] | None = None,
    keep_maps: bool = False,
) -> PredictedClip:
    """Follow the subject through a source, read once, and predict each frame as the settings say.

    Boxes follow the base's plain view whatever the weights are, so that the same clip gives the same crops before and
    after learning.

    Args:
        source: Video or photo.
        track: The subject's boxes.
        base: Corrects the boxes.
        detector: Runs where a pose cannot be trusted.
        settings: Views and ensemble.
        advance: Called with the number of frames that were done.
        model: The weights that predict; None takes the base.
        keep: Receives each crop in order, with its prediction (N = 1); whatever it does not keep is let go.
        keep_maps: Whether these predictions have the mean heatmaps.
    """
    model = base if model is None else model
    margin = not settings.plain or model is not base or keep is not None
    frames: list[FollowedFrame] = []
    parts: list[TTAPrediction] = []
    base_parts: list[TTAPrediction] = []
    # Left and right of other weights are the base's, where they are corrected (`PredictedClip.sides`).
    with_base = model is not base and settings.correct_swaps
    base_settings = replace(settings, ensemble=False, ensemble_files=())

    def predict(
        chunk: list[Frame],
    ) -> tuple[list[FollowedFrame], list[FollowedFrame], TTAPrediction | None, TTAPrediction | None]:
        followed = follow_frames(chunk, track, base, detector, margin=margin)
        seen = [frame for frame in followed if frame.prediction is not None]
        found = _predict_followed(seen, base, model, settings, keep_maps=keep_maps) if seen else None
        if not seen or not with_base:
            return followed, seen, found, None
        return followed, seen, found, _predict_followed(seen, base, base, base_settings, keep_maps=False)

    for followed, seen, found, by_base in in_order(predict, chunks(source.frames(), CHUNK)):
        if found is not None:
            for i, frame in enumerate(seen):
                if keep is not None and frame.crop is not None:
                    keep(frame.crop, found.part([i]))
            parts.append(replace(found, maps=None))
        base_parts += [] if by_base is None else [by_base]
        frames += [replace(frame, crop=None, plain=None) for frame in followed]
        advance(len(followed))
    return PredictedClip(frames, join(parts) if parts else None, join(base_parts) if base_parts else None)


def _predict_followed(
    seen: Sequence[FollowedFrame], base: PoseNetwork, model: PoseNetwork, settings: RefineSettings, *, keep_maps: bool
) -> TTAPrediction:
    """The settings' prediction of followed frames; what the plain view of the base has shown is not computed again."""
    followed = join([frame.prediction for frame in seen if frame.prediction is not None])
    if model is base and settings.plain and not keep_maps:
        return followed
    crops = [frame.crop for frame in seen if frame.crop is not None]
    plain = ViewOutput.cat([frame.plain for frame in seen if frame.plain is not None]) if model is base else None
    return predict_crops(model, crops, settings, plain=plain, keep_maps=keep_maps)


def predict_video_again(
    source: Source, clip: PredictedClip, model: PoseNetwork, settings: RefineSettings, advance: Advance
) -> TTAPrediction | None:
    """Other weights' prediction of a clip in the crops of its first prediction, read once more."""
    if clip.prediction is None:
        return None
    followed = {frame.index: frame for frame in clip.seen}

    def predict(chunk: list[Frame]) -> tuple[int, TTAPrediction | None]:
        known = [frame for frame in chunk if frame.index in followed and frame.image is not None]
        crops = [_cut(frame, followed[frame.index], model) for frame in known]
        return len(chunk), predict_crops(model, crops, settings) if crops else None

    parts = []
    for count, found in in_order(predict, chunks(source.frames(), CHUNK)):
        parts += [] if found is None else [found]
        advance(count)
    return join(parts)


def _cut(frame: Frame, followed: FollowedFrame, model: PoseNetwork) -> PersonCrop:
    """The crop of a followed frame, as it was cut before."""
    assert frame.image is not None and followed.crop_box is not None
    grid = model.config.crop
    return cut_crop(frame.image, followed.crop_box, grid, index=frame.index, time_s=frame.time_s)
