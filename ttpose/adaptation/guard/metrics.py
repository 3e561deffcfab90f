"""The guard's metrics: what can be measured of weights without labels, on held-out frames."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F

from ttpose.adaptation.guard.held_out import RUN
from ttpose.adaptation.losses.reconstruction import person_weight
from ttpose.core import geometry
from ttpose.core.geometry import CropGrid
from ttpose.core.skeleton import Skeleton, torso_lengths
from ttpose.inference.crops import PersonCrop, by_clip
from ttpose.inference.prediction import TTAPrediction
from ttpose.inference.refine.clip import refine
from ttpose.inference.settings import SINGLE_VIEW, RefineSettings
from ttpose.inference.tta import BATCH, TTA_VIEWS, predict_tta
from ttpose.inference.warps import PLAIN, warped_batch
from ttpose.models.engine import compiled
from ttpose.models.perceptual_features import perceptual_loss
from ttpose.models.pose_model import PoseModel
from ttpose.results.former import current_guard

Decision = Literal["personalized", "interpolated", "base"]
#: How much of the change each decision keeps.
INTERPOLATION: dict[Decision, float] = {"personalized": 1.0, "interpolated": 0.5, "base": 0.0}

#: Plain; closer and mirrored; closer, mirrored and turned: one alone cannot disagree.
FEWEST_VIEWS = 3


@dataclass(frozen=True)
class GuardMetrics:
    """What can be measured of weights without labels, on held-out frames; lower is better, except for the score.

    Attributes:
        disagreement: How far mirrored, turned and scaled views differ, in shares of the torso.
        jumps: Median acceleration between neighbouring frames in shares of the torso.
        limb_spread: Spread of limb lengths over the frames, relative to their means.
        score: Mean keypoint score.
        moved: Mean distance from the base's keypoints in shares of the torso.
        reconstruction: Error of reconstructing held-out frames, or None where the decoder was not adapted.
    """

    disagreement: float
    jumps: float
    limb_spread: float
    score: float
    moved: float
    reconstruction: float | None


_NAMES = tuple(field.name for field in dataclasses.fields(GuardMetrics))


@dataclass(frozen=True)
class GuardReport:
    """The decision, why, and the metrics behind it.

    Attributes:
        decision: Which weights the result uses.
        reason: One line in plain words.
        checks: Metrics of each candidate; empty where nothing was measured, or corrected frames decided.
        leave_one_out: What was measured in corrected frames (`ttpose.adaptation.guard.leave_one_out`), where it was.
    """

    decision: Decision
    reason: str
    checks: dict[str, GuardMetrics]
    leave_one_out: dict[str, Any] | None = None

    @property
    def metrics(self) -> dict[str, dict[str, float | None]]:
        """Each metric's value by candidate."""
        return {name: {kind: getattr(c, name) for kind, c in self.checks.items()} for name in _NAMES}

    def to_dict(self) -> dict[str, object]:
        """For files: decision, reason, metrics."""
        told: dict[str, object] = {"decision": self.decision, "reason": self.reason, "metrics": self.metrics}
        return told if self.leave_one_out is None else {**told, "leave_one_out": self.leave_one_out}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> GuardReport:
        """The inverse of `to_dict`, also with the former keys (`verdict`, `figures`).

        Raises:
            KeyError, TypeError, ValueError, AttributeError: The data is something else.
        """
        data = current_guard(data)
        if data["decision"] not in INTERPOLATION:
            raise ValueError(f"no decision: {data['decision']!r}")
        metrics = data["metrics"]
        candidates: dict[str, Any] = next(iter(metrics.values()), {})
        checks = {kind: GuardMetrics(**{name: metrics[name][kind] for name in _NAMES}) for kind in candidates}
        return cls(data["decision"], str(data["reason"]), checks, data.get("leave_one_out"))


def measure(
    model: PoseModel,
    base_keypoints: np.ndarray | None,
    crops: Sequence[PersonCrop],
    reconstructor: PoseModel | None,
    perceptual: str | None = None,
    settings: RefineSettings = SINGLE_VIEW,
    ensemble: np.ndarray | None = None,
    known: TTAPrediction | None = None,
) -> tuple[GuardMetrics, np.ndarray]:
    """Measure one set of weights, refined as the result will be, on each clip by itself.

    Args:
        model: The weights.
        base_keypoints: The base's refined keypoints of the same crops [N, K, 3], or None when `model` is the base.
        crops: Held-out crops, in each clip runs of neighbours in order.
        reconstructor: A model whose reconstruction nets were adapted to the clip, or None.
        perceptual: How reconstructed frames are compared, as in the settings.
        settings: How keypoints are refined; the heatmaps of fewer than three views are measured by three.
        ensemble: [N, K, 4] what the ensemble's second network predicted for the crops; None leaves it out.
        known: What the model predicts for the crops by as many views as are measured; None predicts it now.

    Returns:
        The figures, means over the clips, and the refined keypoints [N, K, 3] in original pixels.
    """
    network, found = compiled(model), []
    for part in by_clip(crops):
        if known is not None:
            prediction = replace(known.part(part), maps=None)
        else:
            prediction = predict_tta(network, crops[part], TTA_VIEWS[: max(settings.views, FEWEST_VIEWS)])
        prediction = replace(prediction, ensemble=None if ensemble is None else ensemble[part])
        before = None if base_keypoints is None else base_keypoints[part]
        found.append(_measure_clip(model, prediction, before, crops[part], reconstructor, perceptual, settings))
    keypoints = np.concatenate([points for _, points in found])
    return _mean([checks for checks, _ in found], [len(points) for _, points in found]), keypoints


def _mean(checks: Sequence[GuardMetrics], frames: Sequence[int]) -> GuardMetrics:
    """Means over clips, weighted by frames; single frames tell nothing of movement, lengths and reconstruction."""
    if len(checks) == 1:
        return checks[0]
    moving, paired = ([n if n >= least else 0 for n in frames] for least in (RUN, 2))

    def mean(name: str, weights: Sequence[int]) -> float:
        return float(np.average([getattr(c, name) for c in checks], weights=weights)) if any(weights) else 0.0

    reconstructed = checks[0].reconstruction is not None
    return GuardMetrics(
        disagreement=mean("disagreement", frames),
        jumps=mean("jumps", moving),
        limb_spread=mean("limb_spread", moving),
        score=mean("score", frames),
        moved=mean("moved", frames),
        reconstruction=mean("reconstruction", paired if any(paired) else frames) if reconstructed else None,
    )


def _measure_clip(
    model: PoseModel,
    seen: TTAPrediction,
    base_keypoints: np.ndarray | None,
    crops: Sequence[PersonCrop],
    reconstructor: PoseModel | None,
    perceptual: str | None,
    settings: RefineSettings,
) -> tuple[GuardMetrics, np.ndarray]:
    skeleton = model.skeleton
    sides = None if base_keypoints is None else base_keypoints[..., :2]  # as in the result
    keypoints = refine(seen, [crop.time_s for crop in crops], skeleton, settings, sides=sides).keypoints
    torso = _torso(keypoints, skeleton)
    crop_sides = np.array([_original_height(crop, model.config.crop) for crop in crops])
    disagreement = np.minimum(seen.spread * crop_sides[:, None] / torso, 0.5)
    moved = 0.0
    if base_keypoints is not None:
        distance = np.linalg.norm(keypoints[..., :2] - base_keypoints[..., :2], axis=-1) / torso
        moved = float(np.minimum(distance, 1.0).mean())
    checks = GuardMetrics(
        disagreement=float(disagreement.mean()),
        jumps=_jumps(keypoints, crops, torso),
        limb_spread=_limb_spread(keypoints, skeleton, torso),
        score=float(keypoints[..., 2].mean()),
        moved=moved,
        reconstruction=None
        if reconstructor is None
        else _reconstruction_error(model, reconstructor, crops, perceptual),
    )
    return checks, keypoints


def _torso(keypoints: np.ndarray, skeleton: Skeleton) -> float:
    """Median torso length of the frames, pixels; without hips (BBC Pose) the pose's longer side, about as long."""
    if {f"{side}_{part}" for side in ("left", "right") for part in ("shoulder", "hip")} <= set(skeleton.keypoints):
        lengths = torso_lengths(keypoints, skeleton)
    else:
        lengths = np.ptp(keypoints[..., :2], axis=1).max(-1)
    return float(max(np.median(lengths), 1.0))


def _original_height(crop: PersonCrop, grid: CropGrid) -> float:
    """Height of the network's view of a crop in original pixels, in which views' disagreement is measured."""
    to_view = geometry.compose(crop.matrix(grid), geometry.invert(crop.to_source))
    return grid.height / float(np.sqrt(abs(np.linalg.det(to_view[:, :2]))))


def _jumps(keypoints: np.ndarray, crops: Sequence[PersonCrop], torso: float) -> float:
    """Median over runs of three neighbours of how far the middle one is from half-way between the others."""
    triples = range(0, len(crops) - len(crops) % RUN, RUN)
    middle = [keypoints[i + 1, :, :2] - (keypoints[i, :, :2] + keypoints[i + 2, :, :2]) / 2 for i in triples]
    return float(np.median(np.linalg.norm(np.stack(middle), axis=-1)) / torso) if middle else 0.0


def _limb_spread(keypoints: np.ndarray, skeleton: Skeleton, torso: float) -> float:
    """Mean over limbs of the interquartile range of their lengths, in torsos."""
    ends = np.array(skeleton.limbs)
    lengths = np.linalg.norm(keypoints[:, ends[:, 0], :2] - keypoints[:, ends[:, 1], :2], axis=-1) / torso
    return float((np.percentile(lengths, 75, axis=0) - np.percentile(lengths, 25, axis=0)).mean())


@torch.inference_mode()
def _reconstruction_error(
    model: PoseModel, reconstructor: PoseModel, crops: Sequence[PersonCrop], perceptual: str | None
) -> float:
    """Perceptual error of reconstructing each crop from another one, with the same decoder for all candidates."""
    grid, side = model.config.crop, model.config.reconstruction_size
    loss = perceptual_loss(reconstructor, perceptual).eval()
    images = model.normalise(warped_batch(crops, [PLAIN] * len(crops), grid)[0].to(model.device))
    points = torch.cat([model.points(model(part).self_supervised.float()) for part in images.split(BATCH)])
    small = F.adaptive_avg_pool2d(images, side)
    other = torch.arange(len(crops), device=images.device).roll(len(crops) // 2)
    errors = []
    for part in torch.arange(len(crops), device=images.device).split(BATCH):
        reconstructed = reconstructor.reconstruct(small[other[part]], points[other[part]], points[part])
        terms = loss(reconstructed, small[part], person_weight(reconstructor, points[part], side))[1]
        errors.append(terms * (len(part) / len(crops)))
    # Terms relative to the first candidate's would depend on the order; their logarithms add up the same everywhere.
    return float(torch.stack(errors).sum(0).clamp_min(1e-9).log().mean())
