"""Weights files: one safetensors file with the model's description in its metadata rebuilds the model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ttpose.core.errors import WeightsError
from ttpose.core.files import atomic_path
from ttpose.core.text import readable
from ttpose.models.config import ModelConfig
from ttpose.models.paper_checkpoint import import_reference
from ttpose.models.pose_model import PoseModel
from ttpose.models.uninitialised import Uninitialised

__all__ = ["import_reference", "load_model", "read_metadata", "read_tensors", "save_model", "write_tensors"]

_FORMAT = "ttpose.model/1"


def save_model(model: PoseModel, path: Path | str, *, half: bool = True, notes: dict[str, str] | None = None) -> None:
    """Write a model; `half` stores 16-bit floats (the pretrained trunk's are exact in it).

    Raises:
        OutputError: The file cannot be written.
    """
    dtype = torch.float16 if half else torch.float32
    tensors = {name: _storable(value, dtype) for name, value in model.state_dict().items()}
    write_tensors(path, tensors, {"format": _FORMAT, "config": model.config.to_json(), **(notes or {})})


def write_tensors(path: Path | str, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file whole or not at all; the same content always gives the same bytes.

    Raises:
        OutputError: The file cannot be written.
    """
    data = save(tensors, {key: readable(value) for key, value in metadata.items()})
    # The library writes the metadata in a random order, and no fingerprint of the file would ever come twice.
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # the tensors stay aligned
    with atomic_path(path) as partial, open(partial, "wb") as handle:
        handle.write(len(text).to_bytes(8, "little") + text)
        handle.write(memoryview(data)[8 + length :])


def load_model(path: Path | str, device: str | torch.device = "cpu") -> PoseModel:
    """Rebuild a model, in evaluation mode, from its weights file.

    Raises:
        WeightsError: The file is missing, damaged, or not a ttpose model.
    """
    tensors, metadata = read_tensors(path)
    if metadata.get("format") != _FORMAT:
        kind = metadata.get("format", "unknown")
        raise WeightsError(f"{path} is not a ttpose model (format: {kind})", "see `ttpose info FILE`")
    model = _described(path, metadata)
    try:
        model.load_state_dict({name: _loadable(value) for name, value in tensors.items()})
    except RuntimeError as error:
        problem = f"{path} does not fit its own description: {str(error).splitlines()[-1].strip()}"
        raise WeightsError(problem, "it is damaged, or made by another version") from error
    # Channels last: a third less time for depthwise convolutions on a CPU, and what GPUs prefer.
    return model.to(device=device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]


def _described(path: Path | str, metadata: dict[str, str]) -> PoseModel:
    """The model that the metadata describes, with any weights."""
    try:
        config = ModelConfig.from_json(metadata["config"])
        if config.encoder == "own":
            from ttpose.models.base import known_network

            return PoseModel(config, known_network(config.preset))
        with Uninitialised():
            return PoseModel(config)
    # What a network's constructor raises for numbers that do not go together.
    except (WeightsError, LookupError, TypeError, ValueError, RuntimeError, AssertionError) as error:
        reason = " ".join(str(error).split())
        raise WeightsError(
            f"{path} describes no model that can be built: {reason}", "it is damaged, or made by another version"
        ) from error


def read_tensors(path: Path | str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a safetensors file.

    Raises:
        WeightsError: The file is missing or damaged, or holds NaN or infinity.
    """
    with _opened(path) as handle:
        tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
        metadata = dict(handle.metadata() or {})
    for name, value in tensors.items():
        if not _is_finite(value):
            raise WeightsError(f"{path} is damaged: {name} holds values that are no numbers", "make or copy it again")
    return tensors, metadata


def _is_finite(value: Tensor) -> bool:
    """Whether there is neither NaN nor infinity in a tensor."""
    if not value.is_floating_point():
        return True
    # One that holds them has no finite sum. The sum is the faster look; it may overflow, so it can only clear a tensor.
    return bool(value.sum(dtype=torch.float32).isfinite()) or bool(value.isfinite().all())


def read_metadata(path: Path | str) -> dict[str, str]:
    """Metadata alone; raises WeightsError as `read_tensors`."""
    with _opened(path) as handle:
        return dict(handle.metadata() or {})


@contextmanager
def _opened(path: Path | str) -> Iterator[Any]:
    try:
        with safe_open(str(path), framework="pt") as handle:
            yield handle
    except FileNotFoundError as error:
        raise WeightsError(f"no weights file at {path}", "check the path") from error
    except (SafetensorError, OSError) as error:
        hint = "it may be cut short, or no safetensors file; reference .pth files go through ttpose import-checkpoint"
        raise WeightsError(f"{path} is not a readable weights file: {error}", hint) from error


def _storable(value: Tensor, dtype: torch.dtype) -> Tensor:
    value = value.detach().cpu()
    return (value.to(dtype) if value.is_floating_point() else value).contiguous()


def _loadable(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value
