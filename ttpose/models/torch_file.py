"""Reading PyTorch weight files (.pth) from elsewhere without ever running what is inside them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from ttpose.core.errors import WeightsError

_WRAPPERS = ("state_dict", "model")  # what trainers commonly put a state dict into
_PARALLEL = "module."  # what (Distributed)DataParallel puts before every name

# A training checkpoint often holds its best score as a numpy number; these rebuild one and can do nothing else.
_SCALAR = cast(Callable[..., Any], np.float64(0).__reduce__()[0])
_NUMPY_SCALARS: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    (_SCALAR, "numpy.core.multiarray.scalar"),  # before numpy 2
    (_SCALAR, "numpy._core.multiarray.scalar"),
    np.dtype,
    type(np.dtype(np.float64)),
    type(np.dtype(np.float32)),
    type(np.dtype(np.int64)),
]


def read_state_dict(path: Path | str) -> dict[str, torch.Tensor]:
    """Read named tensors from a .pth file, plain or inside {'state_dict': ...}, without a `module.` prefix.

    Returns:
        CPU tensors by name, floating-point ones as float32.

    Raises:
        WeightsError: The file is missing, damaged, holds anything but data, or no state dict.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"no weights file at {path}", "check the path")
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(_NUMPY_SCALARS):
            warnings.simplefilter("ignore")  # what torch warns of ends in one of the errors below
            content = torch.load(path, map_location="cpu", weights_only=True)
    except PermissionError as error:
        raise WeightsError(f"cannot read {path}: no permission", "check its permissions") from error
    except Exception as error:  # a damaged or hostile file can raise almost anything while it is parsed
        raise WeightsError(
            f"cannot read {path}: it is damaged, not a PyTorch weights file, or holds more than weights",
            "only tensors are loaded; code in a file is never run",
        ) from error
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
            break
    if not isinstance(content, Mapping) or not content:
        raise WeightsError(f"{path} holds no state dict", "expected a mapping from names to tensors")
    return {_plain_name(name): _plain_tensor(path, name, tensor) for name, tensor in content.items()}


def load_exactly(module: nn.Module, state: Mapping[str, torch.Tensor], path: Path | str) -> None:
    """Load `state` into `module`; every name and shape must match, else WeightsError as in `require_match`."""
    require_match(state, module.state_dict(), path)
    module.load_state_dict(dict(state))


def require_match(
    state: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor], path: Path | str, of: str = "this network"
) -> None:
    """Check that `state` has the names and shapes of `wanted`.

    Raises:
        WeightsError: One line with the first tensor that is missing, unexpected or of another shape.
    """
    hint = f"it does not hold the weights of {of}"
    missing, unexpected = wanted.keys() - state.keys(), state.keys() - wanted.keys()
    for problem, names in (("lacks", missing), ("has an unexpected", unexpected)):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise WeightsError(f"{path} {problem} {min(names)}{more}", hint)
    for name, tensor in wanted.items():
        if state[name].shape != tensor.shape:
            found, needed = list(state[name].shape), list(tensor.shape)
            raise WeightsError(f"{path}: {name} has shape {found}, needed is {needed}", hint)


def _plain_name(name: object) -> str:
    return str(name).removeprefix(_PARALLEL)


def _plain_tensor(path: Path, name: object, tensor: object) -> torch.Tensor:
    if not isinstance(tensor, torch.Tensor) or not _is_plain(tensor):
        raise WeightsError(f"{path}: {name} is no plain tensor", "expected a state dict")
    if not tensor.is_floating_point():
        return tensor
    if not torch.isfinite(tensor).all():
        raise WeightsError(f"{path}: {name} holds values that are not finite", "the training that wrote it diverged")
    return tensor.float()


def _is_plain(tensor: torch.Tensor) -> bool:
    return tensor.layout == torch.strided and not tensor.is_quantized and tensor.device.type == "cpu"
