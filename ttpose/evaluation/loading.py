"""The model that is to be evaluated, and its name for the report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ttpose.model.pose_model import PoseModel


def base_model(weights: PoseModel | Path | str | None, device: str = "auto") -> tuple[PoseModel, dict[str, Any]]:
    """Load the model to evaluate.

    Args:
        weights: A base or person file, None for the shipped base, or a model, which stays where it is.
        device: A torch device, or "auto" for the best one there is.

    Returns:
        The model, and `file` and `sha256` of its weights (None for a model in memory) with its `preset`.

    Raises:
        WeightsError: The file is missing, damaged, or not a ttpose model.
        UsageError: There is no such device.
    """
    from ttpose.model.pose_model import PoseModel
    from ttpose.model.runtime import choose_device
    from ttpose.model.shipped import BASE_FILE, load

    if isinstance(weights, PoseModel):
        return weights, {"file": None, "sha256": None, "preset": weights.config.preset}
    loaded = load(weights, choose_device(device))
    file = BASE_FILE if weights is None else Path(weights).name
    preset = loaded.model.config.preset
    return loaded.model, {"file": file, "sha256": loaded.person_sha256 or loaded.base_sha256, "preset": preset}
