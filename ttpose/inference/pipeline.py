"""Inference from top to bottom: crops, test-time augmentation, keypoints, ensemble, refinement over time, records.

Videos, photos, evaluation and the final predictions of a personalization all come through here. Nothing learns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ttpose.core.progress import Advance, Progress
from ttpose.core.skeleton import Skeleton
from ttpose.inference.crops import PersonCrop
from ttpose.inference.ensemble import ensemble_member
from ttpose.inference.follow import FollowedFrame
from ttpose.inference.onnx_ensemble import predict_onnx
from ttpose.inference.prediction import TTAPrediction, join
from ttpose.inference.records import frame_records
from ttpose.inference.refine.clip import Refined, refine
from ttpose.inference.refine.corrected import CorrectedFrames
from ttpose.inference.refine.feet import with_feet
from ttpose.inference.refine.left_right import corrected_sides
from ttpose.inference.settings import RefineSettings
from ttpose.inference.tta import TTA_VIEWS, ViewOutput, predict_batches, predict_tta
from ttpose.models.engine import PoseNetwork
from ttpose.models.pose_model import PoseModel
from ttpose.results.records import FrameRecord


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
            found = _with_second(model, few, found, settings) if before is None else replace(found, ensemble=before)
        if settings.ensemble_files:
            found = replace(found, ensemble_onnx=predict_onnx(settings.ensemble_files, few, model.skeleton))
        return found

    return join(predict_batches(predict, len(crops), advance))


def _with_second(
    model: PoseNetwork, crops: Sequence[PersonCrop], found: TTAPrediction, settings: RefineSettings
) -> TTAPrediction:
    """With what the ensemble's second network predicts for crops, shown the pose that the first one found."""
    compile, known = not isinstance(model, PoseModel), len(model.skeleton)  # compiled as the first one is
    skeleton = settings.output_skeleton(model.skeleton)
    said = ensemble_member(skeleton, str(model.device), compile=compile).predict(crops, found.keypoints)
    feet = said[:, known:] if len(skeleton) > known else None
    return replace(found, ensemble=said[:, :known], feet=feet)


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
        base_prediction: The same by the base, for left/right where other weights predicted.
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
        """One record for every frame, refined over time, in `settings.output_skeleton`.

        Args:
            skeleton: The model's keypoint set.
            settings: Which steps of the refinement are taken.
            prediction: Another one of the same M frames; None takes the clip's own. Feet that it lacks are the clip's.
            corrected: What a person said, of all frames, in the result's keypoint set.
        """
        chosen = prediction or self.prediction
        if chosen is None:
            return frame_records(self.frames, None, skeleton, corrected)
        rows = [row for row, frame in enumerate(self.frames) if frame.prediction is not None]
        said = None if corrected is None else corrected.part(rows)
        body = None if said is None else said.joints(len(skeleton))
        by_base = chosen is self.prediction and self.base_prediction is None
        sides = None if by_base or corrected is not None else self.sides(skeleton, settings)
        times = [frame.time_s for frame in self.seen]
        refined = refine(chosen, times, skeleton, settings, body, sides)
        if len(settings.output_skeleton(skeleton)) > len(skeleton):
            seen = chosen if chosen.feet is not None or self.prediction is None else self.prediction
            refined = with_feet(refined, seen, times, skeleton, said)
        return frame_records(self.frames, refined, skeleton, corrected)
