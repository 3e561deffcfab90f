"""Test-time views: what the model says of one frame seen mirrored, turned and scaled, brought back together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ttpose.core import geometry
from ttpose.core.progress import Advance
from ttpose.inference.crops import PersonCrop
from ttpose.inference.ensemble import EnsembleMember
from ttpose.inference.warps import Warp, warped_batch
from ttpose.models.decode import decode, peaks
from ttpose.models.pose_model import PoseModel, PoseOutput

#: Crops a forward: more cost memory and gain no speed on a CPU.
BATCH = 4
_STRIDE = 4
_FINER = 1.5  # the common grid's cells over a view's: views that are closer up keep their detail
# Keeps the odds of two nearly empty maps near even.
_EMPTY = 0.05
_PEAKS = 4  # the fifth is the right place in hardly any frame


def tta_view(rotation: float, scale: float, flip: bool) -> Warp:
    """A view without any change of light."""
    return Warp(rotation, scale, (0.0, 0.0), flip, np.ones(3), 0.0)


#: The plain view and closer ones, mirrored or turned, in the order in which they pay most: four are better than one in
#: every set of labelled clips and stills at hand, the fifth and later ones hardly more (docs/accuracy.md).
TTA_VIEWS = (
    tta_view(0, 1.0, False),
    tta_view(0, 0.82, True),
    tta_view(15, 0.82, True),
    tta_view(-15, 0.82, False),
    tta_view(0, 1.0, True),
    tta_view(0, 0.91, False),
)


@dataclass(frozen=True)
class TTAPrediction:
    """What the model saw in N frames.

    Attributes:
        keypoints: [N, K, 3] in each cut-out's original image: x, y, score 0..1.
        sides: [N, K] log-odds that a keypoint carries its own side's name and not its mirror's, from the maps.
        spread: [N, K] disagreement of the views in shares of the person's size; 0 for a single view.
        alone: [N, K, 3] as `keypoints`, by the plain view alone.
        peaks: [N, K, 4, 3] as `keypoints`, the highest peaks of each map, highest first; where a map has fewer, the
            others have the score 0.
        boxes: [N, 4] the person's box in each original image: x, y, width, height.
        maps: The views' mean maps [N, K, g, g] over each plain view, float16 on the CPU, where asked for.
        second: [N, K, 4] a second opinion as `EnsembleMember.look` gives it, where asked for.
        plain: What the plain view alone shows, where there are others.
    """

    keypoints: np.ndarray
    sides: np.ndarray
    spread: np.ndarray
    alone: np.ndarray
    peaks: np.ndarray
    boxes: np.ndarray
    maps: Tensor | None = None
    second: np.ndarray | None = None
    plain: TTAPrediction | None = None

    def part(self, rows: slice) -> TTAPrediction:
        """Some of the frames, without maps."""
        second = None if self.second is None else self.second[rows]
        some = TTAPrediction.of(lambda name: getattr(self, name)[rows], second=second)
        return some if self.plain is None else replace(some, plain=self.plain.part(rows))

    @classmethod
    def of(
        cls, array: Callable[[str], np.ndarray], maps: Tensor | None = None, second: np.ndarray | None = None
    ) -> TTAPrediction:
        """The observation whose arrays a function tells by their attribute's name."""
        keypoints, sides, spread = array("keypoints"), array("sides"), array("spread")
        return cls(keypoints, sides, spread, array("alone"), array("peaks"), array("boxes"), maps, second)


@torch.inference_mode()
def predict_tta(
    model: PoseModel,
    crops: Sequence[PersonCrop],
    views: Sequence[Warp] = TTA_VIEWS[:1],
    advance: Advance | None = None,
    *,
    keep_maps: bool = False,
    second: EnsembleMember | None = None,
) -> TTAPrediction:
    """Look at crops through several views and decode the mean of their heatmaps; ask for a second opinion where given.

    The maps and the regressed keypoints of all views are brought to the plain view's place before the mean. Every list
    of views starts with the plain one; alone it is decoded with the sub-cell offsets that belong to its own cells.
    """
    parts = []
    for start in range(0, len(crops), BATCH):
        few = crops[start : start + BATCH]
        seen = _observe_batch(model, few, views, keep_maps)
        parts.append(seen if second is None else replace(seen, second=second.look(few, seen.keypoints)))
        if advance is not None:
            advance(len(few))
    return join(parts)


def join(parts: Sequence[TTAPrediction]) -> TTAPrediction:
    """Observations of consecutive frames as one."""
    maps = [part.maps for part in parts if part.maps is not None]
    second = [part.second for part in parts if part.second is not None]
    plain = [part.plain for part in parts if part.plain is not None]
    together = TTAPrediction.of(
        lambda name: np.concatenate([getattr(part, name) for part in parts]),
        torch.cat(maps) if maps else None,
        np.concatenate(second) if second else None,
    )
    return replace(together, plain=join(plain)) if plain else together


@torch.inference_mode()
def _observe_batch(
    model: PoseModel, crops: Sequence[PersonCrop], views: Sequence[Warp], keep_maps: bool
) -> TTAPrediction:
    plain = [crop.matrix(model.config.input_size) for crop in crops]
    back = [geometry.compose(c.to_source, geometry.invert(p)) for c, p in zip(crops, plain, strict=True)]
    seen = _glance(model, crops) if len(views) == 1 else _looks(model, crops, views, plain)
    found = _observation(model, seen, crops, back)
    return replace(found, maps=seen.maps.half().cpu()) if keep_maps else found


def _observation(
    model: PoseModel, seen: _Seen, crops: Sequence[PersonCrop], back: Sequence[np.ndarray]
) -> TTAPrediction:
    """What was seen of crops in the originals' pixels; `back` leads there from the network's crops."""
    stride = model.config.input_size / seen.maps.shape[-1]
    return TTAPrediction(
        _in_source(seen.found, stride, back),
        _side_odds(seen.maps, seen.found[..., :2], list(model.skeleton.flip)).cpu().numpy(),
        seen.spread,
        _in_source((seen.plain or seen).found, _STRIDE, back),
        _in_source(peaks(seen.maps, _PEAKS), stride, back),
        np.array([crop.source_box.as_list() for crop in crops]),
        plain=None if seen.plain is None else _observation(model, seen.plain, crops, back),
    )


def _in_source(found: Tensor, stride: float, back: Sequence[np.ndarray]) -> np.ndarray:
    """Cells and values [B, ..., 3] as original pixels and scores 0..1; `back` leads from crops to the originals."""
    points = found.cpu().double().numpy()
    points[..., :2] = geometry.heatmap_to_crop(points[..., :2], stride)
    points[..., 2] = points[..., 2].clip(0, 1)
    for row, matrix in zip(points, back, strict=True):
        row[..., :2] = geometry.apply(matrix, row[..., :2].reshape(-1, 2)).reshape(row[..., :2].shape)
    return points


@dataclass(frozen=True)
class _Seen:
    """A batch's maps and what they say.

    Attributes:
        maps: [B, K, h, w].
        found: Keypoints [B, K, 3] in the maps' cells, and their values.
        spread: The views' disagreement [B, K].
        plain: What the plain view alone shows, where there are others.
    """

    maps: Tensor
    found: Tensor
    spread: np.ndarray
    plain: _Seen | None = None


def _glance(model: PoseModel, crops: Sequence[PersonCrop]) -> _Seen:
    """The plain view alone, in its own cells."""
    images, _ = warped_batch(crops, TTA_VIEWS[:1] * len(crops), model.config.input_size)
    return _alone(model(model.normalise(images.to(model.device))))


def _alone(out: PoseOutput) -> _Seen:
    found, agreed = _decoded(out), np.zeros(out.supervised.shape[:2], np.float32)
    return _Seen(out.supervised.float(), found, agreed)


def _decoded(out: PoseOutput) -> Tensor:
    return decode(out.supervised, out.encoded.anchors, out.encoded.offsets)


def _looks(model: PoseModel, crops: Sequence[PersonCrop], views: Sequence[Warp], plain: Sequence[np.ndarray]) -> _Seen:
    """Several views together, on the finer grid over the plain one; it has no offset head."""
    size, mirror = model.config.input_size, list(model.skeleton.flip)
    maps, covered = [], []
    anchors: list[Tensor] = []
    alone: list[_Seen] = []  # the first view is the plain one
    for view in views:
        images, matrices = warped_batch(crops, [view] * len(crops), size)
        out = model(model.normalise(images.to(model.device)))
        alone = alone or [_alone(out)]
        to_plain = [geometry.compose(p, geometry.invert(m)) for m, p in zip(matrices, plain, strict=True)]
        seen = (out.supervised[:, mirror] if view.flip else out.supervised).float()
        cells, from_plain = round(seen.shape[-1] * _FINER), [geometry.invert(m) for m in to_plain]
        maps.append(resample(seen, from_plain, size, cells))
        covered.append(resample(torch.ones_like(seen[:, :1]), from_plain, size, cells))
        found = out.encoded.anchors
        if found is not None:
            anchors.append(_anchors_back(found[:, mirror] if view.flip else found, to_plain))
    # What a closer view does not show is left to those that do.
    mean = torch.stack(maps).sum(0) / torch.stack(covered).sum(0).clamp_min(1)
    anchor = _cells(torch.stack(anchors).mean(0), size / cells) if anchors else None
    positions = torch.stack([decode(m, anchor)[..., :2] for m in maps])
    spread = (positions.std(0, correction=0).norm(dim=-1) / cells).cpu().numpy()
    return _Seen(mean, decode(mean, anchor), spread, alone[0])


def _cells(points: Tensor, stride: float) -> Tensor:
    """Crop pixels to cells."""
    return (points + 0.5) / stride - 0.5


def _anchors_back(anchors: Tensor, to_plain: Sequence[np.ndarray]) -> Tensor:
    """A view's regressed keypoints [B, K, 2], in its cells, in the plain crop's pixels."""
    pixels = geometry.heatmap_to_crop(anchors.double().cpu().numpy(), _STRIDE)
    moved = [geometry.apply(matrix, row) for matrix, row in zip(to_plain, pixels, strict=True)]
    return torch.from_numpy(np.stack(moved)).to(anchors)


def resample(maps: Tensor, matrices: Sequence[np.ndarray], size: int, cells: int) -> Tensor:
    """Maps [B, K, h, w] over one crop of `size` px, seen on `cells` × `cells` of another of the same size.

    `matrices` take the new crop's pixels to the old one's.
    """
    # Pixel centres at integers to the -1..1 of the image's edges, and back.
    unit = np.array([[2 / size, 0, 1 / size - 1], [0, 2 / size, 1 / size - 1], [0, 0, 1]])
    theta = np.stack([(unit @ np.vstack([m, [0, 0, 1]]) @ np.linalg.inv(unit))[:2] for m in matrices])
    grid = F.affine_grid(torch.from_numpy(theta).to(maps), [*maps.shape[:2], cells, cells], align_corners=False)
    return F.grid_sample(maps, grid, align_corners=False)


def _side_odds(maps: Tensor, positions: Tensor, mirror: list[int]) -> Tensor:
    """Log of each keypoint's own map over its mirror's, both read at the keypoint: [B, K]."""
    grid = ((positions + 0.5) / maps.shape[-1] * 2 - 1).flatten(0, 1)[:, None, None]

    def read(which: Tensor) -> Tensor:
        values = F.grid_sample(which.flatten(0, 1)[:, None], grid, align_corners=False)
        return values.view(maps.shape[:2]).clamp_min(0)

    return torch.log(read(maps) + _EMPTY) - torch.log(read(maps[:, mirror]) + _EMPTY)
