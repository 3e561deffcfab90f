"""What an encoder hands to the heads."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class EncoderOutput:
    """What an encoder gives for a batch of crops.

    Attributes:
        features: F, [B, C, h, w]; at stride 4 where other heads are to read it.
        seeds: Keypoint logits [B, K, h, w] of a pretrained head, or None.
        anchors: Coarse keypoint positions [B, K, 2] in heatmap cells, (x, y), of the person in the crop's middle, or
            None. They tell that person's peaks from a bystander's.
        offsets: Sub-cell offsets [B, K, 2, h, w], (x, y) in cells, or None.
        heatmaps: The encoder's own supervised heatmaps [B, K, h, w], or None.
    """

    features: Tensor
    seeds: Tensor | None = None
    anchors: Tensor | None = None
    offsets: Tensor | None = None
    heatmaps: Tensor | None = None
