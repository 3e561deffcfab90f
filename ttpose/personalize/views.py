"""Test-time views: what the model says of one frame seen mirrored, turned and scaled, brought back together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ttpose import geometry
from ttpose.model.decode import decode
from ttpose.model.pose_model import PoseModel
from ttpose.personalize.augment import Warp, view_batch
from ttpose.personalize.crops import PersonCrop
from ttpose.progress import Advance

_STRIDE = 4
_BATCH = 4  # crops a forward: more cost memory and gain no speed on a CPU
# Keeps the odds of two nearly empty maps near even.
_EMPTY = 0.05


def still_view(rotation: float, scale: float, flip: bool) -> Warp:
    """A view without any change of light."""
    return Warp(rotation, scale, (0.0, 0.0), flip, np.ones(3), 0.0)


#: The plain view, its mirror image, and turned and scaled ones, in the order in which they pay most.
VIEWS = (
    still_view(0, 1.0, False),
    still_view(0, 1.0, True),
    still_view(15, 1.1, False),
    still_view(-15, 1.1, True),
    still_view(0, 1.2, False),
    still_view(0, 0.9, True),
)


@dataclass(frozen=True)
class Observation:
    """What the model saw in N frames.

    Attributes:
        keypoints: [N, K, 3] in each cut-out's original image: x, y, score 0..1.
        sides: [N, K] log-odds that a keypoint carries its own side's name and not its mirror's, from the maps.
        spread: [N, K] disagreement of the views in shares of the person's size; 0 for a single view.
    """

    keypoints: np.ndarray
    sides: np.ndarray
    spread: np.ndarray


@torch.inference_mode()
def observe(
    model: PoseModel,
    crops: Sequence[PersonCrop],
    views: Sequence[Warp] = VIEWS[:1],
    advance: Advance | None = None,
) -> Observation:
    """Look at crops through several views and decode the mean of their heatmaps.

    The maps of a view are warped back to the plain view's grid before the mean. The plain view's anchors choose the
    person, so every list of views starts with it.
    """
    parts = []
    for start in range(0, len(crops), _BATCH):
        parts.append(_observe_batch(model, crops[start : start + _BATCH], views))
        if advance is not None:
            advance(len(crops[start : start + _BATCH]))
    return join(parts)


def join(parts: Sequence[Observation]) -> Observation:
    """Observations of consecutive frames as one."""
    fields = ("keypoints", "sides", "spread")
    return Observation(*(np.concatenate([getattr(part, name) for part in parts]) for name in fields))


@torch.inference_mode()
def _observe_batch(model: PoseModel, crops: Sequence[PersonCrop], views: Sequence[Warp]) -> Observation:
    size, mirror = model.config.input_size, list(model.skeleton.flip)
    plain = [crop.matrix(size) for crop in crops]
    maps, positions, anchors, offsets = [], [], None, None
    for view in views:
        images, matrices = view_batch(crops, [view] * len(crops), size)
        out = model(model.normalise(images.to(model.device)))
        if anchors is None:
            anchors, offsets = out.encoded.anchors, out.encoded.offsets
        seen = out.supervised[:, mirror] if view.flip else out.supervised
        back = seen.float()
        if view is not VIEWS[0]:
            back = _warp_back(
                back, [geometry.compose(m, geometry.invert(p)) for m, p in zip(matrices, plain, strict=True)]
            )
        maps.append(back)
        positions.append(decode(back, anchors, None)[..., :2])
    mean = torch.stack(maps).mean(0)
    # Sub-cell offsets belong to the plain view's own peaks.
    found = decode(mean, anchors, offsets if len(views) == 1 else None)
    spread = torch.stack(positions).std(0, correction=0).norm(dim=-1) / mean.shape[-1]
    keypoints = found.double().cpu().numpy()
    sides = _side_odds(mean, found[..., :2], mirror).cpu().numpy()
    keypoints[..., :2] = geometry.heatmap_to_crop(keypoints[..., :2], _STRIDE)
    keypoints[..., 2] = keypoints[..., 2].clip(0, 1)
    for row, crop, matrix in zip(keypoints, crops, plain, strict=True):
        row[:, :2] = geometry.apply(geometry.compose(crop.to_source, geometry.invert(matrix)), row[:, :2])
    return Observation(keypoints, sides, spread.cpu().numpy())


def _warp_back(maps: Tensor, matrices: Sequence[np.ndarray]) -> Tensor:
    """Resample a view's maps [B, K, h, w] on the plain grid; `matrices` take plain crop pixels to the view's."""
    size = maps.shape[-1] * _STRIDE
    # Pixel centres at integers to the -1..1 of the image's edges, and back.
    unit = np.array([[2 / size, 0, 1 / size - 1], [0, 2 / size, 1 / size - 1], [0, 0, 1]])
    theta = np.stack([(unit @ np.vstack([m, [0, 0, 1]]) @ np.linalg.inv(unit))[:2] for m in matrices])
    grid = F.affine_grid(torch.from_numpy(theta).to(maps), list(maps.shape), align_corners=False)
    return F.grid_sample(maps, grid, align_corners=False)


def _side_odds(maps: Tensor, positions: Tensor, mirror: list[int]) -> Tensor:
    """Log of each keypoint's own map over its mirror's, both read at the keypoint: [B, K]."""
    grid = ((positions + 0.5) / maps.shape[-1] * 2 - 1).flatten(0, 1)[:, None, None]

    def read(which: Tensor) -> Tensor:
        values = F.grid_sample(which.flatten(0, 1)[:, None], grid, align_corners=False)
        return values.view(maps.shape[:2]).clamp_min(0)

    return torch.log(read(maps) + _EMPTY) - torch.log(read(maps[:, mirror]) + _EMPTY)
