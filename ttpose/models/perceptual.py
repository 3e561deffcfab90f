"""The self-supervised loss: how far a reconstruction is from its target, in pixels and in a network's features."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import distributed, nn
from torch.nn import functional as F

#: First running means of the six terms with VGG16 features (TTP's public code, after Jakab et al. 2018).
PAPER_MEANS = (0.1966, 0.8725, 3.4260, 7.4396, 4.1430, 1.1304)
_SMALLEST = 1e-8  # keeps a perfect term (an all-black clip) from dividing by zero


class PerceptualLoss(nn.Module):
    """Sum over pixels and feature maps of the squared error, each term over its own running mean.

    The running means make terms of very different size count alike. They belong to one person or one training:
    call `reset` before the next, or results depend on the order of the clips. They move only in training mode.

    Args:
        features: Network from normalised images [B, 3, H, W] to a sequence of maps [B, C, h, w]. It is frozen here, so
            give a copy of what learns.
        initial: First running mean of each term, pixels first; None starts at the first values seen.
        momentum: Share of a new value in the running mean, 0.01 in the paper.
    """

    def __init__(self, features: nn.Module, initial: tuple[float, ...] | None = None, momentum: float = 0.01) -> None:
        super().__init__()
        self.features = features.eval().requires_grad_(False)
        self.initial = initial
        self.momentum = momentum
        #: Running mean of each term, float32 [T], or None before the first call; a trainer stores it to resume.
        self.means: torch.Tensor | None = None
        self.reset()

    def reset(self) -> None:
        """Forget the running means: the next person starts afresh."""
        self.means = None if self.initial is None else torch.tensor(self.initial)

    def train(self, mode: bool = True) -> PerceptualLoss:
        """Switch the running means on or off; the features always stay in evaluation mode."""
        super().train(mode)
        self.features.eval()
        return self

    def forward(
        self, reconstruction: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Compare images.

        Args:
            reconstruction: Normalised images [B, 3, H, W]; gradients flow to them.
            target: Normalised images [B, 3, H, W].
            weight: How much each pixel counts, >= 0, [B, 1, H, W]; None counts all alike.

        Returns:
            The loss (a scalar) and the terms before their division by the running means, [T], detached.
        """
        with torch.no_grad():
            wanted: Sequence[torch.Tensor] = [target, *self.features(target)]
        found: Sequence[torch.Tensor] = [reconstruction, *self.features(reconstruction)]
        terms = torch.stack([_squared_error(a, b, weight) for a, b in zip(found, wanted, strict=True)])
        seen = _mean_over_processes(terms.detach())
        means = seen.clone() if self.means is None else self.means.to(seen)
        if self.training:
            means = torch.lerp(means, seen, self.momentum)
            self.means = means
        return (terms / means.clamp_min(_SMALLEST)).sum(), terms.detach()


def _squared_error(found: torch.Tensor, wanted: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
    error = (found.float() - wanted.float()).square()
    if weight is None:
        return error.mean()
    resized = F.interpolate(weight.float(), size=error.shape[-2:], mode="area")
    return (error.mean(dim=1, keepdim=True) * resized).sum() / resized.sum().clamp_min(_SMALLEST)


def _mean_over_processes(terms: torch.Tensor) -> torch.Tensor:
    """The same means on every process of a distributed training, as if it were one with a larger batch."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return terms
    total = terms.clone()
    distributed.all_reduce(total)
    return total / distributed.get_world_size()
