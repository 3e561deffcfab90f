"""Weights files: one safetensors file with the model's description in its metadata rebuilds the model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ttpose.errors import WeightsError
from ttpose.files import atomic_path
from ttpose.model.config import ModelConfig
from ttpose.model.pose_model import PoseModel
from ttpose.model.reference import import_reference

__all__ = ["import_reference", "load_model", "read_metadata", "read_tensors", "save_model"]

_FORMAT = "ttpose.model/1"


def save_model(model: PoseModel, path: Path | str, *, half: bool = True, notes: dict[str, str] | None = None) -> None:
    """Write a model; `half` stores 16-bit floats (the pretrained trunk's are exact in it).

    Raises:
        OutputError: The file cannot be written.
    """
    dtype = torch.float16 if half else torch.float32
    tensors = {name: _storable(value, dtype) for name, value in model.state_dict().items()}
    metadata = {"format": _FORMAT, "config": model.config.to_json(), **(notes or {})}
    with atomic_path(path) as partial:
        save_file(tensors, partial, metadata)


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
        raise WeightsError(f"{path} does not fit its own description: {str(error).splitlines()[-1].strip()}") from error
    return model.to(device).eval()


def _described(path: Path | str, metadata: dict[str, str]) -> PoseModel:
    """The model, with random weights, that the metadata describes."""
    try:
        return PoseModel(ModelConfig.from_json(metadata["config"]))
    # What a network's constructor raises for numbers that do not go together.
    except (WeightsError, LookupError, TypeError, ValueError, RuntimeError, AssertionError) as error:
        reason = " ".join(str(error).split())
        raise WeightsError(
            f"{path} describes no model that can be built: {reason}", "it is damaged, or made by another version"
        ) from error


def read_tensors(path: Path | str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a safetensors file.

    Raises:
        WeightsError: The file is missing or damaged.
    """
    with _opened(path) as handle:
        return {name: handle.get_tensor(name) for name in handle.keys()}, dict(handle.metadata() or {})  # noqa: SIM118


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
        raise WeightsError(f"no weights file at {path}") from error
    except (SafetensorError, OSError) as error:
        hint = "it may be cut short, or no safetensors file; reference .pth files go through ttpose import-checkpoint"
        raise WeightsError(f"{path} is not a readable weights file: {error}", hint) from error


def _storable(value: Tensor, dtype: torch.dtype) -> Tensor:
    value = value.detach().cpu()
    return (value.to(dtype) if value.is_floating_point() else value).contiguous()


def _loadable(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value
