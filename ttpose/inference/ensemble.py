"""The ensemble's second network, BlazePose: it predicts the pose that the first network found, upright and mirrored.

Two networks that were trained on different pictures err in different places. BlazePose is less accurate by itself;
beside the first network it tells which of the first one's doubtful joints are wrong (docs/experiments.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch

from ttpose.core import geometry
from ttpose.core.geometry import Box
from ttpose.core.skeleton import Skeleton
from ttpose.inference.crops import PersonCrop
from ttpose.models.blazepose import BLAZEPOSE_SIZE, LANDMARKS, BlazePose, load_blazepose
from ttpose.models.engine import CompiledBlazePose, compiled_blazepose
from ttpose.models.store import model_path

#: File name of the shipped network.
BLAZEPOSE_FILE = "blazepose_heavy.safetensors"
_BATCH = 4  # crops a forward, each with its mirror image: more cost memory and gain no speed on a CPU
# The crop as MediaPipe cuts it: a square about the middle of the hips, the torso upright, out to the furthest joint and
# a quarter more.
_ROOM = 1.25
# Joints that score less do not make the crop larger; it has room for a torso and its head, and for a share of the box.
_LEAST_SCORE, _LEAST_TORSOS, _LEAST_SHARE = 0.2, 1.2, 0.1


class EnsembleMember:
    """BlazePose, predicting the joints of a keypoint set."""

    def __init__(self, network: BlazePose | CompiledBlazePose, skeleton: Skeleton) -> None:
        self._network, self._flip = network, list(skeleton.flip)
        self._numbers = np.array([LANDMARKS.get(name, -1) for name in skeleton.keypoints])
        #: The keypoint set.
        self.skeleton = skeleton
        self._torso = [[skeleton.index(f"{side}_{part}") for side in ("left", "right")] for part in ("hip", "shoulder")]

    def predict(self, crops: Sequence[PersonCrop], keypoints: np.ndarray) -> np.ndarray:
        """Predict crops and their mirror images.

        Args:
            crops: N frames of one person.
            keypoints: [N, K or fewer, 3] original pixels and scores, the pose found so far, which the network is shown
                upright: the first ones of the keypoint set, hips and shoulders among them.

        Returns:
            [N, K, 4]: x and y in original pixels, visibility 0..1, and how far the plain and the mirrored prediction
            are apart in original pixels; NaN for joints that the network does not know.
        """
        parts = [
            self._predict_batch(crops[i : i + _BATCH], keypoints[i : i + _BATCH]) for i in range(0, len(crops), _BATCH)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, len(self._numbers), 4))

    def _predict_batch(self, crops: Sequence[PersonCrop], keypoints: np.ndarray) -> np.ndarray:
        to_crops = [
            [geometry.compose(m, crop.to_source) for m in self._matrices(found, crop.source_box)]
            for crop, found in zip(crops, keypoints, strict=True)
        ]
        views = [crop.view(m, BLAZEPOSE_SIZE) for crop, pair in zip(crops, to_crops, strict=True) for m in pair]
        said = self._landmarks(np.stack(views)).reshape(len(crops), 2, -1, 3)
        said[:, 1] = said[:, 1, self._flip]
        for crop, pair, rows in zip(crops, to_crops, said, strict=True):
            for matrix, row in zip(pair, rows, strict=True):
                row[:, :2] = geometry.apply(geometry.compose(crop.to_source, geometry.invert(matrix)), row[:, :2])
        apart = np.linalg.norm(said[:, 0, :, :2] - said[:, 1, :, :2], axis=-1)
        return np.concatenate([said.mean(1), apart[..., None]], -1)

    def _matrices(self, found: np.ndarray, box: Box) -> tuple[np.ndarray, np.ndarray]:
        """From original pixels to the crop that shows the pose upright, and to its mirror image."""
        hips, shoulders = (found[joints, :2].mean(0) for joints in self._torso)
        up = shoulders - hips
        reach = np.linalg.norm(found[found[:, 2] > _LEAST_SCORE, :2] - hips, axis=1).max(initial=0.0)
        reach = max(reach, _LEAST_TORSOS * float(np.linalg.norm(up)), _LEAST_SHARE * box.side, 0.5)
        square = Box.around(np.stack([hips - reach, hips + reach]))
        turn = float(np.degrees(np.arctan2(up[0], -up[1])))
        plain, mirrored = (
            geometry.crop_matrix(square, BLAZEPOSE_SIZE, pad=_ROOM, rotation=turn, flip=flip) for flip in (False, True)
        )
        return plain, mirrored

    @torch.inference_mode()
    def _landmarks(self, views: np.ndarray) -> np.ndarray:
        """RGB uint8 [B, S, S, 3] to the keypoint set's joints [B, K, 3] in their pixels, with visibilities 0..1."""
        images = torch.from_numpy(views).to(self._network.device).permute(0, 3, 1, 2).float() / 255
        said = self._network(images).cpu().double()  # MPS has no doubles
        found = torch.cat([said[..., :2], said[..., 3:4].sigmoid()], -1).numpy()[:, self._numbers]
        found[:, self._numbers < 0] = np.nan
        return found


@lru_cache(maxsize=2)
def _network(device: str, compile: bool) -> BlazePose | CompiledBlazePose:
    network = load_blazepose(model_path(BLAZEPOSE_FILE)).to(device)
    return compiled_blazepose(network) if compile else network


def ensemble_member(skeleton: Skeleton, device: str = "cpu", *, compile: bool = True) -> EnsembleMember:
    """The shipped network; raises WeightsError."""
    return EnsembleMember(_network(str(device), compile), skeleton)


def forget_ensemble() -> None:
    """Free the shipped network and what was compiled of it; the next `ensemble_member` loads it again."""
    _network.cache_clear()
