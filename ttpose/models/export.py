"""A model as one file that runs without ttpose: ONNX or TorchScript, from a crop's pixels to its keypoints."""

from __future__ import annotations

import copy
import importlib.util
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from ttpose.core.errors import OutputError, UsageError
from ttpose.core.files import atomic_path
from ttpose.core.version import __version__
from ttpose.models.decode import decode
from ttpose.models.pose_model import PoseModel
from ttpose.models.predictor import Predictor

ExportKind = Literal["onnx", "torchscript"]
InputType = Literal["uint8", "float32"]

#: Names of the input and the outputs in ONNX files.
INPUT, OUTPUTS = "images", ("heatmaps", "keypoints")
#: Name of the description (JSON) among a TorchScript file's extra files, and of its entries in ONNX metadata.
DESCRIPTION = "ttpose.json"

# Libraries that report every step of an export.
_TALKATIVE = ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")
# Farther from the model's own keypoints, in pixels, an export is wrong rather than rounded.
_TOLERANCE = 0.01


class PortableModel(nn.Module):
    """From crops to keypoints in one forward, as `Predictor` does it.

    Args:
        model: Copied to the CPU, without its reconstruction nets.
    """

    def __init__(self, model: PoseModel) -> None:
        super().__init__()
        nets, model.reconstructor = model.reconstructor, nn.Identity()
        try:
            self.model = copy.deepcopy(model).cpu().eval()
        finally:
            model.reconstructor = nets
        for weight in self.model.parameters():
            weight.requires_grad_(False)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Heatmaps [B, K, h, w] and keypoints [B, K, 3] (x, y in crop pixels, score) of RGB 0..255 [B, 3, H, W]."""
        out = self.model(self.model.normalise(images))
        config = self.model.config
        found = decode(out.supervised, out.encoded.anchors, out.encoded.offsets, dark=config.decoding == "dark")
        if config.corner_cells:
            steps = [
                (config.crop.width - 1) / (config.cells.width - 1),
                (config.crop.height - 1) / (config.cells.height - 1),
            ]
            places = found[..., :2] * found.new_tensor(steps)
        else:
            places = (found[..., :2] + 0.5) * config.stride - 0.5
        return out.supervised, torch.cat([places, found[..., 2:].clamp(0, 1)], -1)


def export_model(
    model: PoseModel,
    path: Path | str,
    kind: ExportKind,
    *,
    input_type: InputType = "uint8",
    notes: dict[str, str] | None = None,
    check: np.ndarray | None = None,
) -> float | None:
    """Write a self-contained file, whole or not at all.

    Its input `images` is one crop, RGB 0..255 [1, 3, H, W]; its outputs are `heatmaps` [1, K, h, w] and
    `keypoints` [1, K, 3]: x, y in crop pixels (pixel centres at integers) and score 0..1. The file describes itself:
    see `description`.

    Args:
        model: Any pose model.
        path: The file.
        kind: "onnx" or "torchscript".
        input_type: Of the input's numbers; the same values 0..255 either way.
        notes: More for the description, such as the fingerprints of the weights.
        check: A crop, RGB uint8 [H, W, 3], to run the written file on (an ONNX file if onnxruntime is installed).

    Returns:
        The largest difference of the file's keypoints from the model's in pixels, None where it was not run.

    Raises:
        UsageError: The packages for ONNX are not installed.
        OutputError: The file cannot be written, or does not give the model's keypoints.
    """
    example = torch.zeros(1, 3, *model.config.crop.size, dtype=getattr(torch, input_type))
    about = description(model, input_type) | (notes or {})
    write = _write_onnx if kind == "onnx" else _write_torchscript
    with atomic_path(path) as partial, _quiet():
        write(PortableModel(model).eval(), example, partial, about)
        if check is None or (kind == "onnx" and importlib.util.find_spec("onnxruntime") is None):
            return None
        found = _run(partial, kind, np.moveaxis(check, 2, 0)[None].astype(input_type))
        difference = float(np.abs(found - Predictor(model).predict_crops(check[None])).max())
        if not difference < _TOLERANCE:
            raise OutputError(
                f"the exported file's keypoints are {difference:.3g} pixels from the model's", "please report this"
            )
    return difference


def description(model: PoseModel, input_type: InputType) -> dict[str, str]:
    """What a program needs to know to use the file, as text."""
    crop = model.config.crop
    edges = "centres of the outer pixels" if crop.corners else "outer edges of the outer pixels"
    return {
        "ttpose_version": __version__,
        "keypoints": json.dumps(list(model.skeleton.keypoints)),
        "limbs": json.dumps([list(limb) for limb in model.skeleton.limbs]),
        "input": f"one crop, RGB {input_type} 0..255, 1 x 3 x {crop.height} x {crop.width}",
        "crop": f"the person's box, grown to {crop.width}:{crop.height} and by {crop.pad:g} about its middle, black"
        f" outside; its edges lie on the {edges}",
        "crop_pad": str(crop.pad),
        "crop_grid": str((crop.height, crop.width, crop.pad, crop.corners)),
    }


def _write_onnx(portable: PortableModel, example: Tensor, path: Path, about: dict[str, str]) -> None:
    missing = [name for name in ("onnx", "onnxscript") if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(f"ONNX files need {' and '.join(missing)}", "pip install 'ttpose[export]'")
    from torch.export import default_decompositions, export

    simpler = default_decompositions()
    # ONNX has no operator for it.
    simpler[torch.ops.aten.hypot.default] = lambda a, b: (a * a + b * b).sqrt()
    graph = export(portable, (example,)).run_decompositions(simpler)
    program = torch.onnx.export(
        graph, dynamo=True, input_names=[INPUT], output_names=list(OUTPUTS), verbose=False, optimize=True
    )
    if program is None:
        raise OutputError("torch made no ONNX program", "use a newer torch")
    program.model.metadata_props.update(about)
    program.save(str(path), external_data=False)


def _write_torchscript(portable: PortableModel, example: Tensor, path: Path, about: dict[str, str]) -> None:
    with torch.inference_mode():
        # Tracing's own check compares names that differ from trace to trace; `check` compares what counts.
        traced = torch.jit.trace(portable, (example,), check_trace=False)
        torch.jit.save(traced, str(path), _extra_files={DESCRIPTION: json.dumps(about)})


def _run(path: Path, kind: ExportKind, images: np.ndarray) -> np.ndarray:
    """Keypoints [1, K, 3] that a written file gives."""
    if kind == "torchscript":
        with torch.inference_mode():
            return torch.jit.load(str(path))(torch.from_numpy(images))[1].numpy()
    import onnxruntime

    runtime = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.asarray(runtime.run([OUTPUTS[1]], {INPUT: images})[0])


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporters' reports of their steps, and deprecations that are theirs, to themselves."""
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for kind in (DeprecationWarning, FutureWarning, torch.jit.TracerWarning):
                warnings.simplefilter("ignore", kind)
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
