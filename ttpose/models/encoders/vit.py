"""A plain vision Transformer as ViTPose uses it (Xu et al. 2022; Dosovitskiy et al. 2021), with low-rank adapters.

Attention's linear maps carry adapters (Hu et al. 2021, "LoRA") that start at nothing and are what learns in a
personalization. Their first half stays as it was drawn (Zhang et al. 2023, "LoRA-FA"): the change of the weights is
then linear in what learns, so that half of a person's delta is half of the change.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ttpose.models.config import ViTConfig

_PADDING = 2  # of the patch embedding, as the authors trained it


class AdaptedLinear(nn.Linear):
    """A linear map and a low-rank addition to it.

    Args:
        inputs, outputs: Channels.
        rank: Of the addition; 0 for none.
    """

    down: Tensor

    def __init__(self, inputs: int, outputs: int, rank: int) -> None:
        super().__init__(inputs, outputs)
        self.rank = rank
        if rank:
            # Rows of unit length on average: what is added has the size of `up`.
            self.register_buffer("down", torch.randn(rank, inputs) / math.sqrt(inputs))
            self.up = nn.Parameter(torch.zeros(outputs, rank))

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., inputs] to [..., outputs]."""
        y = super().forward(x)
        return y + F.linear(F.linear(x, self.down), self.up) if self.rank else y


class Block(nn.Module):
    """Attention among all tokens, then a feed-forward layer for each, both residual and with the norm before them."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        width, hidden = config.width, int(config.width * config.hidden)
        self.heads = config.heads
        self.norm1 = nn.LayerNorm(width, eps=config.norm_eps)
        self.qkv = AdaptedLinear(width, 3 * width, config.adapter_rank)
        self.proj = AdaptedLinear(width, width, config.adapter_rank)
        self.norm2 = nn.LayerNorm(width, eps=config.norm_eps)
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens [B, N, width] to the same."""
        batch, count, width = tokens.shape
        parts = self.qkv(self.norm1(tokens)).view(batch, count, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        attended = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).reshape(batch, count, width)
        tokens = tokens + self.proj(attended)
        return tokens + self.fc2(F.gelu(self.fc1(self.norm2(tokens))))


class VisionTransformer(nn.Module):
    """Images to a feature map with one cell a patch.

    Args:
        config: Structure.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.config = config
        self.patches = nn.Conv2d(3, config.width, config.patch, config.patch, padding=_PADDING)
        self.positions = nn.Parameter(torch.randn(1, config.width, *config.positions) * 0.02)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width, eps=config.norm_eps)

    def forward(self, images: Tensor) -> Tensor:
        """Features [B, width, H / patch, W / patch] of normalised images [B, 3, H, W]."""
        x = self.patches(images)
        rows, columns = x.shape[2:]
        positions: Tensor = self.positions
        if positions.shape[2:] != x.shape[2:]:  # crops of another size than it was trained with
            positions = F.interpolate(positions, (rows, columns), mode="bicubic", align_corners=False)
        tokens = (x + positions).flatten(2).transpose(1, 2)
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens).transpose(1, 2).unflatten(2, (rows, columns))
