"""Pose networks in ONNX files, as others export them: SimCC (RTMPose) or heatmaps, from one person's crop.

They run but do not learn: each is an additional member of the ensemble and a teacher. Input is one crop, RGB, with
ImageNet's normalisation; outputs are two classifications of x and y (Li et al. 2022, "SimCC"), or heatmaps. Files of
`ttpose export` describe themselves and are read by what they say.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ttpose.core.errors import UsageError, WeightsError
from ttpose.core.geometry import CropGrid
from ttpose.core.skeleton import COCO17
from ttpose.models.dark import dark_decode

# ImageNet statistics in 0..255, RGB order, as mmpose's and ViTPose's exports expect.
_MEAN = np.array([123.675, 116.28, 103.53], np.float32)
_STD = np.array([58.395, 57.12, 57.375], np.float32)
_PAD = 1.25  # of mmpose's crops
# Keypoint sets whose first 17 are COCO's: COCO, Halpe-26, COCO-WholeBody.
_JOINTS = (17, 26, 133)
_READABLE = (
    "two SimCC outputs [N, K, bins], or heatmaps [N, K, h, w], of 17, 26 or 133 keypoints that begin with COCO's"
)


class OnnxPose:
    """A network from an ONNX file.

    Args:
        path: The file.

    Attributes:
        path: The file.
        grid: The crops that it looks at.

    Raises:
        UsageError: onnxruntime is not installed.
        WeightsError: The file is missing, damaged, or no pose network of a readable kind.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._session = _session(self.path)
        about = self._session.get_modelmeta().custom_metadata_map
        given, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(given) != 1 or len(given[0].shape) != 4 or given[0].shape[1] != 3:
            raise WeightsError(f"{path} takes {_listed(given)}", "one crop [N, 3, H, W] is needed")
        self._input = given[0].name
        batch, _, height, width = given[0].shape
        if not isinstance(height, int) or not isinstance(width, int):
            raise WeightsError(f"{path} takes crops of any size", "export it with a fixed height and width")
        self._single = batch == 1
        self._own = "ttpose_version" in about
        self._type = np.uint8 if "uint8" in given[0].type else np.float32
        self.grid = CropGrid(height, width, _PAD)
        if self._own:
            size = ast.literal_eval(about.get("crop_grid", f"({height}, {width}, {about['crop_pad']}, False)"))
            self.grid = CropGrid(*size)
        self._names = self._choose(outputs)
        # ViTPose's heatmaps, the usual ones in such files, reach from edge pixel to edge pixel.
        if len(self._names) == 1 and not self._own:
            self.grid = CropGrid(height, width, _PAD, corners=True)

    def _choose(self, outputs: list[Any]) -> list[str]:
        """Names of the outputs that are read: x and y, or one alone."""
        shapes = {output.name: output.shape for output in outputs}
        if self._own and "keypoints" in shapes:
            return ["keypoints"]
        bins = [name for name, shape in shapes.items() if len(shape) == 3]
        maps = [name for name, shape in shapes.items() if len(shape) == 4]
        if len(bins) == 2:
            x, y = bins
            # The names tell, or the lengths, which are in the proportion of the crop's sides.
            lengths = [shapes[name][2] for name in bins]
            across = lengths[0] * self.grid.height == lengths[1] * self.grid.width if _numbers(lengths) else True
            chosen = [y, x] if "y" in x.lower().rsplit("_", 1)[-1] or not across else [x, y]
        elif len(maps) == 1 and not bins:
            chosen = maps
        else:
            raise WeightsError(f"{self.path} gives {_listed(outputs)}", f"what can be read: {_READABLE}")
        joints = shapes[chosen[0]][1]
        if isinstance(joints, int) and joints not in _JOINTS:
            raise WeightsError(f"{self.path} gives {joints} keypoints", f"what can be read: {_READABLE}")
        return chosen

    def predict(self, crops: np.ndarray) -> np.ndarray:
        """Keypoints of crops.

        Args:
            crops: RGB uint8 [N, H, W, 3] on `grid`.

        Returns:
            float64 [N, 17, 3]: COCO's keypoints, x, y in crop pixels, score 0..1.
        """
        images = np.moveaxis(crops, 3, 1)
        if not self._own:
            images = (images - _MEAN[:, None, None]) / _STD[:, None, None]
        images = np.ascontiguousarray(images, self._type)
        parts = [images[i : i + 1] for i in range(len(images))] if self._single else [images]
        runs = [self._session.run(self._names, {self._input: part}) for part in parts if len(part)]
        if not runs:
            return np.zeros((0, len(COCO17), 3))
        return self._read([np.concatenate(arrays) for arrays in zip(*runs, strict=True)])[:, : len(COCO17)]

    def _read(self, outputs: list[np.ndarray]) -> np.ndarray:
        if len(outputs) == 2:
            return _simcc(outputs[0], outputs[1], self.grid)
        if self._own:
            return outputs[0].astype(float)
        found = dark_decode(torch.from_numpy(outputs[0]).float()).double().numpy()
        height, width = outputs[0].shape[2:]
        found[..., :2] = self.grid.points_from(self.grid.resized(height, width), found[..., :2])
        found[..., 2] = found[..., 2].clip(0, 1)
        return found


def _simcc(x: np.ndarray, y: np.ndarray, grid: CropGrid) -> np.ndarray:
    """Keypoints [N, K, 3] of classifications [N, K, bins]; 2 bins a pixel in RTMPose."""
    point = np.stack([x.argmax(2) * (grid.width / x.shape[2]), y.argmax(2) * (grid.height / y.shape[2])], -1)
    # A keypoint is as sure as the less sure of its coordinates, as in mmpose.
    return np.concatenate([point, np.minimum(x.max(2), y.max(2)).clip(0, 1)[..., None]], -1).astype(float)


def _session(path: Path) -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise UsageError("running ONNX files needs onnxruntime", "pip install 'ttpose[export]'") from None
    if not path.is_file():
        raise WeightsError(f"there is no file {path}", "check the path")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4  # failures are raised; nothing else is to be shown
    wanted = [
        p for p in ("CUDAExecutionProvider", "CPUExecutionProvider") if p in onnxruntime.get_available_providers()
    ]
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=wanted)
    except Exception as error:  # the runtime has many kinds, none of them public
        raise WeightsError(f"{path} is no ONNX file, or a damaged one", "export it again") from error


def _listed(values: list[Any]) -> str:
    return ", ".join(f"{value.name} {list(value.shape)}" for value in values) or "nothing"


def _numbers(values: list[Any]) -> bool:
    return all(isinstance(value, int) for value in values)
