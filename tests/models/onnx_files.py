"""Small ONNX pose networks whose answer is known: they find the brightest column and row of each colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

MEAN, STD = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])


def colour_file(
    path: Path, kind: str, *, height: int = 64, width: int = 48, joints: int = 17, batch: object = "N"
) -> Path:
    """Keypoint k lies on the brightest spot of colour k % 3: the mean over rows gives x, over columns y.

    `kind` is "simcc" (two bins a pixel), "simcc_swapped" (y comes first), or "heatmaps" (a cell is 4 px).
    """
    onnx = pytest.importorskip("onnx")
    helper, types = onnx.helper, onnx.TensorProto
    pick = helper.make_node("Gather", ["images", "colours"], ["chosen"], axis=1)
    numbers = {"colours": np.arange(joints) % 3}
    if kind.startswith("simcc"):
        numbers |= {"twice": np.array([1.0, 1.0, 2.0], np.float32)}
        nodes = [
            helper.make_node("ReduceMax", ["chosen", "rows"], ["across"], keepdims=0),
            helper.make_node("ReduceMax", ["chosen", "columns"], ["down"], keepdims=0),
            helper.make_node("Resize", ["across", "", "twice"], ["simcc_x"], mode="nearest", nearest_mode="floor",
                             coordinate_transformation_mode="asymmetric"),
            helper.make_node("Resize", ["down", "", "twice"], ["simcc_y"], mode="nearest", nearest_mode="floor",
                             coordinate_transformation_mode="asymmetric"),
        ]  # fmt: skip
        numbers |= {"rows": np.array([2]), "columns": np.array([3])}
        outputs = [("simcc_x", [batch, joints, 2 * width]), ("simcc_y", [batch, joints, 2 * height])]
        outputs = outputs[::-1] if kind == "simcc_swapped" else outputs
    else:
        nodes = [helper.make_node("MaxPool", ["chosen"], ["maps"], kernel_shape=[4, 4], strides=[4, 4])]
        outputs = [("maps", [batch, joints, height // 4, width // 4])]
    graph = helper.make_graph(
        [pick, *nodes], "pose",
        [helper.make_tensor_value_info("images", types.FLOAT, [batch, 3, height, width])],
        [helper.make_tensor_value_info(name, types.FLOAT, shape) for name, shape in outputs],
        [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in numbers.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path
