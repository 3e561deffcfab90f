"""A stand-in for a tensor: a network's own forward, run on one, writes down the network as an OpenVINO graph.

torch gives every function that meets a foreign argument to that argument's `__torch_function__`. So nothing is traced,
and no second description of a network has to be kept in step with the first: the forward runs once, in milliseconds,
and each operation on a `Symbol` becomes a node with a known shape; operations on weights alone are computed as usual
and become constants.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ttpose.models.engine.runtime import openvino, ops

#: What a function of torch becomes, by the function; `operations.py` fills it.
OPERATIONS: dict[Callable[..., Any], Callable[..., Any]] = {}
#: The types of numbers that occur in a forward.
_TYPES = {torch.float32: openvino.Type.f32, torch.int64: openvino.Type.i64, torch.uint8: openvino.Type.u8}


class Symbol:
    """The value of one node of the graph.

    Args:
        output: The node's output, of a static shape.
    """

    device = torch.device("cpu")
    # What torch's attention asks of a tensor.
    is_nested = requires_grad = False

    def __init__(self, output: openvino.Node | openvino.Output) -> None:
        self.output = output.output(0) if isinstance(output, openvino.Node) else output

    @classmethod
    def __torch_function__(
        cls, function: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Write down a call of a torch function; raises NotImplementedError for one that has no counterpart here."""
        if function not in OPERATIONS:
            raise NotImplementedError(f"{getattr(function, '__name__', function)} of a symbol")
        return OPERATIONS[function](*args, **(kwargs or {}))

    @property
    def shape(self) -> torch.Size:
        """As a tensor's."""
        return torch.Size(self.output.get_shape())

    @property
    def dtype(self) -> torch.dtype:
        """As a tensor's."""
        own = self.output.get_element_type()
        return next(kind for kind, name in _TYPES.items() if name == own)

    def dim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def float(self) -> Symbol:
        """As a tensor's."""
        return self.to(torch.float32)

    def to(self, dtype: torch.dtype) -> Symbol:
        """As a tensor's, of types alone."""
        return self if dtype == self.dtype else Symbol(ops.convert(self.output, _TYPES[dtype]))

    def view(self, *shape: int) -> Symbol:
        """As a tensor's."""
        return Symbol(ops.reshape(self.output, np.array(shape), special_zero=False))

    reshape = view

    def flatten(self, start: int = 0) -> Symbol:
        """As a tensor's, from an axis to the last one."""
        return self.view(*self.shape[:start], -1)

    def unflatten(self, axis: int, sizes: Sequence[int]) -> Symbol:
        """As a tensor's."""
        shape = list(self.shape)
        shape[axis : axis + 1 or None] = sizes
        return self.view(*shape)

    def permute(self, *axes: int) -> Symbol:
        """As a tensor's."""
        return Symbol(ops.transpose(self.output, np.array(axes)))

    def transpose(self, first: int, second: int) -> Symbol:
        """As a tensor's."""
        axes = list(range(self.dim()))
        axes[first], axes[second] = axes[second], axes[first]
        return self.permute(*axes)

    def flip(self, axis: int) -> Symbol:
        """As a tensor's, of one axis."""
        backwards = np.arange(self.shape[axis])[::-1].copy()
        return Symbol(ops.gather(self.output, backwards, np.array(axis)))

    def argmax(self, axis: int) -> Symbol:
        """As a tensor's; of equal values the first."""
        top = ops.topk(self.output, np.array(1), axis, "max", "value", index_element_type="i64", stable=True)
        return Symbol(ops.squeeze(top.output(1), np.array(axis)))

    def gather(self, axis: int, index: Symbol) -> Symbol:
        """As a tensor's."""
        return Symbol(ops.gather_elements(self.output, index.output, axis))

    def expand(self, *sizes: int) -> Symbol:
        """As a tensor's."""
        shape = [have if want == -1 else want for have, want in zip(self.shape, sizes, strict=True)]
        return Symbol(ops.broadcast(self.output, np.array(shape)))

    def __getitem__(self, key: Any) -> Symbol:
        keys, axis, drop, value = key if isinstance(key, tuple) else (key,), 0, [], self.output
        for item in keys:
            if item is None:
                value, axis = ops.unsqueeze(value, np.array(axis)).output(0), axis + 1
                continue
            if item is Ellipsis:
                axis = self.dim() - (len(keys) - 1 - keys.index(Ellipsis) - sum(k is None for k in keys))
                continue
            part = slice(item, item + 1) if isinstance(item, int) and item >= 0 else item
            if part != slice(None):
                size = value.get_shape()[axis]
                start, stop, step = part.indices(size)
                bounds = (np.array([start]), np.array([stop]), np.array([step]), np.array([axis]))
                value = ops.slice(value, *bounds).output(0)
            if isinstance(item, int):
                drop.append(axis)
            axis += 1
        return Symbol(ops.squeeze(value, np.array(drop)) if drop else value)

    def _with(self, other: Any, operation: Callable[..., openvino.Node]) -> Symbol:
        """Arithmetic with a symbol, tensor or number; of a whole and a floating number both become floating."""
        whole = isinstance(other, Symbol) and self.dtype != other.dtype
        a, b = (self.float(), other.float()) if whole else (self, other)
        return Symbol(operation(a.output, as_output(b, a)))

    def __add__(self, other: Any) -> Symbol:
        return self._with(other, ops.add)

    def __sub__(self, other: Any) -> Symbol:
        return self._with(other, ops.subtract)

    def __mul__(self, other: Any) -> Symbol:
        return self._with(other, ops.multiply)

    def __truediv__(self, other: Any) -> Symbol:
        return self._with(other, ops.divide)

    def __mod__(self, other: int) -> Symbol:
        return self._with(other, ops.floor_mod)

    def __floordiv__(self, other: int) -> Symbol:
        """Of whole numbers from 0."""
        return self._with(other, ops.divide)

    __radd__, __rmul__ = __add__, __mul__


def as_output(value: Any, like: Symbol) -> openvino.Output:
    """The node of a symbol, or a constant of a tensor or number; numbers take a symbol's type."""
    if isinstance(value, Symbol):
        return value.output
    if not isinstance(value, Tensor):
        value = torch.tensor(value, dtype=like.dtype)
    return constant(value)


def constant(value: Tensor) -> openvino.Output:
    """A tensor's values, in its own memory where that is contiguous: what is compiled must not change afterwards."""
    return ops.constant(value.detach().cpu().contiguous().numpy(), shared_memory=True).output(0)
