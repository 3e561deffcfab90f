"""The Transformer that says, per image, how supervised keypoints are made of self-supervised ones.

Li et al. 2021, section 3.3: learned queries attend to the image's features and each turns into a distribution over the
self-supervised maps; the supervised maps are the so weighted sums.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ttpose.models.config import ModelConfig


class AffinityTransformer(nn.Module):
    """One post-norm decoder layer over the feature map's tokens.

    Args:
        config: Model structure.
        num_supervised: Number of supervised keypoints K.
        feature_channels: Channels of the encoder's feature map; equal to the Transformer's width.
    """

    def __init__(self, config: ModelConfig, num_supervised: int) -> None:
        super().__init__()
        width = config.transformer_width
        self.pool = config.token_pool
        self.query = nn.Embedding(num_supervised, width)
        layer = nn.TransformerDecoderLayer(
            width, config.transformer_heads, config.transformer_hidden, dropout=0.0, batch_first=True
        )
        self.decoder = nn.TransformerDecoder(layer, 1, nn.LayerNorm(width))
        self.weight = nn.Linear(width, config.num_self)
        tokens = (config.heatmap_size // config.token_pool) ** 2
        self.positions = nn.Parameter(torch.randn(tokens, width) * 0.02) if config.token_positions else None
        identity = config.affinity_identity * torch.eye(num_supervised, config.num_self)
        self.register_buffer("identity", identity, persistent=False)
        if config.affinity_identity:
            # A small start keeps the first affinity within a hair of the identity.
            nn.init.normal_(self.weight.weight, std=0.01)
            nn.init.zeros_(self.weight.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Affinity W [B, K, J], rows sum to 1, of features [B, width, h, w]."""
        pooled = F.avg_pool2d(features, self.pool) if self.pool > 1 else features
        tokens = pooled.flatten(2).transpose(1, 2)
        if self.positions is not None:
            tokens = tokens + self.positions
        queries = self.query.weight.expand(len(features), -1, -1)
        return torch.softmax(self.weight(self.decoder(queries, tokens)) + self.identity, -1)


def weighted_maps(affinity: Tensor, self_supervised: Tensor) -> Tensor:
    """H_sup[k] = Σ_j W[k, j] · H_self[j]: [B, K, J] and [B, J, h, w] to [B, K, h, w]."""
    return torch.bmm(affinity, self_supervised.flatten(2)).unflatten(2, self_supervised.shape[2:])
