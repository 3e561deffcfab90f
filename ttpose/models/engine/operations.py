"""What functions of torch are in OpenVINO's operations: all that the forwards of `ttpose.models` call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ttpose.models.engine.runtime import openvino, ops
from ttpose.models.engine.symbol import OPERATIONS, Symbol, as_output, constant


def _is(*functions: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(operation: Callable[..., Any]) -> Callable[..., Any]:
        OPERATIONS.update(dict.fromkeys(functions, operation))
        return operation

    return register


def _pair(value: int | Sequence[int]) -> list[int]:
    return [value] * 2 if isinstance(value, int) else list(value)


@_is(torch.conv2d)
def _conv2d(
    x: Symbol, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Symbol:  # fmt: skip
    how = (_pair(stride), _pair(padding), _pair(padding), _pair(dilation))
    if groups == 1:
        y = ops.convolution(x.output, constant(weight), *how)
    else:
        y = ops.group_convolution(x.output, constant(weight.unflatten(0, (groups, -1))), *how)
    return _biased(y.output(0), bias)


@_is(torch.conv_transpose2d)
def _conv_transpose2d(
    x: Symbol, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
    groups: int = 1, dilation: Any = 1,
) -> Symbol:  # fmt: skip
    if groups != 1:
        raise NotImplementedError("a transposed convolution in groups")
    pads, more = _pair(padding), _pair(output_padding)
    y = ops.convolution_backprop_data(
        x.output, constant(weight), strides=_pair(stride), pads_begin=pads, pads_end=pads, dilations=_pair(dilation),
        output_padding=more,
    )  # fmt: skip
    return _biased(y.output(0), bias)


def _biased(y: openvino.Output, bias: Tensor | None) -> Symbol:
    return Symbol(y) if bias is None else Symbol(ops.add(y, constant(bias.reshape(1, -1, 1, 1))))


@_is(F.batch_norm)
def _batch_norm(
    x: Symbol, mean: Tensor, var: Tensor, weight: Tensor, bias: Tensor, training: bool = False, momentum: float = 0.1,
    eps: float = 1e-5,
) -> Symbol:  # fmt: skip
    scale = weight / (var + eps).sqrt()
    shift = bias - mean * scale
    return x * scale.reshape(1, -1, 1, 1) + shift.reshape(1, -1, 1, 1)


@_is(F.pad)
def _pad(x: Symbol, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Symbol:
    before = [0] * x.dim()
    after = [0] * x.dim()
    for number in range(len(pad) // 2):
        before[-1 - number], after[-1 - number] = pad[2 * number : 2 * number + 2]
    if mode != "constant":
        raise NotImplementedError(f"padding by {mode}")
    return Symbol(ops.pad(x.output, np.array(before), np.array(after), "constant", as_output(value or 0.0, x)))


@_is(F.relu, torch.relu)
def _relu(x: Symbol, inplace: bool = False) -> Symbol:
    return Symbol(ops.relu(x.output))


@_is(F.relu6)
def _relu6(x: Symbol, inplace: bool = False) -> Symbol:
    return Symbol(ops.clamp(x.output, 0.0, 6.0))


@_is(F.leaky_relu)
def _leaky_relu(x: Symbol, negative_slope: float = 0.01, inplace: bool = False) -> Symbol:
    return Symbol(ops.prelu(x.output, as_output(negative_slope, x)))


@_is(torch.sigmoid)
def _sigmoid(x: Symbol) -> Symbol:
    return Symbol(ops.sigmoid(x.output))


@_is(torch.softmax)
def _softmax(x: Symbol, dim: int) -> Symbol:
    return Symbol(ops.softmax(x.output, dim))


@_is(F.interpolate)
def _interpolate(
    x: Symbol, size: Any = None, scale_factor: float | None = None, mode: str = "nearest",
    align_corners: bool | None = None, recompute_scale_factor: None = None, antialias: bool = False,
) -> Symbol:  # fmt: skip
    if mode != "bilinear" or align_corners or antialias:
        raise NotImplementedError(f"resizing by {mode}")
    target = [int(side * scale_factor) for side in x.shape[2:]] if scale_factor is not None else list(size)
    if target == list(x.shape[2:]):
        return x
    return Symbol(
        ops.interpolate(
            x.output, np.array(target), "linear_onnx", "sizes", axes=np.array([2, 3]),
            coordinate_transformation_mode="half_pixel",
        )
    )  # fmt: skip


@_is(F.avg_pool2d)
def _avg_pool2d(x: Symbol, kernel_size: int, stride: int | None = None) -> Symbol:
    kernel, zero = _pair(kernel_size), [0, 0]
    return Symbol(ops.avg_pool(x.output, _pair(stride or kernel_size), zero, zero, kernel, exclude_pad=True))


@_is(F.max_pool2d)
def _max_pool2d(
    x: Symbol, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    return_indices: bool = False,
) -> Symbol:  # fmt: skip
    how = (_pair(stride or kernel_size), _pair(dilation), _pair(padding), _pair(padding), _pair(kernel_size))
    return Symbol(ops.max_pool(x.output, *how).output(0))


@_is(torch.cat)
def _cat(parts: Sequence[Symbol | Tensor], dim: int = 0) -> Symbol:
    like = next(part for part in parts if isinstance(part, Symbol))
    return Symbol(ops.concat([as_output(part, like) for part in parts], dim))


@_is(torch.stack)
def _stack(parts: Sequence[Symbol], dim: int = 0) -> Symbol:
    return Symbol(ops.concat([ops.unsqueeze(part.output, np.array(dim)) for part in parts], dim))


@_is(F.linear)
def _linear(x: Symbol, weight: Tensor, bias: Tensor | None = None) -> Symbol:
    y = _matmul(x, weight, transpose=True)
    return y if bias is None else y + bias


@_is(torch.bmm)
def _matmul(a: Symbol | Tensor, b: Symbol | Tensor, *, transpose: bool = False) -> Symbol:
    """a · b of the last two axes, or a · bᵀ; one of them is a symbol."""
    like = a if isinstance(a, Symbol) else b
    assert isinstance(like, Symbol)
    return Symbol(ops.matmul(as_output(a, like), as_output(b, like), False, transpose))


@_is(F.layer_norm)
def _layer_norm(
    x: Symbol, normalized_shape: Sequence[int], weight: Tensor | None = None, bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Symbol:  # fmt: skip
    axes = np.arange(x.dim() - len(normalized_shape), x.dim())
    y = Symbol(ops.mvn(x.output, axes, True, eps, "inside_sqrt"))
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


@_is(F.dropout)
def _dropout(x: Symbol, p: float = 0.5, training: bool = True, inplace: bool = False) -> Symbol:
    if training and p > 0:
        raise NotImplementedError("dropout while learning")
    return x


@_is(F.multi_head_attention_forward)
def _attention(
    query: Symbol | Tensor, key: Symbol | Tensor, value: Symbol | Tensor, width: int, heads: int, weight: Tensor,
    bias: Tensor, bias_k: None, bias_v: None, zero: bool, dropout: float, out_weight: Tensor, out_bias: Tensor,
    *, training: bool = False, need_weights: bool = False, attn_mask: Tensor | None = None,
    key_padding_mask: Tensor | None = None, **how: Any,
) -> tuple[Symbol, None]:  # fmt: skip
    """As in torch: sequence first [L, B, width]; no masks, and the weights are not given."""
    if training or need_weights or attn_mask is not None or key_padding_mask is not None:
        raise NotImplementedError("attention with a mask, or whose weights are asked for")
    length, batch = query.shape[:2]
    q, k, v = (
        _projected(x, w, b).view(x.shape[0], batch, heads, width // heads).permute(1, 2, 0, 3)
        for x, w, b in zip((query, key, value), weight.chunk(3), bias.chunk(3), strict=True)
    )
    scores = _matmul(q, k, transpose=True) * (width // heads) ** -0.5
    seen = _matmul(_softmax(scores, -1), v)
    return _linear(seen.permute(2, 0, 1, 3).view(length, batch, width), out_weight, out_bias), None


def _projected(x: Symbol | Tensor, weight: Tensor, bias: Tensor) -> Symbol | Tensor:
    return F.linear(x, weight, bias) if isinstance(x, Tensor) else _linear(x, weight, bias)


@_is(Tensor.add, Tensor.__radd__)
def _add(a: Symbol | Tensor, b: Symbol | Tensor) -> Symbol:
    """A tensor and a symbol, in either order."""
    symbol, other = (a, b) if isinstance(a, Symbol) else (b, a)
    assert isinstance(symbol, Symbol)
    return symbol + other


@_is(Tensor.mul, Tensor.__rmul__)
def _mul(a: Symbol | Tensor, b: Symbol | Tensor) -> Symbol:
    """A tensor and a symbol, in either order."""
    symbol, other = (a, b) if isinstance(a, Symbol) else (b, a)
    assert isinstance(symbol, Symbol)
    return symbol * other
