"""The model for people who have pictures, not tensors: numpy in, numpy out, original pixel coordinates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ttpose.core import geometry
from ttpose.core.geometry import CROP_PAD, Box, CropGrid
from ttpose.core.skeleton import Skeleton
from ttpose.models.decode import decode
from ttpose.models.device import mixed_precision, moved
from ttpose.models.engine import PoseNetwork
from ttpose.models.pose_model import PoseModel

__all__ = ["CROP_PAD", "Predictor", "to_image"]

_BATCH = 4  # crops a forward: larger ones cost memory and gain no speed on a CPU


class Predictor:
    """Keypoints of crops, or of boxes in an image.

    Args:
        model: A pose model, which is used in evaluation mode, where it is; or a compiled one.
    """

    def __init__(self, model: PoseNetwork) -> None:
        self.model = model.eval() if isinstance(model, PoseModel) else model

    @property
    def skeleton(self) -> Skeleton:
        """The keypoint set of the predictions."""
        return self.model.skeleton

    @property
    def grid(self) -> CropGrid:
        """The crops that the model looks at."""
        return self.model.config.crop

    def predict_crops(self, crops: np.ndarray) -> np.ndarray:
        """Keypoints of crops.

        Args:
            crops: RGB uint8 [N, H, W, 3] on `grid`.

        Returns:
            float64 [N, K, 3]: x, y in crop pixels, score 0..1.
        """
        parts = [self._forward(crops[start : start + _BATCH]) for start in range(0, len(crops), _BATCH)]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.skeleton), 3))

    def predict(self, image: np.ndarray, boxes: Sequence[Box]) -> np.ndarray:
        """Keypoints of the people in boxes of one image.

        Args:
            image: RGB uint8 [H, W, 3].
            boxes: Person boxes in image pixels.

        Returns:
            float64 [N, K, 3]: x, y in image pixels, score 0..1.
        """
        maps = [self.grid.matrix(box) for box in boxes]
        if not maps:
            return np.zeros((0, len(self.skeleton), 3))
        crops = np.stack([geometry.warp(image, matrix, self.grid.size) for matrix in maps])
        return to_image(self.predict_crops(crops), maps)

    @torch.inference_mode()
    def _forward(self, crops: np.ndarray) -> np.ndarray:
        images = moved(torch.from_numpy(np.ascontiguousarray(crops)), self.model.device).permute(0, 3, 1, 2)
        with mixed_precision(self.model.device):
            out = self.model(self.model.normalise(images))
        dark = self.model.config.decoding == "dark"
        points = decode(out.supervised, out.encoded.anchors, out.encoded.offsets, dark=dark)
        found = points.cpu().double().numpy()  # MPS has no float64
        found[..., :2] = self.grid.points_from(self.model.config.cells, found[..., :2])
        found[..., 2] = np.clip(found[..., 2], 0.0, 1.0)
        return found


def to_image(keypoints: np.ndarray, matrices: Sequence[np.ndarray]) -> np.ndarray:
    """Crop keypoints [N, K, 3] to image pixels, given each crop's map from image to crop [2, 3]."""
    out = keypoints.copy()
    for row, matrix in zip(out, matrices, strict=True):
        row[:, :2] = geometry.apply(geometry.invert(matrix), row[:, :2])
    return out
