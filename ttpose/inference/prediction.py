"""What a model predicts for some frames, by one view or by several, before anything is refined over time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class TTAPrediction:
    """A model's prediction for N frames; with a single view, test-time augmentation by that view alone.

    Attributes:
        keypoints: [N, K, 3] in the original images' pixels: x, y, score 0..1.
        side_odds: [N, K] log-odds, by the heatmaps, that a keypoint is on its own side and not on its mirror's.
        spread: [N, K] disagreement of the views in shares of the crop's side; 0 for a single view.
        single_view_keypoints: [N, K, 3] as `keypoints`, by the plain view alone.
        peaks: [N, K, 4, 3] as `keypoints`, the highest peaks of each heatmap, highest first; where a map has fewer, the
            others have the score 0.
        boxes: [N, 4] the person's box in each original image: x, y, width, height.
        maps: The views' mean heatmaps [N, K, g, g] over each plain view, float16 on the CPU, where they were kept.
        ensemble: [N, K, 4] the second network's prediction as `ttpose.inference.ensemble.EnsembleMember` gives it,
            where it was asked.
        ensemble_onnx: [N, K, 4] by networks in ONNX files (`ttpose.inference.onnx_ensemble`), if there are any.
        feet: [N, 4, 4] as `ensemble`, of the points `ttpose.core.skeleton.FEET`, where they were asked for.
    """

    keypoints: np.ndarray
    side_odds: np.ndarray
    spread: np.ndarray
    single_view_keypoints: np.ndarray
    peaks: np.ndarray
    boxes: np.ndarray
    maps: Tensor | None = None
    ensemble: np.ndarray | None = None
    ensemble_onnx: np.ndarray | None = None
    feet: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.keypoints)

    def part(self, rows: slice | Sequence[int]) -> TTAPrediction:
        """Some of the frames."""
        chosen = rows if isinstance(rows, slice) else list(rows)
        maps = None if self.maps is None else self.maps[chosen]
        ensemble = None if self.ensemble is None else self.ensemble[chosen]
        some = TTAPrediction.of(lambda name: getattr(self, name)[chosen], maps, ensemble)
        if self.ensemble_onnx is not None:
            some = replace(some, ensemble_onnx=self.ensemble_onnx[chosen])
        if self.feet is not None:
            some = replace(some, feet=self.feet[chosen])
        return some

    def frames(self) -> list[TTAPrediction]:
        """Each frame by itself, without copying anything."""
        return [self.part(slice(row, row + 1)) for row in range(len(self))]

    @classmethod
    def of(
        cls, array: Callable[[str], np.ndarray], maps: Tensor | None = None, ensemble: np.ndarray | None = None
    ) -> TTAPrediction:
        """The prediction whose arrays a function gives by their attributes' names."""
        keypoints, side_odds, spread = array("keypoints"), array("side_odds"), array("spread")
        single, peaks, boxes = array("single_view_keypoints"), array("peaks"), array("boxes")
        return cls(keypoints, side_odds, spread, single, peaks, boxes, maps, ensemble)


def join(parts: Sequence[TTAPrediction]) -> TTAPrediction:
    """Predictions of consecutive frames as one."""
    maps = [part.maps for part in parts if part.maps is not None]
    ensemble = [part.ensemble for part in parts if part.ensemble is not None]
    together = TTAPrediction.of(
        lambda name: np.concatenate([getattr(part, name) for part in parts]),
        torch.cat(maps) if maps else None,
        np.concatenate(ensemble) if ensemble else None,
    )
    ensemble_onnx = [part.ensemble_onnx for part in parts if part.ensemble_onnx is not None]
    if ensemble_onnx:
        together = replace(together, ensemble_onnx=np.concatenate(ensemble_onnx))
    feet = [part.feet for part in parts if part.feet is not None]
    if feet:
        together = replace(together, feet=np.concatenate(feet))
    return together
