"""Pictures of labelled clips: `python benchmarks/pictures.py CLIP [CLIP ...] -o FOLDER`.

Writes before_after.jpg, where each clip has two rows of evenly spaced frames, the base's keypoints above and those of
`balanced` below, and reconstructed.jpg, where the shipped decoder, not adapted to anybody, reconstructs frames of each
clip from another frame of it: sources above, targets in the middle, the reconstruction below.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ttpose.adaptation.personalize import personalize_model
from ttpose.adaptation.settings import PRESETS
from ttpose.core import geometry
from ttpose.data.labelled_clip import read_clip
from ttpose.inference.crops import PersonCrop, cut_crop
from ttpose.inference.pipeline import predict_clip
from ttpose.inference.tta import TTA_VIEWS, predict_tta
from ttpose.inference.warps import warped_batch
from ttpose.media import write_image
from ttpose.models.pose_model import PoseModel
from ttpose.models.shipped import load
from ttpose.report.drawing import draw_skeleton
from ttpose.report.inside import reconstructed

_FRAMES = 6
_SIDE = 224


def main() -> None:
    """Personalize on each clip and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    base = load(None).model
    compared, rebuilt = [], []
    for folder in options.clips:
        crops = _crops(folder, base.config.input_size)
        shown = np.linspace(0, len(crops) - 1, _FRAMES).round().astype(int).tolist()
        done = personalize_model(base, crops, PRESETS["balanced"])
        after = predict_clip(done.model, crops, PRESETS["balanced"].refine).keypoints
        for keypoints in (predict_tta(base, crops).keypoints, after):
            compared.append(np.concatenate([_drawn(crops[i], keypoints[i], base) for i in shown], 1))
        rebuilt += _reconstruction_rows(base, [crops[i] for i in shown])
        print(folder.name, done.guard.decision, done.guard.reason, flush=True)
    options.output.mkdir(parents=True, exist_ok=True)
    write_image(options.output / "before_after.jpg", np.concatenate(compared))
    write_image(options.output / "reconstructed.jpg", np.concatenate(rebuilt))


def _crops(folder: Path, size: int) -> list[PersonCrop]:
    frames = read_clip(folder).frames
    return [cut_crop(f.read(), f.box, size, index=i, time_s=i / 25) for i, f in enumerate(frames)]


def _drawn(crop: PersonCrop, keypoints: np.ndarray, model: PoseModel) -> np.ndarray:
    """The network's plain view of a crop with a skeleton, [S, S, 3]."""
    matrix = crop.matrix(_SIDE)
    points = keypoints.copy()
    points[:, :2] = geometry.apply(matrix, geometry.apply(geometry.invert(crop.to_source), keypoints[:, :2]))
    return draw_skeleton(crop.view(matrix, _SIDE), points, model.skeleton)


@torch.inference_mode()
def _reconstruction_rows(model: PoseModel, crops: Sequence[PersonCrop]) -> list[np.ndarray]:
    """Three rows: sources, targets, and the targets reconstructed from the sources."""
    targets = model.normalise(warped_batch(crops, TTA_VIEWS[:1] * len(crops), model.config.input_size)[0])
    points = model.points(model(targets).self_supervised)
    side, order = model.config.reconstruction_size, np.roll(np.arange(len(crops)), len(crops) // 2).tolist()
    shown = [crop.view(crop.matrix(side), side) for crop in crops]
    rebuilt = reconstructed(model, targets, points, order)
    return [np.concatenate(row, 1) for row in ([shown[i] for i in order], shown, rebuilt)]


if __name__ == "__main__":
    main()
