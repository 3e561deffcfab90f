"""Inside the model at a few frames: self-supervised keypoints, the affinity W, and reconstructed pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ttpose.adaptation.samples import Samples
from ttpose.core.geometry import CropGrid
from ttpose.inference.crops import PersonCrop
from ttpose.inference.warps import PLAIN, warped_batch
from ttpose.models.pose_model import PoseModel, PoseOutput


@dataclass(frozen=True)
class ModelOutput:
    """What one set of weights predicts for a target crop.

    Attributes:
        points: Self-supervised keypoints [J, 3]: x, y in crop pixels and the peak of the map, 0..1.
        reconstruction: The target reconstructed from the source, RGB uint8 [R, R, 3]; None where the model has no
            such nets.
    """

    points: np.ndarray
    reconstruction: np.ndarray | None


@dataclass(frozen=True)
class Pair:
    """A source frame, a target frame, and what base and personalized weights predict for them.

    Attributes:
        source_index, target_index: Frame numbers.
        source, target: The network's crops, RGB uint8 [S, S, 3].
        base, personalized: By the weights that the run started from, and by the result's.
    """

    source_index: int
    target_index: int
    source: np.ndarray
    target: np.ndarray
    base: ModelOutput
    personalized: ModelOutput


@dataclass(frozen=True)
class Inside:
    """What a few frames tell about the insides of both models.

    Attributes:
        pairs: Some frames.
        map_names: What each self-supervised map started as: a keypoint's name, or "free 1", "free 2", ...
        base, personalized: Affinity W [K, J], mean over the frames; None where the model has no such Transformer.
    """

    pairs: tuple[Pair, ...]
    map_names: tuple[str, ...]
    base: np.ndarray | None
    personalized: np.ndarray | None


@torch.inference_mode()
def inspect_models(samples: Samples) -> Inside:
    """Run both models on the kept crops.

    Each crop is a target once; its source is the crop half the clip away. Both pictures are reconstructed by the
    base's nets, so that only the keypoints make a difference.
    """
    crops, base, personal = samples.crops, samples.base.eval(), samples.personal.eval()
    order = [(i + len(crops) // 2) % len(crops) for i in range(len(crops))]
    pictures = _crops(crops, base.config.crop)
    outputs, affinities = [], []
    for model in (base, personal):
        images = model.normalise(pictures.to(model.device))
        seen = model(images)
        points = model.points(seen.self_supervised.float())
        pictured = reconstructed(base, images, points, order)
        outputs.append(_outputs(model, seen, points, pictured))
        affinities.append(seen.affinity.float().mean(0).cpu().numpy())
    plain = pictures.permute(0, 2, 3, 1).numpy().astype(np.uint8)
    pairs = [
        Pair(crops[s].index, crop.index, plain[s], plain[t], outputs[0][t], outputs[1][t])
        for t, (crop, s) in enumerate(zip(crops, order, strict=True))
    ]
    has_affinity = base.config.pose_head == "transformer"
    start, personalized = affinities if has_affinity else (None, None)
    return Inside(tuple(pairs), _map_names(base), start, personalized)


def _crops(crops: Sequence[PersonCrop], grid: CropGrid) -> Tensor:
    return warped_batch(crops, [PLAIN] * len(crops), grid)[0]


def _outputs(
    model: PoseModel, seen: PoseOutput, points: Tensor, pictures: Sequence[np.ndarray | None]
) -> list[ModelOutput]:
    positions = model.config.crop.points_from(model.config.cells, points.double().cpu().numpy())
    peaks = seen.self_supervised.float().flatten(2).amax(-1).clamp(0, 1).double().cpu().numpy()
    rows = np.concatenate([positions, peaks[..., None]], -1)
    return [ModelOutput(row, picture) for row, picture in zip(rows, pictures, strict=True)]


def reconstructed(
    reconstructor: PoseModel, images: Tensor, points: Tensor, order: Sequence[int]
) -> list[np.ndarray | None]:
    """Pictures RGB uint8 [s, s, 3] of normalised images, each made from the one that `order` names; else None."""
    if reconstructor.config.self_task != "reconstruction":
        return [None] * len(images)
    small = F.adaptive_avg_pool2d(images, reconstructor.config.reconstruction_size)
    pictures = reconstructor.reconstruct(small[list(order)], points[list(order)], points)
    levels = (pictures * reconstructor.std + reconstructor.mean).clamp(0, 255).round().to(torch.uint8)
    return list(levels.permute(0, 2, 3, 1).cpu().numpy())


def _map_names(model: PoseModel) -> tuple[str, ...]:
    """Maps that start as pretrained keypoint maps bear those names."""
    seeded = len(model.skeleton) if model.config.encoder == "movenet" else 0
    free = range(1, model.config.num_self - seeded + 1)
    return (*model.skeleton.keypoints[:seeded], *(f"free {number}" for number in free))
