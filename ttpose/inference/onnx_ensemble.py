"""Pose networks from ONNX files: further members of the ensemble, for any base, in results and pseudo-labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from ttpose.core import geometry
from ttpose.core.skeleton import COCO17, Skeleton, torso_lengths
from ttpose.inference.crops import PersonCrop
from ttpose.inference.settings import RefineSettings
from ttpose.models.onnx_pose import OnnxPose

_BATCH = 4  # crops a run, each with its mirror image
# Nearer than this, in torsos, both mean the same position, and their mean is better than either.
_NEAR = 0.3
# Farther apart one of them is wrong. The base is believed unless the other is surer by so much.
_SURER = 0.3


def predict_onnx(files: Sequence[str], crops: Sequence[PersonCrop], skeleton: Skeleton) -> np.ndarray:
    """What the networks in ONNX files together say of N crops, each seen plain and mirrored.

    Args:
        files: At least one.
        crops: N frames of one person.
        skeleton: The keypoint set.

    Returns:
        [N, K, 4]: x and y in original pixels, means weighted by scores; the mean score 0..1; and how far the
        predictions are apart in original pixels. NaN for joints that the networks do not know.

    Raises:
        UsageError, WeightsError: As `OnnxPose`.
    """
    numbers = [COCO17.index(name) if name in COCO17.keypoints else -1 for name in skeleton.keypoints]
    parts = [
        _combined([_predict(load_onnx(file), crops[i : i + _BATCH], flip) for file in files for flip in (False, True)])
        for i in range(0, len(crops), _BATCH)
    ]
    found = np.concatenate(parts)[:, numbers] if parts else np.zeros((0, len(numbers), 4))
    found[:, np.array(numbers) < 0] = np.nan
    return found


def merge_onnx(keypoints: np.ndarray, predicted: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Keypoints [N, K, 3] merged with the predictions [N, K, 4] of `predict_onnx`, in the same pixels.

    Where both are near, the position is their mean, weighted by scores; where they are not, it is the network's only if
    its score is clearly higher.
    """
    found, known = keypoints.copy(), ~np.isnan(predicted[..., 0])
    torso = max(float(np.median(torso_lengths(keypoints, skeleton))), 1e-3)
    apart = np.linalg.norm(predicted[..., :2] - keypoints[..., :2], axis=-1) / torso
    own, other = keypoints[..., 2], np.nan_to_num(predicted[..., 2])
    share = np.where(apart < _NEAR, other / (own + other + 1e-9), np.where(other > own + _SURER, 1.0, 0.0))
    share = np.where(known, share, 0.0)[..., None]
    found[..., :2] += share * np.nan_to_num(predicted[..., :2] - keypoints[..., :2])
    taken = (share[..., 0] == 1) & (apart >= _NEAR)
    found[..., 2] = np.where(taken, other, own)
    return found


def with_ensemble_files(settings: RefineSettings, files: Sequence[Path | str]) -> RefineSettings:
    """The settings with further members of the ensemble; raises UsageError and WeightsError for files that are none."""
    for file in files:
        load_onnx(str(file))
    return replace(settings, ensemble_files=(*settings.ensemble_files, *map(str, files)))


@lru_cache(maxsize=4)
def load_onnx(file: str) -> OnnxPose:
    """The network of a file, kept for the next call; raises UsageError and WeightsError."""
    return OnnxPose(file)


def _predict(network: OnnxPose, crops: Sequence[PersonCrop], flip: bool) -> np.ndarray:
    """[N, 17, 3] in original pixels."""
    matrices = [crop.matrix(network.grid, flip=flip) for crop in crops]
    found = network.predict(np.stack([crop.view(m, network.grid) for crop, m in zip(crops, matrices, strict=True)]))
    found = found[:, list(COCO17.flip)] if flip else found
    for crop, matrix, row in zip(crops, matrices, found, strict=True):
        row[:, :2] = geometry.apply(geometry.compose(crop.to_source, geometry.invert(matrix)), row[:, :2])
    return found


def _combined(predictions: Sequence[np.ndarray]) -> np.ndarray:
    """[N, K, 4] of several [N, K, 3]."""
    stacked = np.stack(predictions)
    weight = stacked[..., 2:] + 1e-6
    place = (weight * stacked[..., :2]).sum(0) / weight.sum(0)
    apart = np.linalg.norm(stacked[..., :2] - place, axis=-1).max(0)
    return np.concatenate([place, stacked[..., 2].mean(0)[..., None], apart[..., None]], -1)
