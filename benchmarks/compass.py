"""Does reconstruction know where keypoints belong? `python benchmarks/compass.py MODEL --shards SHARDS [--people 8]`.

Nothing is learned here. On each rendered person (`ttpose synth SHARDS --shards`) it compares

- the gradient of the reconstruction's error with that of the labels' error, part by part of the pose path: the mean
  cosine over people, with a bootstrap 95 % interval; above zero, a step down the first is a step down the second,
- the norm of the first over that of the second, at the weight that joint training gives it: far below one, labels alone
  have shaped the maps, and what reconstruction asks of them at test time was never asked before,
- the error with the target's own keypoints, with those of another frame under the same warp, and with labelled ones in
  the place of the maps that the affinity takes them from: a decoder that does not care gives the same error to all,
- how far each map's point moves over a clip, in cells: a free map that does not move says nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ttpose.adaptation.augment import draw_warp
from ttpose.adaptation.settings import PAPER
from ttpose.core import geometry
from ttpose.core.memory import keep_freed_memory
from ttpose.data.rendered import read_rendered
from ttpose.data.video import Video
from ttpose.inference.crops import cut_crop
from ttpose.inference.warps import warped_batch
from ttpose.metrics.pck import bootstrap_mean
from ttpose.models.checkpoint import load_model
from ttpose.models.perceptual import PerceptualLoss
from ttpose.models.perceptual_features import perceptual_loss
from ttpose.models.pose_model import PoseModel
from ttpose.training.losses import joints_in_cells, pose_loss
from ttpose.training.samples import labels_of
from ttpose.training.schedule import JointSettings

#: Parts of the pose path by the prefixes of their names; what is in several counts in the first.
PARTS = {
    "stem, blocks 0-5": ("encoder.trunk.stem", *(f"encoder.trunk.blocks.{block}." for block in range(6))),
    "blocks 6-12": tuple(f"encoder.trunk.blocks.{block}." for block in range(6, 13)),
    "blocks 13-16": ("encoder.trunk.blocks.", "encoder.trunk.last"),
    "pyramid": ("encoder.",),
    "self-supervised head": ("self_head.",),
}


@dataclass(frozen=True)
class Views:
    """Warped frames of one person.

    Attributes:
        target, source: Normalised [B, 3, S, S].
        joints: [B, K, 3]: x, y in the target's pixels, weight.
    """

    target: Tensor
    source: Tensor
    joints: Tensor


def draw_views(model: PoseModel, video: Video, count: int, seed: int) -> Views:
    """Random pairs of a clip as the paper's personalization draws them, with labels."""
    rng, size = np.random.default_rng(seed), model.config.input_size
    chosen = rng.choice(len(video), (2, count), replace=2 * count > len(video))
    crops = [[cut_crop(video.frames[i].read(), video.frames[i].box, size, index=int(i)) for i in row] for row in chosen]
    warps = [draw_warp(rng, PAPER.augmentation) for _ in range(count)]
    own = [draw_warp(rng, PAPER.augmentation) for _ in range(count)]
    own = (
        warps
        if model.config.pair_warp == "shared"
        else [replace(a, flip=b.flip) for a, b in zip(own, warps, strict=True)]
    )
    target, matrices = warped_batch(crops[0], warps, size)
    source, _ = warped_batch(crops[1], own, size)
    joints = np.stack([labels_of(video.frames[i], video.skeleton, model.skeleton) for i in chosen[0]])
    for row, crop, matrix, warp in zip(joints, crops[0], matrices, warps, strict=True):
        row[:, :2] = geometry.apply(geometry.compose(matrix, geometry.invert(crop.to_source)), row[:, :2])
        row[:, 2] = row[:, 2] >= 2
        if warp.flip:
            row[:] = row[list(model.skeleton.flip)]
    return Views(model.normalise(target), model.normalise(source), torch.from_numpy(joints).float())


def reconstruction_error(model: PoseModel, perceptual: PerceptualLoss, views: Views, points: Tensor) -> Tensor:
    """The loss of targets that are reconstructed from these points."""
    side = model.config.reconstruction_size
    target, source = (F.adaptive_avg_pool2d(image, side) for image in (views.target, views.source))
    loss: Tensor = perceptual(model.reconstruct(source, points, points), target)[0]
    return loss


def cosines(model: PoseModel, perceptual: PerceptualLoss, views: Views) -> tuple[dict[str, float], float]:
    """Cosine of the two gradients for each part, and for all together; the ratio of their norms."""
    named = {name: p for name, p in model.named_parameters() if name.startswith(("encoder.", "self_head."))}
    for parameter in named.values():
        parameter.requires_grad_(True)
    output = model(views.target)
    found = model.points(output.self_supervised)
    losses = (
        reconstruction_error(model, perceptual, views, found),
        pose_loss(output.supervised, views.joints, model.config),
    )
    first, second = (
        dict(
            zip(
                named,
                torch.autograd.grad(loss, list(named.values()), retain_graph=True, materialize_grads=True),
                strict=True,
            )
        )
        for loss in losses
    )
    left, result, ratio = list(named), {}, float("nan")
    for part, prefixes in {**PARTS, "all": ("",)}.items():
        names = list(named) if part == "all" else [name for name in left if name.startswith(prefixes)]
        left = [name for name in left if name not in names]
        if not names:  # of another encoder
            continue
        one, other = (torch.cat([grads[name].flatten() for name in names]).double() for grads in (first, second))
        ratio = float(one.norm() / other.norm())  # of all in the end
        result[part] = float(one @ other / (one.norm() * other.norm()))  # small, but never clamped as PyTorch's own
    return result, ratio


@torch.no_grad()
def errors(model: PoseModel, perceptual: PerceptualLoss, views: Views) -> dict[str, float]:
    """The reconstruction's error with other keypoints, relative to that with the target's own."""
    output = model(views.target)
    own = model.points(output.self_supervised)
    maps = output.affinity.mean(0).argmax(1)
    labelled = own.clone()
    seen = views.joints[..., 2:] > 0
    labelled[:, maps] = torch.where(seen, joints_in_cells(views.joints), own[:, maps])
    first = reconstruction_error(model, perceptual, views, own)
    return {
        "labelled": float(reconstruction_error(model, perceptual, views, labelled) / first),
        "another view's": float(reconstruction_error(model, perceptual, views, own.roll(1, 0)) / first),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--shards", type=Path, required=True)
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--views", type=int, default=16, help="of each person")
    parser.add_argument("--weight", type=float, default=JointSettings.self_weight, help="of reconstruction in training")
    options = parser.parse_args(arguments)
    keep_freed_memory()
    model = load_model(options.model)
    perceptual = perceptual_loss(model).train()
    videos = [video for video in read_rendered(options.shards, "test") if video.name.endswith("_00")][: options.people]
    rows, ratios, others, moves = [], [], [], []
    for number, video in enumerate(videos):
        views = draw_views(model, video, options.views, number)
        perceptual.reset()
        reconstruction_error(model, perceptual, views, model.points(model(views.target).self_supervised))
        perceptual.eval()  # one yardstick for all of a person's figures
        found_cosines, ratio = cosines(model, perceptual, views)
        rows.append(found_cosines)
        ratios.append(options.weight * ratio)
        others.append(errors(model, perceptual, views))
        perceptual.train()
        with torch.no_grad():
            moves.append(model.points(model(views.target).self_supervised).std(0).mean(-1))
    print("cosine of the gradients of reconstruction and labels")
    for part in rows[0]:
        found = bootstrap_mean([row[part] for row in rows])
        print(f"  {part:24} {found.mean:+.3f} [{found.low:+.3f}, {found.high:+.3f}]")
    found = bootstrap_mean(ratios)
    print(f"norm of the first, weighted, over the second: {found.mean:.3f} [{found.low:.3f}, {found.high:.3f}]")
    print("reconstruction error over that with the target's own keypoints")
    for what in others[0]:
        found = bootstrap_mean([row[what] for row in others])
        print(f"  {what:24} {found.mean:.4f} [{found.low:.4f}, {found.high:.4f}]")
    print("standard deviation of each map's point, cells:", " ".join(f"{m:.1f}" for m in torch.stack(moves).mean(0)))


if __name__ == "__main__":
    main()
