"""OpenVINO's side of the engine: a forward as a graph, compiled for this processor, run on several images at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np
import torch

from ttpose.models.engine import operations as operations  # fills the table that Symbol looks into
from ttpose.models.engine.runtime import openvino, ops
from ttpose.models.engine.signal_stack import kept_signal_stack
from ttpose.models.engine.sixteen_bits import keep_depthwise_weights
from ttpose.models.engine.symbol import Symbol

#: A forward's outputs that are wanted, in order.
Forward = Callable[[Symbol], Sequence[Symbol]]


class Graph:
    """A compiled forward for images of one shape.

    Usually each image runs by itself on one thread, as many at once as there are threads. That is as fast as sharing
    one image among the threads where nothing else runs, and where something does no thread waits for another one that
    has to wait for its turn.

    Args:
        forward: From one batch of one image, [1, H, W, 3] float32, to what is wanted of it.
        shape: Of one image, (H, W, 3).
        bfloat16: Whether convolutions and products are computed in 16 bits.
        threads: How many.
        streams: Images at once, which share the threads.

    Raises:
        NotImplementedError: The forward calls what the graph has no operation for.
        RuntimeError: OpenVINO cannot compile it for this processor.
    """

    def __init__(self, forward: Forward, shape: tuple[int, ...], *, bfloat16: bool, threads: int, streams: int) -> None:
        image = ops.parameter([1, *shape], np.float32)
        with torch.no_grad():
            outputs = [symbol.output for symbol in forward(Symbol(image))]
        settings = {
            # Left to itself OpenVINO takes 16 bits wherever the processor has them.
            "INFERENCE_PRECISION_HINT": "bf16" if bfloat16 else "f32",
            "NUM_STREAMS": str(streams),
            "INFERENCE_NUM_THREADS": str(threads),
            # The system knows better than a library which cores are free.
            "ENABLE_CPU_PINNING": "NO",
        }
        model = openvino.Model(outputs, [image])
        if bfloat16:
            keep_depthwise_weights(model)
        with kept_signal_stack():
            compiled = openvino.Core().compile_model(model, "CPU", settings)
        self._shapes = [tuple(output.get_shape())[1:] for output in outputs]
        self._requests = [compiled.create_infer_request() for _ in range(streams)]
        self._lock = threading.Lock()

    def __call__(self, images: np.ndarray) -> list[np.ndarray]:
        """The outputs [B, ...] of images float32 [B, H, W, 3]; calls from several threads wait for each other."""
        images = np.ascontiguousarray(images, np.float32)
        found = [np.empty((len(images), *shape), np.float32) for shape in self._shapes]
        with self._lock:
            for row in range(len(images)):
                request = self._requests[row % len(self._requests)]
                request.wait()
                request.set_input_tensor(_row(images, row))
                for number, values in enumerate(found):
                    request.set_output_tensor(number, _row(values, row))
                request.start_async()
            for request in self._requests[: len(images)]:
                request.wait()
        return found


def _row(values: np.ndarray, row: int) -> openvino.Tensor:
    """One row of an array as a batch of one, in the array's own memory."""
    return openvino.Tensor(values[row : row + 1], shared_memory=True)
