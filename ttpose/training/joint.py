"""The joint training loop of the paper: from a plan to a folder with weights, a state to resume from, and losses."""

from __future__ import annotations

import copy
import dataclasses
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ttpose.core.errors import InputError
from ttpose.core.files import sha256_of
from ttpose.core.progress import Progress
from ttpose.data.datasets import SPLIT_KINDS, Video, kind_of, open_dataset
from ttpose.models.checkpoint import save_model
from ttpose.models.device import cpu_multiplies_bfloat16, half_type
from ttpose.models.perceptual_features import perceptual_loss
from ttpose.training.distributed import World, join_world
from ttpose.training.logbook import Logbook
from ttpose.training.methods import TrainingMethod, training_method
from ttpose.training.plan import TrainingPlan, TrainingResult
from ttpose.training.samples import BatchOrder, FramePairs, Sample
from ttpose.training.start import (
    adapt_config,
    build_model,
    choose_skeleton,
    freeze_norms,
    parameter_groups,
    seed_step,
    set_dropout,
)
from ttpose.training.state import TrainingState, load_state, require_same_run
from ttpose.training.validation import Validation, pck_rule, thinned, validate

FINAL_NAME, BEST_NAME, STOPPED_NAME = "model.safetensors", "best.safetensors", "stopped.safetensors"


def train(plan: TrainingPlan, progress: Progress | None = None) -> TrainingResult:
    """Train, or go on with the training that the plan's folder holds.

    Raises:
        UsageError: Options that do not fit together, or another training in the folder.
        InputError: The dataset is missing or malformed, or its pictures cannot be read.
        WeightsError: Weights are missing or of another structure.
        OutputError: The folder cannot be written.
    """
    progress = progress or Progress()
    with join_world(plan.device) as world:
        progress = progress if world.first else Progress()
        if plan.deterministic:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what PyTorch asks for
            torch.use_deterministic_algorithms(True, warn_only=True)
        torch.backends.cudnn.benchmark = not plan.deterministic
        return Training(plan, world, progress).run()


class Training:
    """One process's part in a training.

    Args:
        plan: What to do.
        world: This process among all.
        progress: Told how it goes.
    """

    def __init__(self, plan: TrainingPlan, world: World, progress: Progress) -> None:
        self.plan, self.world, self.progress = plan, world, progress
        self.settings = plan.preset.settings
        method = training_method(plan.method)
        needs_pairs = method.self_task == "reconstruction"
        videos = self._videos(needs_pairs=needs_pairs)
        skeleton = choose_skeleton(videos, plan.skeleton)
        preset = adapt_config(plan.preset.config, skeleton, encoder=plan.encoder, input_size=plan.input_size)
        config = method.configure(preset)
        seed_step(self.settings.seed, 0, 0)  # first weights: the same on all processes
        self.model = build_model(config, imagenet=plan.imagenet, weights=plan.weights, encoder=plan.encoder)
        # Depthwise convolutions take a third less time so on a CPU, and it is what GPUs prefer.
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        start = plan.weights or plan.imagenet
        self.first_weights = sha256_of(start) if start is not None else None
        set_dropout(self.model, self.settings.dropout)
        perceptual = perceptual_loss(self.model, plan.perceptual) if needs_pairs else None
        self.method: TrainingMethod = method(self.model, self.settings, perceptual).to(world.device)
        if world.size > 1 and world.device.type == "cuda":
            nn.SyncBatchNorm.convert_sync_batchnorm(self.method)
        elif world.size > 1 and not self.settings.freeze_norms:
            progress.note("on CPUs each process's batch norms see its own samples only; --freeze-norms avoids that")
        self.learned = [p for p in self.method.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(parameter_groups(self.method, self.settings), lr=self.settings.learning_rate)
        #: What is validated and written.
        self.average = self.model if self.settings.average is None else copy.deepcopy(self.model).eval()
        self.half = _half_type(world.device) if plan.mixed_precision else None
        self.scaler = torch.amp.GradScaler(world.device.type, enabled=self.half is torch.float16)
        self.pairs = FramePairs(
            videos,
            skeleton,
            config.input_size,
            self.settings,
            with_source=needs_pairs,
            independent=config.pair_warp == "independent",
        )
        self.held_out, self.rule = self._held_out(), pck_rule(kind_of(plan.validation or plan.data))
        self.best: float | None = None
        self.step = 0
        self._resume()

    def run(self) -> TrainingResult:
        """Do the steps that are left."""
        plan, order = self.plan, self._order()
        end = min(order.steps, plan.max_steps) if plan.max_steps is not None else order.steps
        shared = self.world.share(self.method, find_unused=self.model.config.encoder == "movenet")
        log = Logbook(plan.folder, self.step, tensorboard=plan.tensorboard) if self.world.first else None
        losses: dict[str, float] = {}
        found: Validation | None = None
        saved = time.monotonic()
        self.method.train()
        try:
            with self.progress.stage("training", order.steps) as advance:
                advance(self.step)
                for batch in self._batches(end):
                    epoch = self.step // order.steps_per_epoch
                    parts = self._update(shared, batch, epoch)
                    self.step += 1
                    advance(1)
                    over = self.step % order.steps_per_epoch == 0
                    if self.step % plan.log_every == 0 or over or self.step == end:
                        losses = self._log(log, parts, epoch)
                    if over:
                        found = self._epoch_over(epoch, losses, log) or found
                    late = time.monotonic() - saved >= 60 * plan.save_minutes
                    if over or late or self.step == end:
                        self._save()
                        saved = time.monotonic()
        finally:
            if log is not None:
                log.close()
        return TrainingResult(
            self.step, order.steps, losses, found.pck if found else None, self._finish(self.step >= order.steps)
        )

    def _videos(self, *, needs_pairs: bool) -> list[Video]:
        videos = open_dataset(self.plan.data, "train", self.progress)
        if not needs_pairs:
            return videos
        several = [video for video in videos if len(video) > 1]
        if len(several) < len(videos):
            self.progress.note(f"left out {len(videos) - len(several)} videos of one frame: they give no pair")
        if not several:
            raise InputError(
                f"every video of {self.plan.data} has one frame, and reconstruction needs two",
                "train with --method supervised",
            )
        return several

    def _held_out(self) -> list[Video]:
        plan = self.plan
        if not plan.validate_every or (plan.validation is None and kind_of(plan.data) not in SPLIT_KINDS):
            return []
        try:
            videos = open_dataset(plan.validation or plan.data, "test", self.progress)
        except InputError as error:
            if plan.validation is not None:
                raise
            self.progress.note(f"no validation: {error.message}")
            return []
        return thinned(videos, plan.validation_frames)

    def _order(self) -> BatchOrder:
        world = self.world
        return BatchOrder(len(self.pairs), self.settings, rank=world.rank, processes=world.size, start=self.step)

    def _batches(self, end: int) -> Iterator[dict[str, Tensor]]:
        """Batches on the device, until the step `end`."""
        loader: DataLoader[Sample] = DataLoader(
            self.pairs,
            batch_sampler=self._order(),
            num_workers=self.plan.workers,
            pin_memory=self.world.device.type == "cuda",
            worker_init_fn=_one_thread,
        )
        if self.step >= end:
            return
        try:
            for batch in loader:
                damaged = int(batch.pop("damaged").sum())
                if damaged:
                    self.progress.note("a picture cannot be read; another sample takes its place")
                yield {name: value.to(self.world.device, non_blocking=True) for name, value in batch.items()}
                if self.step >= end:
                    return
        except InputError as error:  # from another process it comes with that one's traceback
            raise InputError(
                f"many pictures in a row cannot be read: {error.message.strip().splitlines()[-1]}"
            ) from None

    def _update(self, shared: nn.Module, batch: dict[str, Tensor], epoch: int) -> dict[str, Tensor]:
        """One step of Adam; returns this process's losses."""
        if self.settings.freeze_norms:
            freeze_norms(self.method)
        risen = min((self.step + 1) / max(self.settings.warmup, 1), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate_at(epoch) * risen * group["share"]
        seed_step(self.settings.seed, self.step + 1, self.world.rank)
        device = self.world.device.type
        with torch.autocast(device, dtype=self.half, enabled=self.half is not None):
            losses: dict[str, Tensor] = shared(**batch)
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(losses["loss"]).backward()
        if self.settings.clip_norm is not None:
            self.scaler.unscale_(self.optimizer)
            learned = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
            nn.utils.clip_grad_norm_(learned, self.settings.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self._follow()
        return {name: value.detach() for name, value in losses.items()}

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the average towards the weights; early on closely, or it would still hold the first weights."""
        if self.settings.average is None:
            return
        keep = min(self.settings.average, (self.step + 1) / (self.step + 10))
        new = self.model.state_dict()
        for name, kept in self.average.state_dict().items():
            if kept.is_floating_point():
                kept.lerp_(new[name], 1 - keep)
            else:
                kept.copy_(new[name])

    def _log(self, log: Logbook | None, parts: dict[str, Tensor], epoch: int) -> dict[str, float]:
        values = self.world.mean(torch.stack([value.float() for value in parts.values()])).tolist()
        losses = dict(zip(parts, values, strict=True))
        if log is not None:
            rate = self.settings.learning_rate_at(epoch)
            log.losses(self.step, {"epoch": epoch + 1, "learning_rate": rate, **losses})
        return losses

    def _epoch_over(self, epoch: int, losses: dict[str, float], log: Logbook | None) -> Validation | None:
        """Say how an epoch ended; measure, and keep the best weights, if its turn has come."""
        every, last = self.plan.validate_every, epoch + 1 == self.settings.epochs
        found = None
        if self.held_out and ((epoch + 1) % every == 0 or last):
            workers = self.plan.workers
            found = validate(self.average, self.held_out, self.rule, self.settings, self.world, workers=workers)
            if log is not None:
                log.validation(self.step, {"epoch": epoch + 1, "pck": found.pck, **found.joints})
            # NaN, when no joint could be measured, is never best.
            if found.pck > (self.best if self.best is not None else -1.0):
                self.best = found.pck
                self._write(BEST_NAME, epoch + 1)
        told = ", ".join(f"{name} {value:.4g}" for name, value in losses.items())
        pck = f", PCK {100 * found.pck:.1f}" if found else ""
        self.progress.note(f"epoch {epoch + 1} of {self.settings.epochs}: {told}{pck}")
        return found

    def _finish(self, done: bool) -> Path | None:
        if not done:
            if self.step:
                self._write(STOPPED_NAME, self.step // self._order().steps_per_epoch)
            return None
        self._write(FINAL_NAME, self.settings.epochs)
        if self.world.first:
            (self.plan.folder / STOPPED_NAME).unlink(missing_ok=True)
        return self.plan.folder / FINAL_NAME

    def _write(self, name: str, epoch: int) -> None:
        if self.world.first:
            notes = {"trained_epochs": str(epoch), "trained_on": self.plan.data, "method": self.plan.method}
            save_model(self.average, self.plan.folder / name, half=False, notes=notes)

    def _save(self) -> None:
        """Write the state; all processes hold the same, so the first one's is everybody's."""
        if not self.world.first:
            return
        means = self.method.perceptual.means if self.method.perceptual is not None else None
        TrainingState(
            step=self.step,
            model=self.model.state_dict(),
            optimizer=self.optimizer.state_dict(),
            scaler=self.scaler.state_dict(),
            means=None if means is None else means.cpu(),
            best=self.best,
            run=self._identity(),
            average=None if self.average is self.model else self.average.state_dict(),
        ).save(self.plan.folder)

    def _resume(self) -> None:
        """Take up the folder's state, if it holds one of this very run."""
        if self.world.first:
            self.plan.folder.mkdir(parents=True, exist_ok=True)
        state: TrainingState | None = self.world.from_first(load_state(self.plan.folder) if self.world.first else None)
        if state is None:
            return
        require_same_run(state.run, self._identity(), self.plan.folder)
        self.model.load_state_dict(state.model)
        if state.average is not None:
            self.average.load_state_dict(state.average)
        self.optimizer.load_state_dict(state.optimizer)
        self.scaler.load_state_dict(state.scaler)
        if self.method.perceptual is not None:
            self.method.perceptual.means = state.means
        self.step, self.best = state.step, state.best
        self.progress.note(f"going on after step {self.step} of {self._order().steps}")

    def _identity(self) -> dict[str, Any]:
        """Everything that decides the weights."""
        return {
            "method": self.plan.method,
            "settings": dataclasses.asdict(self.settings),
            "config": dataclasses.asdict(self.model.config),
            "perceptual": self.plan.perceptual.partition("=")[0],
            "first weights": self.first_weights,
            "samples": len(self.pairs),
            "processes": self.world.size,
        }


def _half_type(device: torch.device) -> torch.dtype | None:
    """16-bit floats of a device to train with; on CPUs those that their matrix units multiply, None without any."""
    if device.type == "cpu":
        return torch.bfloat16 if cpu_multiplies_bfloat16() else None
    return half_type(device)


def _one_thread(worker: int) -> None:
    import cv2

    cv2.setNumThreads(0)  # as many workers as cores already
