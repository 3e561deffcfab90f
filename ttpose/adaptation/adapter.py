"""One optimiser for one person: which weights learn, one step, the running average that predicts."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ttpose.adaptation.augment import draw_warp
from ttpose.adaptation.losses import Loss, Step
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.core.errors import UsageError
from ttpose.inference.crops import PersonCrop
from ttpose.inference.warps import PLAIN, Warp, warped_batch
from ttpose.models.device import mixed_precision, moved
from ttpose.models.pose_model import PoseModel


class Adapter:
    """A model in the course of its personalization.

    Args:
        base: The model to start from; it stays as it is.
        losses: Terms of the loss.
        settings: Rates, what learns, the average.
    """

    def __init__(self, base: PoseModel, losses: Sequence[Loss], settings: PersonalizeSettings) -> None:
        self.base = base
        self.losses = list(losses)
        self.settings = settings
        # Evaluation mode keeps norm statistics and dropout still, as the paper does.
        self.model = copy.deepcopy(base).eval()
        self.average = self.model if settings.ema is None else copy.deepcopy(base).eval()
        self.rng = np.random.default_rng(settings.seed)
        pose, decoder = _learning(self.model, settings)
        self.optimizer = torch.optim.Adam([
            {"params": pose, "lr": settings.pose_rate, "name": "pose"},
            {"params": decoder, "lr": settings.decoder_rate, "name": "decoder"},
        ])  # fmt: skip
        self.steps_done = 0
        #: Each step's loss terms by name, and the total.
        self.history: list[dict[str, float]] = []

    def restart(self) -> None:
        """Go back to the base's weights and a fresh optimiser; random numbers and history go on."""
        for model in (self.model, self.average):
            model.load_state_dict(self.base.state_dict())
        self.optimizer.state.clear()
        self.steps_done = 0

    def step(
        self, targets: Sequence[PersonCrop], sources: Sequence[PersonCrop], *, first_plain: bool = False
    ) -> dict[str, float]:
        """Take one optimiser step on random views of `targets`; returns the loss terms."""
        warps = [draw_warp(self.rng, self.settings.augmentation) for _ in targets]
        if first_plain:
            warps[0] = PLAIN
        if warm := self.steps_done < self.settings.decoder_warmup:
            few = slice(self.settings.reconstruction_batch)  # only the reconstruction counts
            targets, sources, warps = targets[few], sources[few], warps[few]
        self.optimizer.zero_grad(set_to_none=True)
        record: dict[str, float] = {}
        # Gradients of a few views at a time add up to the step's; the memory for all at once would be twice as much.
        for start in range(0, len(targets), self.settings.together):
            part = slice(start, start + self.settings.together)
            share = len(targets[part]) / len(targets)
            for name, value in self._learn_from(targets[part], sources[part], warps[part], share, warm).items():
                record[name] = record.get(name, 0.0) + share * value
        # A loss that is no number would spoil the weights for good; such a step is left out.
        if math.isfinite(record["total"]):
            self._descend(warm)
        self.steps_done += 1
        self.history.append(record)
        return record

    def _learn_from(
        self,
        targets: Sequence[PersonCrop],
        sources: Sequence[PersonCrop],
        warps: Sequence[Warp],
        share: float,
        warm: bool,
    ) -> dict[str, float]:
        """Add `share` times the gradients of some views; returns their loss terms."""
        step = self._look(targets, sources, warps, with_gradient=not warm)
        terms = {o.name: o.loss(step) for o in self.losses if self._counts(o, warm)}
        # While the decoder warms up alone its loss counts fully, whatever its weight beside other losses.
        weights = {o.name: 1.0 if warm else o.weight for o in self.losses}
        total: Tensor = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
        if not total.requires_grad:
            parts = ", ".join(part.rstrip(".") for part in self.settings.trainable)
            raise UsageError(
                f"{' and '.join(terms)} gives this model no gradient where only {parts} may learn",
                "let other parts learn, or use another method",
            )
        if bool(total.isfinite()):
            (share * total).backward()
        return {name: float(term.detach()) for name, term in terms.items()} | {"total": float(total.detach())}

    @staticmethod
    def _counts(loss_term: Loss, warm: bool) -> bool:
        """In the warm-up only the reconstruction counts, afterwards everything that has a weight."""
        return loss_term.name == "reconstruction" if warm else loss_term.weight > 0

    def _look(
        self,
        targets: Sequence[PersonCrop],
        sources: Sequence[PersonCrop],
        warps: Sequence[Warp],
        *,
        with_gradient: bool,
    ) -> Step:
        images, matrices = warped_batch(targets, warps, self.model.config.crop)
        normalised = self.model.normalise(moved(images, self.model.device))
        with torch.set_grad_enabled(with_gradient), mixed_precision(self.model.device):
            output = self.model(normalised)
        return Step(
            self.model, self.average, self.base, targets, warps, normalised, matrices, sources, output, self.rng
        )

    def _descend(self, warm: bool) -> None:
        pose, decoder = self.optimizer.param_groups
        after = self.steps_done - self.settings.decoder_warmup + 1
        rise = min(1.0, after / self.settings.rate_warmup) if self.settings.rate_warmup else 1.0
        pose["lr"] = 0.0 if warm else self.settings.pose_rate * rise
        if self.settings.clip_norm is not None:
            nn.utils.clip_grad_norm_(pose["params"], self.settings.clip_norm)
            nn.utils.clip_grad_norm_(decoder["params"], self.settings.clip_norm)
        self.optimizer.step()
        if self.settings.ema is None or warm:
            return
        # Early on the average follows closely, or it would still be the base after a short run.
        keep = min(self.settings.ema, after / (after + 5))
        with torch.no_grad():
            for kept, new in zip(self.average.parameters(), self.model.parameters(), strict=True):
                if new.requires_grad:
                    kept.lerp_(new, 1 - keep)


def _learning(model: PoseModel, settings: PersonalizeSettings) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Switch gradients on for what learns and off for the rest; the pose path's and the decoder's parameters."""
    norms = (nn.BatchNorm2d, nn.LayerNorm)
    still = {id(p) for module in model.modules() if isinstance(module, norms) for p in module.parameters()}
    pose: list[nn.Parameter] = []
    decoder: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        in_decoder = name.startswith("reconstructor.")
        learns = (in_decoder and settings.reconstructs) or name.startswith(settings.trainable)
        learns = learns or ("adapters" in settings.trainable and name.endswith(".up"))
        learns = learns and not name.startswith(settings.frozen)
        if id(parameter) in still:
            learns = not in_decoder and "norms" in settings.trainable
        parameter.requires_grad_(learns)
        if parameter.requires_grad:
            (decoder if in_decoder else pose).append(parameter)
    return pose, decoder
