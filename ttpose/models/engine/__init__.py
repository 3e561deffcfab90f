"""Frozen networks, compiled: what inference runs on a CPU in place of torch, in half of the time.

`compiled(model)` is called as the model is, and gives the same within rounding. torch stays for learning, on GPUs, for
single photos (compiling takes as long as torch takes for ten crops), and where OpenVINO is not installed or cannot
compile a network: then `compiled` gives back what it was given.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import torch
from torch import Tensor

from ttpose.core.skeleton import Skeleton
from ttpose.core.threads import free_threads
from ttpose.models.config import ModelConfig
from ttpose.models.encoders.output import EncoderOutput
from ttpose.models.pose_model import PoseModel, PoseOutput

if TYPE_CHECKING:
    from ttpose.models.blazepose import BlazePose
    from ttpose.models.engine.graph import Graph
    from ttpose.models.nanodet import NanoDet

#: How pose networks are computed; see `use_precision`.
Precision = Literal["auto", "float32", "bfloat16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

# The detector looks at whole frames in two sizes and at parts of them in a few; a compiled one takes some 30 MB, and a
# tenth of a second to come back.
_MOST_SHAPES = 4

_log = logging.getLogger(__name__)


class PoseNetwork(Protocol):
    """What inference needs of a pose network: a `PoseModel`, or a compiled one."""

    @property
    def config(self) -> ModelConfig:
        """Structure."""

    @property
    def skeleton(self) -> Skeleton:
        """The keypoint set."""

    @property
    def device(self) -> torch.device:
        """Where images are expected."""

    def normalise(self, images: Tensor) -> Tensor:
        """RGB 0..255 [B, 3, S, S] to what a call takes."""

    def __call__(self, images: Tensor) -> PoseOutput:
        """The pose path of what `normalise` gives."""


def available() -> bool:
    """Whether OpenVINO is installed, and the environment does not say TTPOSE_ENGINE=torch, as to compare the two."""
    return os.environ.get("TTPOSE_ENGINE") != "torch" and importlib.util.find_spec("openvino") is not None


class _Compiled:
    """A network that is compiled for each shape of images when the first ones come; torch runs what cannot be.

    Args:
        forward: From images [B, H, W, 3] (float, RGB 0..255) to a sequence of tensors.
        bfloat16: Whether to compute in 16 bits.
        threads: How many; None takes those that are free.
        low_latency: All threads share each image; else each has an image of its own.
    """

    def __init__(
        self,
        forward: Callable[[Any], Sequence[Any]],
        *,
        bfloat16: bool = False,
        threads: int | None = None,
        low_latency: bool = False,
    ) -> None:
        self._forward, self._bfloat16, self._threads, self._low_latency = forward, bfloat16, threads, low_latency
        self._graphs: OrderedDict[tuple[int, ...], Graph | None] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def graphs(self) -> list[Graph]:
        """What was compiled, for some shape each."""
        return [graph for graph in self._graphs.values() if graph is not None]

    def release(self) -> None:
        """Free what was compiled; the next call compiles again."""
        with self._lock:
            self._graphs.clear()

    def __call__(self, images: Tensor) -> Sequence[Tensor]:
        """What the forward gives."""
        graph = self._graph(tuple(images.shape[1:]))
        if graph is None:
            with torch.inference_mode():
                return self._forward(images)
        return [torch.from_numpy(values) for values in graph(images.numpy())]

    def _graph(self, shape: tuple[int, ...]) -> Graph | None:
        with self._lock:
            if shape not in self._graphs:
                self._graphs[shape] = self._built(shape)
            self._graphs.move_to_end(shape)
            if len(self._graphs) > _MOST_SHAPES:
                self._graphs.popitem(last=False)
            return self._graphs[shape]

    def _built(self, shape: tuple[int, ...]) -> Graph | None:
        from ttpose.models.engine.graph import Graph

        try:
            # Unlike learning's, the graph's results do not hang on the number of threads.
            threads = self._threads or min(torch.get_num_threads(), free_threads())
            streams = 1 if self._low_latency else threads
            return Graph(self._forward, shape, bfloat16=self._bfloat16, threads=threads, streams=streams)
        except (NotImplementedError, AttributeError, TypeError, RuntimeError) as error:
            # Slower, and nothing else: a processor or a network that OpenVINO does not know.
            _log.debug("torch goes on with a network that could not be compiled: %s", error)
            return None


class _CompiledNetwork:
    """What compiled networks share: `_run`, whose graphs can be released."""

    _run: _Compiled

    def release(self) -> None:
        """Free what was compiled; the next call compiles again."""
        self._run.release()


class CompiledPose(_CompiledNetwork):
    """A frozen `PoseModel`, compiled; called like one.

    Of the output it gives what keypoints are decoded from: supervised maps, anchors and offsets. `self_supervised` and
    `features` have no channels and `affinity` no rows, as writing them out costs a twentieth of the time.

    Args:
        model: On the CPU; it must not learn on.
        bfloat16: Whether to compute in 16 bits.
        low_latency: One image at a time, as fast as possible, as live streams have them.
    """

    device = torch.device("cpu")

    def __init__(self, model: PoseModel, *, bfloat16: bool = False, low_latency: bool = False) -> None:
        self.model = model.eval()
        self._run = _Compiled(self._forward, bfloat16=bfloat16, low_latency=low_latency)

    @property
    def config(self) -> ModelConfig:
        """Structure."""
        return self.model.config

    @property
    def skeleton(self) -> Skeleton:
        """The keypoint set."""
        return self.model.skeleton

    def normalise(self, images: Tensor) -> Tensor:
        """RGB 0..255 [B, 3, S, S] as float; the graph itself does the rest."""
        return images.float()

    def __call__(self, images: Tensor) -> PoseOutput:
        """What can be decoded of crops [B, 3, S, S] from `normalise`."""
        supervised, *more = self._run(images.permute(0, 2, 3, 1))
        nothing = supervised[:, :0]
        if not more:
            return PoseOutput(supervised, nothing, nothing.flatten(2), EncoderOutput(nothing))
        anchors, offsets = more
        encoded = EncoderOutput(nothing, anchors=anchors, offsets=offsets)
        return PoseOutput(supervised, nothing, nothing.flatten(2), encoded)

    def _forward(self, images: Any) -> Sequence[Any]:
        out = self.model(self.model.normalise(images.permute(0, 3, 1, 2)))
        anchors, offsets = out.encoded.anchors, out.encoded.offsets
        return [out.supervised] if anchors is None or offsets is None else [out.supervised, anchors, offsets]


class CompiledDetector(_CompiledNetwork):
    """NanoDet, compiled; called like it. `mean` tells callers the device, as the network's does."""

    def __init__(self, network: NanoDet) -> None:
        self.mean = network.mean
        self._decoded = network.decode
        self._run = _Compiled(network.raw, threads=1)  # frames come one by one

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Scores and boxes of RGB images [B, H, W, 3], as `NanoDet` gives them."""
        return self._decoded(self._run(images.float()))


class CompiledBlazePose(_CompiledNetwork):
    """BlazePose, compiled; called like it. In 16 bits its landmarks would move by 1.7 px of 256, so it stays in 32."""

    device = torch.device("cpu")

    def __init__(self, network: BlazePose) -> None:
        self._network = network
        self._run = _Compiled(self._forward)

    def __call__(self, images: Tensor) -> Tensor:
        """Landmarks [B, 39, 5] of crops [B, 3, 256, 256], as `BlazePose` gives them."""
        return self._run(images.permute(0, 2, 3, 1))[0]

    def _forward(self, images: Any) -> Sequence[Any]:
        return [self._network(images.permute(0, 3, 1, 2))]


def compiled(model: PoseNetwork, *, low_latency: bool = False) -> PoseNetwork:
    """A frozen pose model for inference: compiled where that is possible, else the model itself.

    `low_latency` is for images that come one at a time, which all threads then share.
    """
    if not isinstance(model, PoseModel) or not _can_compile(model.device):
        return model
    return CompiledPose(model, bfloat16=_bfloat16, low_latency=low_latency)


def compiled_detector(network: NanoDet) -> NanoDet | CompiledDetector:
    """The person detector for inference: compiled where that is possible, else the network itself."""
    return CompiledDetector(network) if _can_compile(network.mean.device) else network


def compiled_blazepose(network: BlazePose) -> BlazePose | CompiledBlazePose:
    """BlazePose for inference: compiled where that is possible, else the network itself."""
    return CompiledBlazePose(network) if _can_compile(network.device) else network


def release(*networks: object) -> None:
    """Free what was compiled of networks, tens of megabytes each; their next call compiles them again."""
    for network in networks:
        if isinstance(network, _CompiledNetwork):
            network.release()


def _can_compile(device: torch.device) -> bool:
    return device.type == "cpu" and available()


_bfloat16 = False


def use_precision(precision: Precision) -> None:
    """Compute the pose networks that this process compiles from now on in 32 or in 16 bits.

    "auto" is float32 today: bfloat16 moves PCK@0.05 by more than a tenth of a point (benchmarks/engine.md).
    """
    global _bfloat16
    _bfloat16 = precision == "bfloat16"
