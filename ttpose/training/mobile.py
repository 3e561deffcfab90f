"""Training of the shipped model: everything but MoveNet's trunk and heads, which stay exactly as they are.

Run as `python -m ttpose.training.mobile --help`.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from ttpose.models.checkpoint import load_model, read_tensors, save_model
from ttpose.models.config import mobile_config
from ttpose.models.encoders.mobile import MobileEncoder
from ttpose.models.perceptual import PerceptualLoss
from ttpose.models.perceptual_features import perceptual_loss
from ttpose.models.pose_model import PoseModel
from ttpose.training.logbook import Logbook
from ttpose.training.mobile_losses import free_loss, free_points, joined_points, person_area, pose_loss
from ttpose.training.mobile_pairs import Pair, PairAugmentation, PairSource, RenderedPairs, StillPairs, cut_pair
from ttpose.training.state import TrainingState, load_state, require_same_run


@dataclass(frozen=True)
class MobileSettings:
    """Numbers of the training.

    Attributes:
        steps: Optimiser steps.
        batch: Pairs a step.
        rate: Adam's largest learning rate; it rises over `warmup` steps and falls as a cosine.
        warmup: Steps.
        rendered: Share of rendered pairs; the others are stills.
        free: Whether the free maps and the affinity learn too, or the reconstruction nets alone.
        pose: Weight of the supervised loss.
        jitter: Standard deviation of random errors of source points in shares of the crop: a keypoint's usual error.
        seed: Of weights and pairs.
    """

    steps: int = 2000
    batch: int = 8
    rate: float = 1e-3
    warmup: int = 50
    rendered: float = 0.75
    free: bool = True
    # Squared errors of heatmaps are about 1e-4, the reconstruction's terms about 1.
    pose: float = 1000.0
    jitter: float = 0.006
    seed: int = 0


class PairDataset(Dataset[Pair]):
    """Pairs by number: the same number gives the same pair, whoever asks."""

    def __init__(self, rendered: PairSource, stills: PairSource, size: int, settings: MobileSettings) -> None:
        self._sources = rendered, stills
        self._size, self._settings = size, settings

    def __len__(self) -> int:
        return self._settings.steps * self._settings.batch

    def __getitem__(self, number: int) -> dict[str, Any]:  # type: ignore[override]
        rng = np.random.default_rng((self._settings.seed, number))
        source = self._sources[0 if rng.random() < self._settings.rendered else 1]
        return vars(cut_pair(*source.draw(rng), self._size, rng, PairAugmentation()))


class MobileTrainer:
    """One model in training.

    Args:
        model: Starts from the pretrained trunk.
        settings: Numbers.
    """

    def __init__(self, model: PoseModel, settings: MobileSettings) -> None:
        self.model, self.settings = model, settings
        self.perceptual: PerceptualLoss = perceptual_loss(model).train()
        self.optimizer = torch.optim.Adam(_learning(model, settings.free), lr=settings.rate)
        self.step_number = 0

    def step(self, batch: dict[str, Tensor]) -> dict[str, float]:
        """One optimiser step; returns the loss terms."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.rate * _schedule(self.step_number, self.settings)
        torch.manual_seed(hash((self.settings.seed, self.step_number)) % 2**31)
        with torch.autocast(self.model.device.type, torch.bfloat16):
            terms = self._terms(batch)
        total = torch.stack(list(terms.values())).sum()
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(self.optimizer.param_groups[0]["params"], 5.0)
        self.optimizer.step()
        self.step_number += 1
        return {name: float(term.detach()) for name, term in terms.items()}

    def _terms(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        model, config = self.model, self.model.config
        target, source = (
            model.normalise(batch["images"][:, i].permute(0, 3, 1, 2)).contiguous(memory_format=torch.channels_last)
            for i in range(2)
        )
        labels = batch["keypoints"][:, 0], batch["keypoints"][:, 1]
        terms: dict[str, Tensor] = {}
        free: list[Tensor | None] = [None, None]
        if self.settings.free:
            out, other = model(target), model(source)
            free = [free_points(model, out), free_points(model, other)]
            terms["pose"] = self.settings.pose * pose_loss(model, out, labels[0])
        points = [
            joined_points(kp, own, config.input_size, config.num_self) for kp, own in zip(labels, free, strict=True)
        ]
        if free[0] is not None and free[1] is not None:
            count = len(model.skeleton)
            terms["free"] = free_loss(model, points[0][:, :count], points[1][:, :count], (free[0], free[1]))
        side = config.reconstruction_size
        noisy = points[1] + self.settings.jitter * torch.randn_like(points[1])
        reconstructed = model.reconstructor(F.adaptive_avg_pool2d(source, side), noisy, points[0])
        area = person_area(model, points[0].detach(), batch["mask"], batch["has_mask"], side)
        terms["reconstruction"] = self.perceptual(reconstructed, F.adaptive_avg_pool2d(target, side), area)[0]
        return terms


def _schedule(step: int, settings: MobileSettings) -> float:
    if step < settings.warmup:
        return (step + 1) / settings.warmup
    return 0.02 + 0.98 * (1 + math.cos(math.pi * step / settings.steps)) / 2


def _learning(model: PoseModel, free: bool) -> list[nn.Parameter]:
    """Switch gradients on for what learns; the trunk and the pretrained maps' residual never do."""
    for name, parameter in model.named_parameters():
        in_trunk = name.startswith("encoder.trunk.")
        parameter.requires_grad_(name.startswith("reconstructor.") or (free and not in_trunk))
    if free:
        seeds = len(model.skeleton)
        for parameter in model.self_head.parameters():
            parameter.register_hook(lambda grad: torch.cat([torch.zeros_like(grad[:seeds]), grad[seeds:]]))
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def start_model(weights: Path, seed: int) -> PoseModel:
    """A mobile model on MoveNet's converted weights, or any ttpose model to go on from.

    Raises:
        WeightsError: The file is missing or something else.
    """
    tensors, metadata = read_tensors(weights)
    if "format" in metadata:
        return load_model(weights)
    torch.manual_seed(seed)
    model = PoseModel(mobile_config())
    if not isinstance(model.encoder, MobileEncoder):
        raise TypeError("the mobile configuration has another encoder")
    tensors.pop("center_weight", None)
    model.encoder.trunk.load_state_dict({name: value.float() for name, value in tensors.items()})
    return model.eval()


def train_mobile(model: PoseModel, data: PairDataset, settings: MobileSettings, folder: Path, workers: int) -> None:
    """Train, resuming from `folder` where a run with the same settings was cut off."""
    folder.mkdir(parents=True, exist_ok=True)
    trainer = MobileTrainer(model.to(memory_format=torch.channels_last), settings)  # type: ignore[call-overload]
    model.reconstructor.train()
    run: dict[str, Any] = {"settings": asdict(settings)}
    if (state := load_state(folder)) is not None:
        require_same_run(state.run, run, folder)
        model.load_state_dict(state.model)
        trainer.optimizer.load_state_dict(state.optimizer)
        trainer.perceptual.means, trainer.step_number = state.means, state.step
    begin = trainer.step_number
    numbers = range(begin * settings.batch, len(data))
    loader = DataLoader(data, settings.batch, sampler=list(numbers), num_workers=workers, prefetch_factor=4)
    log = Logbook(folder, begin)
    for batch in loader:
        terms = trainer.step(batch)
        log.losses(trainer.step_number, terms)
        if trainer.step_number % 20 == 0:
            print(trainer.step_number, {name: round(value, 4) for name, value in terms.items()}, flush=True)
        if trainer.step_number % 200 == 0 or trainer.step_number == settings.steps:
            means = trainer.perceptual.means
            adam = trainer.optimizer.state_dict()
            TrainingState(trainer.step_number, model.state_dict(), adam, {}, means, None, run).save(folder)
    save_model(model.eval(), folder / "model.safetensors")


def main() -> None:
    """Command line of the training."""
    parser = argparse.ArgumentParser(description="Train the shipped model's nets beside MoveNet's frozen trunk.")
    parser.add_argument("--start", type=Path, required=True, help="converted MoveNet weights, or a ttpose model")
    parser.add_argument("--shards", type=Path, required=True, help="from `ttpose synth OUT --shards --masks`")
    parser.add_argument("--stills", type=Path, required=True, help="zip of Leeds Sports Pose Extended")
    parser.add_argument("--hold-out", type=int, default=500, help="last pictures of the stills never trained on")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--reconstruction-only", action="store_true")
    for name in ("steps", "batch", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(MobileSettings, name))
    parser.add_argument("--rate", type=float, default=MobileSettings.rate)
    options = parser.parse_args()
    settings = MobileSettings(
        steps=options.steps,
        batch=options.batch,
        rate=options.rate,
        seed=options.seed,
        free=not options.reconstruction_only,
    )
    model = start_model(options.start, settings.seed)
    stills = StillPairs(options.stills, range(10_000 - options.hold_out))
    data = PairDataset(RenderedPairs(options.shards), stills, model.config.input_size, settings)
    train_mobile(model, data, settings, options.out, options.workers)


if __name__ == "__main__":
    main()
