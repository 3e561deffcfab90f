"""Everything that defines a model's structure, stored in the weights file so that the file alone rebuilds the model."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Literal

from ttpose.core.errors import WeightsError
from ttpose.core.geometry import CROP_PAD, CropGrid

#: "vitpose" is described by `ModelConfig.vit`; "own" is a network of the user's (`ttpose.models.base`).
EncoderName = Literal["movenet", "mobile", "resnet18", "resnet50", "vitpose", "own"]
ReconstructorName = Literal["imm", "transport"]
PoseHeadName = Literal["transformer", "separate", "linear", "encoder"]
PairWarpName = Literal["shared", "independent"]
SelfTaskName = Literal["reconstruction", "rotation", "none"]
DecodingName = Literal["peak", "dark"]

# ImageNet statistics in 0..255, RGB order.
_IMAGENET_MEAN = (123.675, 116.28, 103.53)
_IMAGENET_STD = (58.395, 57.12, 57.375)
# MoveNet maps 0..255 to -1..1 with the scale 2 / 255 rounded to half precision, as in its published graph.
_MOVENET_HALF_RANGE = 1 / 0.007843017578125
#: Mean and standard deviation that give MoveNet's range.
MOVENET_RANGE = (_MOVENET_HALF_RANGE,) * 3


@dataclass(frozen=True)
class ViTConfig:
    """A plain vision Transformer with a heatmap decoder (Xu et al. 2022, "ViTPose"); the defaults are its size B.

    Attributes:
        width: Channels of the tokens.
        depth: Number of blocks.
        heads: Attention heads.
        hidden: Width of the feed-forward layers over the tokens' width.
        patch: Side of a patch in pixels; patches do not overlap, and the image is padded by 2 px on every side.
        positions: Rows and columns of patches that the position embedding was trained for.
        decoder: "classic" has two transposed convolutions, "simple" bilinear upsampling and one convolution.
        upsample: Factor of the simple decoder; the classic one always has 4.
        norm_eps: Added to the variance in layer norms.
        adapter_rank: Rank of the adapters on each attention's linear maps, which learn in a personalization.
    """

    width: int = 768
    depth: int = 12
    heads: int = 12
    hidden: float = 4.0
    patch: int = 16
    positions: tuple[int, int] = (16, 12)
    decoder: Literal["simple", "classic"] = "classic"
    upsample: int = 4
    norm_eps: float = 1e-6  # of the authors' code
    # A person file of size B then has below 1 MB; LoRA's authors found 1 to 8 enough (Hu et al. 2021, table 6).
    adapter_rank: int = 16


@dataclass(frozen=True)
class ModelConfig:
    """Structure of a `PoseModel`; the defaults are the TTP paper's (Li et al. 2021, reference Penn Action setting).

    Attributes:
        preset: Name of the preset that it came from.
        encoder: Image encoder: `movenet` is the shipped model's with its keypoint maps, `mobile` the same trunk as a
            plain encoder of features.
        skeleton: Name of the supervised keypoint set (`ttpose.core.skeleton`).
        input_size: Height of the crop in pixels.
        input_width: Its width; None for a square.
        num_self: Number of self-supervised maps.
        bounded_maps: Whether self-supervised maps end in a sigmoid; the paper's do not.
        mean, std: Per-channel normalisation of RGB values 0..255.
        transformer_width: Width of queries and tokens.
        transformer_heads: Attention heads.
        transformer_hidden: Width of the feed-forward layer.
        token_pool: Average pooling of the feature map before it becomes tokens.
        token_positions: Whether tokens carry learned positions.
        affinity_identity: Added to the affinity's logits on the diagonal, so that supervised map k starts as
            self-supervised map k.
        target_sigma: Standard deviation of supervised target Gaussians in heatmap cells.
        bottleneck_sharpness: Factor on the row and column sums before their softmax.
        bottleneck_sigma: Standard deviation of the re-rendered Gaussians in heatmap cells.
        reconstructor: Kind of the image reconstruction nets.
        reconstruction_size: Side of the reconstruction in pixels.
        encoder_width: Channels of a ResNet's first stage; 64 is He et al. 2016, smaller is for quick trials.
        reconstruction_width: Channels of the paper's reconstruction nets at full size.
        pose_head: Where supervised maps come from: the paper's Transformer, or one of its baselines, a separate
            1×1 convolution of the features or a linear map of the self-supervised points; "encoder" takes the
            encoder's own heatmaps, as for ViTPose and for networks of one's own.
        self_task: What is learned without labels: the paper's reconstruction, a baseline's rotation, or nothing.
        pair_warp: Whether the frames of a pair share one random warp, as in the paper, or the source is turned and
            scaled independently, so that the target cannot be copied from where things are in the source.
        stride: Pixels of the crop a heatmap cell.
        crop_pad: Size of the crop over the person's box, grown to the crop's aspect ratio.
        corner_cells: Whether the outer pixels' and cells' centres lie on the edges of what the crop shows
            (`ttpose.core.geometry.CropGrid`).
        decoding: How keypoints are read off heatmaps (`ttpose.models.decode`).
        bounded: Whether supervised heatmaps are 0..1 by construction; else they come from a plain convolution, as for
            networks that learned by mean squared error.
        vit: Structure of the encoder "vitpose".
    """

    preset: str = "paper"
    encoder: EncoderName = "resnet50"
    skeleton: str = "penn13"
    input_size: int = 128
    num_self: int = 30
    bounded_maps: bool = False
    mean: tuple[float, float, float] = _IMAGENET_MEAN
    std: tuple[float, float, float] = _IMAGENET_STD
    transformer_width: int = 256
    transformer_heads: int = 4
    transformer_hidden: int = 1024
    token_pool: int = 1
    token_positions: bool = False
    affinity_identity: float = 0.0
    target_sigma: float = 2.0
    bottleneck_sharpness: float = 1.0
    bottleneck_sigma: float = 2.0
    reconstructor: ReconstructorName = "imm"
    reconstruction_size: int = 128
    encoder_width: int = 64
    reconstruction_width: int = 32
    pose_head: PoseHeadName = "transformer"
    self_task: SelfTaskName = "reconstruction"
    pair_warp: PairWarpName = "shared"
    input_width: int | None = None
    stride: int = 4
    crop_pad: float = CROP_PAD
    corner_cells: bool = False
    decoding: DecodingName = "peak"
    bounded: bool = True
    vit: ViTConfig | None = None

    @property
    def has_adapters(self) -> bool:
        """Whether attention's linear maps carry low-rank adapters, which are then what learns."""
        return self.vit is not None and self.vit.adapter_rank > 0

    @property
    def crop(self) -> CropGrid:
        """The grid of pixels that the network looks at."""
        return CropGrid(self.input_size, self.input_width or self.input_size, self.crop_pad, self.corner_cells)

    @property
    def cells(self) -> CropGrid:
        """The grid of a heatmap's cells."""
        return self.crop.resized(self.crop.height // self.stride, self.crop.width // self.stride)

    @property
    def heatmap_size(self) -> int:
        """Rows of the heatmaps; of square ones also the columns."""
        return self.input_size // self.stride

    def to_json(self) -> str:
        """JSON text for a weights file's metadata."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ModelConfig:
        """The inverse of `to_json`; raises WeightsError for text that describes no model of ours."""
        try:
            values = json.loads(text)
            for name in ("mean", "std"):
                values[name] = tuple(values[name])
            if values.get("vit") is not None:
                vit = values["vit"]
                values["vit"] = ViTConfig(**{**vit, "positions": tuple(vit["positions"])})
            return cls(**values)
        except (ValueError, TypeError, KeyError) as error:
            raise WeightsError(
                f"the weights file's model description cannot be read: {error}", "it was made by another version"
            ) from error


def mobile_config() -> ModelConfig:
    """The shipped model: MoveNet Thunder's trunk and heads at 256×256, COCO keypoints, transported appearance."""
    return ModelConfig(
        preset="mobile",
        encoder="movenet",
        skeleton="coco17",
        input_size=256,  # what MoveNet Thunder was trained at
        num_self=32,  # 17 pretrained keypoint maps, 15 free ones (the paper has 30 for 13 keypoints)
        mean=MOVENET_RANGE,
        std=MOVENET_RANGE,
        transformer_width=64,  # a quarter of the paper's: the trunk's pyramid is as much narrower
        transformer_hidden=256,
        token_pool=4,  # 256 tokens; the paper's 32×32 features give 1,024
        token_positions=True,
        affinity_identity=8.0,  # softmax gives 0.99 to the own map, so the start is the pretrained network
        target_sigma=1.5,  # cells of 4 px at 256: the width of MoveNet's own peaks
        bottleneck_sharpness=10.0,  # lower pulls keypoints of the pretrained maps to the middle
        bottleneck_sigma=1.5,
        reconstructor="transport",
        reconstruction_size=128,
    )
