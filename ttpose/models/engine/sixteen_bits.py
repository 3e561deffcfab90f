"""What 16 bits must not round: the weights of depthwise convolutions on large maps.

bfloat16 keeps eight bits of a weight. MoveNet's first depthwise convolution takes differences of neighbouring pixels;
its rounded weights no longer cancel out on an even surface, and that alone accounts for nearly all that 16 bits change
in the keypoints (benchmarks/engine.md).
"""

from __future__ import annotations

import numpy as np
import torch

from ttpose.models.engine.runtime import openvino, ops

# Those on large maps, which have few channels: the stem's and the heads'. Doing it for all takes a third more time and
# brings no more.
_MOST_CHANNELS = 64


def keep_depthwise_weights(model: openvino.Model) -> None:
    """Compute small depthwise convolutions as the sum of two, whose 16-bit weights add up to the whole ones'.

    Args:
        model: Changed in place.
    """
    for node in model.get_ordered_ops():
        if node.get_type_name() != "GroupConvolution":
            continue
        weights = np.array(node.input(1).get_source_output().get_node().data)
        if weights.shape[0] > _MOST_CHANNELS or weights.shape[1:3] != (1, 1):
            continue
        rounded = torch.from_numpy(weights).bfloat16().float().numpy()
        readers = list(node.output(0).get_target_inputs())
        how = node.get_attributes()
        settings = [list(how[name]) for name in ("strides", "pads_begin", "pads_end", "dilations")]
        parts = [
            ops.group_convolution(node.input(0).get_source_output(), ops.constant(part), *settings)
            for part in (rounded, weights - rounded)
        ]
        whole = ops.add(*parts)
        for reader in readers:
            reader.replace_source_output(whole.output(0))
