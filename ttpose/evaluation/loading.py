"""The model that is to be evaluated, and its name for the report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttpose.files import sha256_of

if TYPE_CHECKING:
    from ttpose.model.pose_model import PoseModel

BASE_NAME = "mobile.safetensors"


def base_model(weights: PoseModel | Path | str | None, device: str = "auto") -> tuple[PoseModel, dict[str, Any]]:
    """Load the model to evaluate.

    Args:
        weights: A weights file, None for the shipped base, or a model, which stays where it is.
        device: A torch device, or "auto" for the best one there is.

    Returns:
        The model, and `file` and `sha256` of its weights (None for a model in memory) with its `preset`.

    Raises:
        WeightsError: The file is missing, damaged, or not a ttpose model.
    """
    from ttpose.model.checkpoint import load_model
    from ttpose.model.pose_model import PoseModel
    from ttpose.model.store import model_path

    if isinstance(weights, PoseModel):
        return weights, {"file": None, "sha256": None, "preset": weights.config.preset}
    path = model_path(BASE_NAME) if weights is None else Path(weights)
    model = load_model(path, _best_device() if device == "auto" else device)
    return model, {"file": path.name, "sha256": sha256_of(path), "preset": model.config.preset}


def _best_device() -> str:
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
