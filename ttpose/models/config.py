"""Everything that defines a model's structure, stored in the weights file so that the file alone rebuilds the model."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Literal

from ttpose.core.errors import WeightsError

EncoderName = Literal["movenet", "mobile", "resnet18", "resnet50"]
ReconstructorName = Literal["imm", "transport"]
PoseHeadName = Literal["transformer", "separate", "linear"]
PairWarpName = Literal["shared", "independent"]
SelfTaskName = Literal["reconstruction", "rotation", "none"]

# ImageNet statistics in 0..255, RGB order.
_IMAGENET_MEAN = (123.675, 116.28, 103.53)
_IMAGENET_STD = (58.395, 57.12, 57.375)
# MoveNet maps 0..255 to -1..1 with the scale 2 / 255 rounded to half precision, as in its published graph.
_MOVENET_HALF_RANGE = 1 / 0.007843017578125
#: Mean and standard deviation that give MoveNet's range.
MOVENET_RANGE = (_MOVENET_HALF_RANGE,) * 3


@dataclass(frozen=True)
class ModelConfig:
    """Structure of a `PoseModel`; the defaults are the TTP paper's (Li et al. 2021, reference Penn Action setting).

    Attributes:
        preset: Name of the preset that it came from.
        encoder: Image encoder: `movenet` is the shipped model's with its keypoint maps, `mobile` the same trunk as a
            plain encoder of features.
        skeleton: Name of the supervised keypoint set (`ttpose.core.skeleton`).
        input_size: Side of the square crop in pixels.
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
            1×1 convolution of the features or a linear map of the self-supervised points.
        self_task: What is learned without labels: the paper's reconstruction, a baseline's rotation, or nothing.
        pair_warp: Whether the frames of a pair share one random warp, as in the paper, or the source is turned and
            scaled independently, so that the target cannot be copied from where things are in the source.
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

    @property
    def heatmap_size(self) -> int:
        """Side of the heatmaps in cells; every encoder ends at stride 4."""
        return self.input_size // 4

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
