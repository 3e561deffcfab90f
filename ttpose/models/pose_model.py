"""The joint model of TTP: encoder, self-supervised maps, affinity, supervised maps, and the reconstruction nets."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ttpose.core.skeleton import Skeleton, skeleton_named
from ttpose.models.affinity import AffinityTransformer, weighted_maps
from ttpose.models.bottleneck import draw_gaussians, expected_positions
from ttpose.models.config import ModelConfig
from ttpose.models.encoders import build_encoder
from ttpose.models.encoders.output import EncoderOutput
from ttpose.models.other_heads import RotationHead, build_pose_head
from ttpose.models.self_head import BoundedSelfHead, PlainSelfHead, SeededSelfHead


@dataclass(frozen=True)
class PoseOutput:
    """What the pose path gives for a batch.

    Attributes:
        supervised: H_sup [B, K, h, w].
        self_supervised: H_self [B, J, h, w].
        affinity: W [B, K, J], rows sum to 1; zeros where another head than the Transformer makes H_sup.
        encoded: The encoder's output.
    """

    supervised: Tensor
    self_supervised: Tensor
    affinity: Tensor
    encoded: EncoderOutput


class PoseModel(nn.Module):
    """Encoder–Transformer pose model with a self-supervised branch (Li et al. 2021, section 3).

    Args:
        config: Structure; the weights file stores it.
        encoder: A network to use as the encoder; None builds the one that `config` names.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: ModelConfig, encoder: nn.Module | None = None) -> None:
        super().__init__()
        self.config = config
        count, width = len(self.skeleton), config.transformer_width
        self.encoder = build_encoder(config, count) if encoder is None else encoder
        self.self_head: nn.Module = _build_self_head(config, count)
        by_transformer = config.pose_head == "transformer"
        self.affinity: nn.Module = AffinityTransformer(config, count) if by_transformer else nn.Identity()
        if config.pose_head in ("separate", "linear"):
            self.pose_head = build_pose_head(config, count)
        self.reconstructor = _build_reconstructor(config, self.skeleton)
        if config.self_task == "rotation":
            self.rotation_head = RotationHead(width)
        self.register_buffer("mean", torch.tensor(config.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config.std).view(1, 3, 1, 1), persistent=False)

    @property
    def skeleton(self) -> Skeleton:
        """The supervised keypoint set."""
        return skeleton_named(self.config.skeleton)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.mean.device

    def normalise(self, images: Tensor) -> Tensor:
        """RGB 0..255 [B, 3, H, W] to the network's range."""
        return (images.to(self.mean.dtype) - self.mean) / self.std

    def forward(self, images: Tensor) -> PoseOutput:
        """The pose path of normalised crops [B, 3, H, W]; the reconstruction nets are not touched.

        An encoder that brings its own heatmaps (`config.pose_head` is "encoder") gives both kinds of maps.
        """
        encoded = self.encoder(images)
        if isinstance(encoded, Tensor):
            own = self.config.pose_head == "encoder"
            encoded = EncoderOutput(encoded, heatmaps=encoded) if own else EncoderOutput(encoded)
        if encoded.heatmaps is not None:
            maps = encoded.heatmaps
            return PoseOutput(maps, maps, maps.new_zeros(*maps.shape[:2], maps.shape[1]), encoded)
        self_supervised = self.self_head(encoded)
        if self.config.pose_head == "transformer":
            affinity = self.affinity(encoded.features)
            supervised = weighted_maps(affinity, self_supervised)
        else:
            supervised = self.pose_head(encoded.features, self_supervised)
            affinity = supervised.new_zeros(*supervised.shape[:2], self.config.num_self)
        return PoseOutput(supervised, self_supervised, affinity, encoded)

    def heatmaps(self, images: np.ndarray | Tensor) -> tuple[Tensor, Tensor]:
        """Heatmaps of crops, without gradients.

        They are computed with 64-bit floats (except on MPS, which has none): a supervised map is the small sum of
        large ones, and 32 bits leave an error of up to 1e-4 of a ResNet-50's standard deviation.

        Args:
            images: RGB uint8 [B, S, S, 3].

        Returns:
            Supervised [B, K, S/4, S/4] and self-supervised [B, J, S/4, S/4] maps, float32.
        """
        pixels = torch.as_tensor(images).to(self.device).permute(0, 3, 1, 2)
        with torch.inference_mode():
            if self.device.type == "mps":
                out = self(self.normalise(pixels))
            else:
                state = chain(self.named_parameters(), self.named_buffers())
                wide = {name: value.double() for name, value in state if value.is_floating_point()}
                normalised = (pixels.double() - wide["mean"]) / wide["std"]
                out = torch.func.functional_call(self, wide, normalised)
        return out.supervised.float(), out.self_supervised.float()

    def points(self, self_supervised: Tensor) -> Tensor:
        """Bottleneck positions [B, J, 2], (x, y) in cells, of self-supervised maps [B, J, h, w]."""
        return expected_positions(self_supervised, self.config.bottleneck_sharpness)

    def reconstruct(self, source: Tensor, source_points: Tensor, target_points: Tensor) -> Tensor:
        """Reconstruct the target from the source's appearance.

        Args:
            source: Normalised images [B, 3, R, R] with R = config.reconstruction_size.
            source_points: [B, J, 2] in heatmap cells; the paper's nets do not use them.
            target_points: [B, J, 2] in heatmap cells.

        Returns:
            Normalised images [B, 3, R, R].
        """
        cells = self.config.heatmap_size
        if self.config.reconstructor == "transport":
            return self.reconstructor(source, _to_shares(source_points, cells), _to_shares(target_points, cells))
        drawn = draw_gaussians(target_points, cells, self.config.bottleneck_sigma)
        scale = self.config.reconstruction_size / cells
        return self.reconstructor(source, F.interpolate(drawn, scale_factor=scale, mode="bilinear"))


def _to_shares(points: Tensor, cells: int) -> Tensor:
    """Heatmap cells to shares of the side, -0.5..0.5 for the image."""
    return (points + 0.5) / cells - 0.5


def _build_self_head(config: ModelConfig, count: int) -> nn.Module:
    if config.pose_head == "encoder":
        return nn.Identity()
    width = config.transformer_width
    if config.encoder == "movenet":
        return SeededSelfHead(width, config.num_self, count)
    return BoundedSelfHead(width, config.num_self) if config.bounded_maps else PlainSelfHead(width, config.num_self, 1)


def _build_reconstructor(config: ModelConfig, skeleton: Skeleton) -> nn.Module:
    if config.self_task != "reconstruction":
        return nn.Identity()
    if config.reconstructor == "transport":
        from ttpose.models.transport import TransportReconstructor

        return TransportReconstructor(skeleton, config.num_self)
    from ttpose.models.reconstruction import Reconstructor

    return Reconstructor(config.num_self, config.reconstruction_width)
