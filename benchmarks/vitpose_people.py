"""A small ViTPose on rendered people: train it for as long as there is time, then personalize people it never saw.

    python benchmarks/vitpose_people.py train TRAIN -o small.safetensors --minutes 60
    python benchmarks/vitpose_people.py measure HELD small.safetensors -o people.jsonl

TRAIN and HELD are folders of `ttpose synth --shards` with different seeds. There are no public weights of such a size;
what is shown here is that a Transformer base learns a person, not how good ViTPose is.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ttpose.adaptation.methods import fitted
from ttpose.adaptation.offline import adapt_offline
from ttpose.adaptation.personalize import personalize_model
from ttpose.adaptation.pseudo_labels import distillation_targets, pseudo_labels
from ttpose.adaptation.settings import PRESETS, PersonalizeSettings
from ttpose.core.geometry import Box, apply, compose, invert
from ttpose.core.skeleton import COCO17, torso_lengths
from ttpose.data.shards import Shard, read_shard
from ttpose.inference.crops import PersonCrop, cut_crop
from ttpose.inference.pipeline import predict_crops
from ttpose.inference.refine.clip import refine
from ttpose.inference.tta import TTA_VIEWS, predict_tta
from ttpose.models.checkpoint import load_model, save_model
from ttpose.models.config import ViTConfig
from ttpose.models.encoders.vitpose import draw_adapters
from ttpose.models.pose_model import PoseModel
from ttpose.models.vitpose import vitpose_config
from ttpose.training.observed_clips import shard_crops

# 64×48 px, 1.2 M parameters: what a share of one core can train in an hour.
_VIT = ViTConfig(width=128, depth=6, heads=4, patch=8, positions=(8, 6), decoder="simple")
_SIGMA = 1.25  # of the target Gaussians in cells of 2 px; the authors have 2 on maps of twice as many cells a side
_BATCH, _RATE, _WARMUP, _DECAY = 32, 1e-3, 300, 0.05
_CUT: dict[tuple[int, int, int], PersonCrop] = {}  # of person, clip and frame: decoding takes as long as learning


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train")
    train.add_argument("shards", type=Path)
    train.add_argument("-o", "--output", type=Path, required=True)
    train.add_argument("--minutes", type=float, default=60)
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--start", type=Path, help="weights of an earlier training to go on from")
    train.add_argument("--rate", type=float, default=_RATE)
    measure = commands.add_parser("measure")
    measure.add_argument("shards", type=Path)
    measure.add_argument("base", type=Path)
    measure.add_argument("-o", "--output", type=Path, required=True)
    measure.add_argument("--people", type=int, help="as many as there are")
    measure.add_argument("--rate", type=float, help="learning rate, to find one on people of the training")
    measure.add_argument("--steps", type=int, default=PRESETS["balanced"].steps)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.command == "train":
        _train(options.shards, options.output, options.minutes, options.seed, options.start, options.rate)
    else:
        _measure(options)


def _measure(options: argparse.Namespace) -> None:
    """A line of the output a person; at the end the means with bootstrap 95 % intervals."""
    base = load_model(options.base)
    settings = fitted(replace(PRESETS["balanced"], steps=options.steps), base.config)
    settings = replace(settings, refine=replace(settings.refine, ensemble=False))  # it would hide what the base learns
    settings = settings if options.rate is None else replace(settings, pose_rate=options.rate)
    rows = []
    for path in sorted(options.shards.glob("identity_*.npz"))[: options.people]:
        row = {"person": path.stem, **_person(base, read_shard(path), settings)}
        rows.append(row)
        with options.output.open("a") as handle:
            handle.write(json.dumps(row) + "\n")
        print(json.dumps(row), flush=True)
    for name in [key for key in rows[0] if key.startswith("clip")]:
        values = np.array([row[name] for row in rows])
        shown = [f"{mean:.3f} [{low:.3f}, {high:.3f}]" for mean, low, high in map(_interval, values.T)]
        print(f"{name}: PCK@0.1 {shown[0]}, PCK@0.2 {shown[1]}")


def _interval(values: np.ndarray) -> tuple[float, float, float]:
    rng = np.random.default_rng(0)
    means = rng.choice(values, (2000, len(values))).mean(1)
    return float(values.mean()), *(float(v) for v in np.percentile(means, (2.5, 97.5)))


def _person(base: PoseModel, shard: Shard, settings: PersonalizeSettings) -> dict[str, Any]:
    """PCK on the clip that was learned from and on the person's other one."""
    clips = [shard_crops(shard, clip, base.config.crop) for clip in range(2)]
    done = personalize_model(base, clips[0], settings)
    corrected, five = _corrected(base, clips[0], shard.keypoints[0].astype(float), settings)
    row: dict[str, Any] = {"guard": done.guard.decision}
    models = {
        "base": base,
        "personalized": done.model,
        "all learned": done.whole.apply(base).eval(),
        "corrected": corrected,
    }
    for number, crops in enumerate(clips):
        truth = shard.keypoints[number].astype(float)
        # The corrected frames were given away: nothing is measured on them, for any method.
        counted = [i for i in range(len(crops)) if number == 1 or i not in five]
        for name, model in models.items():
            seen = predict_crops(model, crops, settings.refine)
            single = seen.single_view_keypoints
            found = refine(seen, [c.time_s for c in crops], base.skeleton, settings.refine).keypoints
            ways = {"base": single, "refined": found} if name == "base" else {name: found}
            for way, keypoints in ways.items():
                row[f"clip{number} {way}"] = _pck(keypoints[counted], truth[counted])
    return row


def _corrected(
    base: PoseModel, crops: Sequence[PersonCrop], truth: np.ndarray, settings: PersonalizeSettings
) -> tuple[PoseModel, list[int]]:
    """The base after learning five frames' true keypoints beside the teacher's heatmaps of the others."""
    five = [round(i) for i in np.linspace(0, len(crops) - 1, 7)[1:-1]]
    settings = replace(settings, distillation=1.0, self_training=1.0, interpolation=1.0)
    teacher = predict_tta(base, crops, TTA_VIEWS[: settings.teacher_views], keep_maps=True)
    labels, swapped = pseudo_labels(teacher, crops, base.skeleton, settings)
    clip = distillation_targets(teacher, crops, labels, swapped, base.skeleton, grid=base.config.crop)
    taught = np.zeros_like(clip.labels)
    for i in five:
        taught[i, :, :2] = apply(invert(crops[i].to_source), truth[i, :, :2])
        taught[i, :, 2] = truth[i, :, 2] > 0
        clip.maps[i] = 0  # type: ignore[index]
    adapter = adapt_offline(base, replace(clip, labels=taught), settings)
    return adapter.average.eval(), five


def _pck(found: np.ndarray, truth: np.ndarray) -> list[float]:
    """PCK@0.1 and @0.2 of the torso over limb joints that are in the picture."""
    torso = np.maximum(torso_lengths(truth, COCO17), 1.0)
    near = np.linalg.norm(found[..., :2] - truth[..., :2], axis=-1) / torso[:, None]
    counts = (truth[..., 2] > 0) & (np.arange(len(COCO17)) >= 5)
    return [float((near[counts] < limit).mean()) for limit in (0.1, 0.2)]


def _train(folder: Path, output: Path, minutes: float, seed: int, start: Path | None, highest: float) -> None:
    """AdamW on mean squared error, the rate falling with the cosine of the time that has passed."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = PoseModel(vitpose_config(_VIT, preset="vitpose-small", target_sigma=_SIGMA))
    draw_adapters(model)
    if start is not None:
        model.load_state_dict(load_model(start).state_dict())
    shards = [read_shard(path) for path in sorted(folder.glob("identity_*.npz"))]
    learning = [p for name, p in model.named_parameters() if not name.endswith(".up")]  # adapters are for persons
    optimizer = torch.optim.AdamW(learning, weight_decay=_DECAY)
    begin, step, mean = time.monotonic(), 0, 0.0
    print(f"{len(shards)} people, {sum(p.numel() for p in learning) / 1e6:.1f} M parameters", flush=True)
    while (passed := (time.monotonic() - begin) / 60 / minutes) < 1:
        rate = highest * min(1, (step + 1) / _WARMUP) * (1 + math.cos(math.pi * passed)) / 2
        for group in optimizer.param_groups:
            group["lr"] = rate
        images, wanted, known = _batch(shards, model, rng)
        found = model.train()(model.normalise(images)).supervised
        # The sum over cells is of the order of 1, whatever the size of the maps.
        loss = ((found - wanted).square().sum((2, 3)) * known).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()
        step, mean = step + 1, 0.99 * mean + 0.01 * float(loss.detach())
        if step % 200 == 0:
            print(f"step {step}, {passed:.0%}, loss {mean / (1 - 0.99**step):.3f}", flush=True)
        if step % 2000 == 0:
            save_model(model, output, notes={"steps": str(step)})
    save_model(model, output, notes={"steps": str(step)})
    print(f"{step} steps of {_BATCH} in {minutes:g} min")


def _batch(shards: list[Shard], model: PoseModel, rng: np.random.Generator) -> tuple[torch.Tensor, ...]:
    """Random views: RGB 0..255 [B, 3, H, W], target maps [B, K, h, w], and which joints are known [B, K]."""
    grid, cells = model.config.crop, model.config.cells
    pictures, points, known = [], [], []
    for _ in range(_BATCH):
        number = int(rng.integers(len(shards)))
        shard = shards[number]
        clip, frame = int(rng.integers(len(shard.boxes))), int(rng.integers(shard.boxes.shape[1]))
        place = (number, clip, frame)
        if place not in _CUT:
            _CUT[place] = cut_crop(shard.image(clip, frame), Box(*shard.boxes[clip, frame].astype(float)), grid)
        cut = _CUT[place]
        flip = bool(rng.random() < 0.5)
        rotation = float(np.clip(rng.normal(0, 20), -40, 40)) if rng.random() < 0.5 else 0.0
        shift = (float(rng.normal(0, 0.03)), float(rng.normal(0, 0.03)))
        matrix = cut.matrix(grid, rotation=rotation, scale=float(rng.uniform(0.8, 1.2)), shift=shift, flip=flip)
        image = cut.view(matrix, grid).astype(np.float32)
        pictures.append(np.clip(image * rng.uniform(0.75, 1.25, 3) + rng.uniform(-20, 20), 0, 255).astype(np.float32))
        joints = shard.keypoints[clip, frame].astype(float)
        joints = joints[list(COCO17.flip)] if flip else joints
        points.append(cells.points_from(grid, apply(compose(matrix, invert(cut.to_source)), joints[:, :2])))
        known.append(joints[:, 2] > 0)
    middle = torch.from_numpy(np.stack(points)).float()
    across = torch.exp(-((torch.arange(cells.width) - middle[..., :1]) ** 2) / (2 * _SIGMA**2))
    down = torch.exp(-((torch.arange(cells.height) - middle[..., 1:]) ** 2) / (2 * _SIGMA**2))
    images = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    return images, down[..., :, None] * across[..., None, :], torch.from_numpy(np.stack(known)).float()


if __name__ == "__main__":
    main()
