"""Test-time augmentation (TTA): one frame predicted mirrored, turned and scaled, and the heatmaps averaged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ttpose.core import geometry
from ttpose.core.geometry import CropGrid
from ttpose.core.progress import Advance
from ttpose.inference.crops import PersonCrop
from ttpose.inference.overlap import in_order
from ttpose.inference.prediction import TTAPrediction, join
from ttpose.inference.warps import Warp, warped_batch
from ttpose.models.decode import decode, peaks
from ttpose.models.device import mixed_precision, moved
from ttpose.models.engine import PoseNetwork

#: Crops a forward: more cost memory and gain no speed on a CPU.
BATCH = 4
_FINER = 1.5  # the common grid's cells over a view's: views that are closer up keep their detail
# Keeps the odds of two nearly empty maps near even.
_EMPTY = 0.05
_PEAKS = 4  # the fifth is the right place in hardly any frame


def tta_view(rotation: float, scale: float, flip: bool) -> Warp:
    """A view without any change of light."""
    return Warp(rotation, scale, (0.0, 0.0), flip, np.ones(3), 0.0)


#: The plain view and closer ones, mirrored or turned, in the order in which they pay most: four are better than one in
#: every set of labelled clips and stills at hand, the fifth and later ones hardly more (docs/experiments.md).
TTA_VIEWS = (
    tta_view(0, 1.0, False),
    tta_view(0, 0.82, True),
    tta_view(15, 0.82, True),
    tta_view(-15, 0.82, False),
    tta_view(0, 1.0, True),
    tta_view(0, 0.91, False),
)


class ViewOutput(NamedTuple):
    """What decoding reads of a network's output for one view of B crops.

    Attributes:
        heatmaps: [B, K, h, w].
        anchors: Regressed keypoints [B, K, 2] in cells, or None.
        offsets: The offset head's maps [B, K, 2, h, w] in cells, or None.
    """

    heatmaps: Tensor
    anchors: Tensor | None
    offsets: Tensor | None

    def rows(self, rows: Sequence[int]) -> ViewOutput:
        """Of some of the crops."""
        chosen = list(rows)
        return ViewOutput(*(None if part is None else part[chosen] for part in self))  # type: ignore[arg-type]

    @staticmethod
    def cat(parts: Sequence[ViewOutput]) -> ViewOutput:
        """Outputs of consecutive crops as one."""
        joined = (None if column[0] is None else torch.cat(column) for column in zip(*parts, strict=True))
        return ViewOutput(*joined)  # type: ignore[arg-type]


def predict_tta(
    model: PoseNetwork,
    crops: Sequence[PersonCrop],
    views: Sequence[Warp] = TTA_VIEWS[:1],
    advance: Advance | None = None,
    *,
    keep_maps: bool = False,
    plain: ViewOutput | None = None,
) -> TTAPrediction:
    """Test-time augmentation: predict crops through several views and decode the mean of their heatmaps.

    The heatmaps and the regressed keypoints of all views are brought to the plain view's place before the mean. Every
    list of views starts with the plain one; alone it is decoded with the sub-cell offsets of its own cells.

    Args:
        model: In evaluation mode.
        crops: N frames of one person.
        views: From `TTA_VIEWS`, the plain one first.
        advance: Called with the number of crops after each batch.
        keep_maps: Whether the mean heatmaps are kept.
        plain: The plain view's output for the same crops, where it is known already.
    """

    def predict(rows: range) -> TTAPrediction:
        known = None if plain is None else plain.rows(rows)
        return _predict_batch(model, [crops[i] for i in rows], views, keep_maps, known)

    return join(predict_batches(predict, len(crops), advance))


def predict_batches(
    predict: Callable[[range], TTAPrediction], count: int, advance: Advance | None = None
) -> list[TTAPrediction]:
    """The predictions of `count` crops' rows, a batch each, two at the same time; `advance` counts the crops."""
    batches, parts = [range(start, min(start + BATCH, count)) for start in range(0, count, BATCH)], []
    for rows, part in zip(batches, in_order(predict, batches), strict=True):
        parts.append(part)
        if advance is not None:
            advance(len(rows))
    return parts


@torch.inference_mode()
def plain_view(model: PoseNetwork, crops: Sequence[PersonCrop]) -> ViewOutput:
    """The network's output for the plain views of crops."""
    return ViewOutput.cat([_view(model, crops[i : i + BATCH], TTA_VIEWS[0])[0] for i in range(0, len(crops), BATCH)])


def _view(model: PoseNetwork, crops: Sequence[PersonCrop], view: Warp) -> tuple[ViewOutput, list[np.ndarray]]:
    """The output for one view, and each crop's map from the cut-out to the view."""
    images, matrices = warped_batch(crops, [view] * len(crops), model.config.crop)
    with mixed_precision(model.device):
        out = model(model.normalise(moved(images, model.device)))
    parts = out.supervised, out.encoded.anchors, out.encoded.offsets
    return ViewOutput(*(None if part is None else part.float() for part in parts)), matrices  # type: ignore[arg-type]


@torch.inference_mode()
def _predict_batch(
    model: PoseNetwork, crops: Sequence[PersonCrop], views: Sequence[Warp], keep_maps: bool, known: ViewOutput | None
) -> TTAPrediction:
    plain = [crop.matrix(model.config.crop) for crop in crops]
    back = [geometry.compose(c.to_source, geometry.invert(p)) for c, p in zip(crops, plain, strict=True)]
    first = known or plain_view(model, crops)
    decoded = _decoded(model, first) if len(views) == 1 else _averaged(model, crops, views, plain, first)
    found = _prediction(model, decoded, crops, back)
    return replace(found, maps=decoded.maps.half().cpu()) if keep_maps else found


def _prediction(
    model: PoseNetwork, decoded: _Decoded, crops: Sequence[PersonCrop], back: Sequence[np.ndarray]
) -> TTAPrediction:
    """In the originals' pixels; `back` leads there from the network's crops."""
    crop = model.config.crop
    cells = crop.resized(*decoded.maps.shape[2:])
    return TTAPrediction(
        _in_source(decoded.found, crop, cells, back),
        _side_odds(decoded.maps, decoded.found[..., :2], list(model.skeleton.flip)).cpu().numpy(),
        decoded.spread,
        _in_source(decoded.single_view, crop, decoded.own_cells, back),
        _in_source(peaks(decoded.maps, _PEAKS), crop, cells, back),
        np.array([crop.source_box.as_list() for crop in crops]),
    )


def _in_source(found: Tensor, crop: CropGrid, cells: CropGrid, back: Sequence[np.ndarray]) -> np.ndarray:
    """Cells and values [B, ..., 3] as original pixels and scores 0..1; `back` leads from crops to the originals."""
    points = found.cpu().double().numpy()
    points[..., :2] = crop.points_from(cells, points[..., :2])
    points[..., 2] = points[..., 2].clip(0, 1)
    for row, matrix in zip(points, back, strict=True):
        row[..., :2] = geometry.apply(matrix, row[..., :2].reshape(-1, 2)).reshape(row[..., :2].shape)
    return points


@dataclass(frozen=True)
class _Decoded:
    """A batch's heatmaps and what they say.

    Attributes:
        maps: [B, K, h, w].
        found: Keypoints [B, K, 3] in the maps' cells, and their values.
        spread: The views' disagreement [B, K].
        single_view: Keypoints [B, K, 3] by the plain view alone, in its own cells.
        own_cells: The grid of these.
    """

    maps: Tensor
    found: Tensor
    spread: np.ndarray
    single_view: Tensor
    own_cells: CropGrid


def _decoded(model: PoseNetwork, out: ViewOutput) -> _Decoded:
    """The plain view alone, in its own cells."""
    agreed = np.zeros(out.heatmaps.shape[:2], np.float32)
    found = decode(out.heatmaps, out.anchors, out.offsets, dark=model.config.decoding == "dark")
    own = model.config.crop.resized(*out.heatmaps.shape[2:])
    return _Decoded(out.heatmaps.float(), found, agreed, found, own)


def _averaged(
    model: PoseNetwork,
    crops: Sequence[PersonCrop],
    views: Sequence[Warp],
    plain: Sequence[np.ndarray],
    first: ViewOutput,
) -> _Decoded:
    """Several views together, on the finer grid over the plain one; it has no offset head."""
    crop, mirror, dark = model.config.crop, list(model.skeleton.flip), model.config.decoding == "dark"
    alone = _decoded(model, first)
    own = alone.own_cells
    cells = own.resized(round(own.height * _FINER), round(own.width * _FINER))
    maps, covered = [], []
    anchors: list[Tensor] = []
    for number, view in enumerate(views):
        out, matrices = (first, list(plain)) if number == 0 else _view(model, crops, view)
        to_plain = [geometry.compose(p, geometry.invert(m)) for m, p in zip(matrices, plain, strict=True)]
        seen = (out.heatmaps[:, mirror] if view.flip else out.heatmaps).float()
        from_plain = [geometry.invert(m) for m in to_plain]
        maps.append(resample(seen, from_plain, crop, cells.size))
        covered.append(resample(torch.ones_like(seen[:, :1]), from_plain, crop, cells.size))
        if out.anchors is not None:
            anchors.append(_anchors_back(out.anchors[:, mirror] if view.flip else out.anchors, crop, own, to_plain))
    # What a closer view does not show is left to those that do.
    mean = torch.stack(maps).sum(0) / torch.stack(covered).sum(0).clamp_min(1)
    anchor = _cells(torch.stack(anchors).mean(0), crop, cells) if anchors else None
    positions = torch.stack([decode(m, anchor, dark=dark)[..., :2] for m in maps])
    spread = (positions.std(0, correction=0).norm(dim=-1) / cells.height).cpu().numpy()
    return _Decoded(mean, decode(mean, anchor, dark=dark), spread, alone.found, own)


def _cells(points: Tensor, crop: CropGrid, cells: CropGrid) -> Tensor:
    """Crop pixels [B, K, 2] to cells."""
    if crop.corners:
        steps = (cells.width - 1) / (crop.width - 1), (cells.height - 1) / (crop.height - 1)
        return torch.stack([points[..., i] * step for i, step in enumerate(steps)], -1)
    strides = crop.width / cells.width, crop.height / cells.height
    return torch.stack([(points[..., i] + 0.5) / stride - 0.5 for i, stride in enumerate(strides)], -1)


def _anchors_back(anchors: Tensor, crop: CropGrid, cells: CropGrid, to_plain: Sequence[np.ndarray]) -> Tensor:
    """A view's regressed keypoints [B, K, 2], in its cells, in the plain crop's pixels."""
    pixels = crop.points_from(cells, anchors.double().cpu().numpy())
    moved = [geometry.apply(matrix, row) for matrix, row in zip(to_plain, pixels, strict=True)]
    return torch.from_numpy(np.stack(moved)).to(anchors)


def resample(
    maps: Tensor, matrices: Sequence[np.ndarray], crop: CropGrid | int, cells: int | tuple[int, int]
) -> Tensor:
    """Maps [B, K, h, w] over one crop, seen on so many cells (rows and columns, or both) of another of the same size.

    `matrices` take the new crop's pixels to the old one's.
    """
    crop, rows = CropGrid.of(crop), (cells, cells) if isinstance(cells, int) else cells
    # Pixel centres at integers to the -1..1 of the crop's edges, and back.
    if crop.corners:
        unit = np.array([[2 / (crop.width - 1), 0, -1], [0, 2 / (crop.height - 1), -1], [0, 0, 1]])
    else:
        unit = np.array([
            [2 / crop.width, 0, 1 / crop.width - 1], [0, 2 / crop.height, 1 / crop.height - 1], [0, 0, 1]
        ])  # fmt: skip
    theta = np.stack([(unit @ np.vstack([m, [0, 0, 1]]) @ np.linalg.inv(unit))[:2] for m in matrices])
    grid = F.affine_grid(torch.from_numpy(theta).to(maps), [*maps.shape[:2], *rows], align_corners=crop.corners)
    return F.grid_sample(maps, grid, align_corners=crop.corners)


def _side_odds(maps: Tensor, positions: Tensor, mirror: list[int]) -> Tensor:
    """Log of each keypoint's own map over its mirror's, both read at the keypoint: [B, K]."""
    height, width = maps.shape[2:]
    shares = torch.stack([(positions[..., i] + 0.5) / side for i, side in enumerate((width, height))], -1)
    grid = (shares * 2 - 1).flatten(0, 1)[:, None, None]

    def read(which: Tensor) -> Tensor:
        values = F.grid_sample(which.flatten(0, 1)[:, None], grid, align_corners=False)
        return values.view(maps.shape[:2]).clamp_min(0)

    return torch.log(read(maps) + _EMPTY) - torch.log(read(maps[:, mirror]) + _EMPTY)
