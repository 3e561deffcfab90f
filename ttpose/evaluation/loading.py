"""The model that is to be evaluated, and its name for the report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttpose.core.errors import UsageError

if TYPE_CHECKING:
    from ttpose.models.pose_model import PoseModel


def base_model(
    weights: PoseModel | Path | str | None, device: str = "auto", *, base: Path | str | None = None
) -> tuple[PoseModel, dict[str, Any]]:
    """Load the model to evaluate.

    Args:
        weights: A person, by file or by name in the library, or a base; None takes `base`. Or a model, which stays
            where it is.
        device: A torch device, or "auto" for the best one there is.
        base: The base that the person was made on; None takes the shipped one.

    Returns:
        The model, and `file` and `sha256` of its weights (None for a model in memory) with its `preset`; of a person
        also `base` and `base_sha256`.

    Raises:
        WeightsError: The file is missing, damaged, not a ttpose model, or the person was made on another base.
        UsageError: There is no such device, two bases, or a person in the place of the base.
    """
    from ttpose.models.device import choose_device
    from ttpose.models.pose_model import PoseModel
    from ttpose.models.shipped import BASE_FILE
    from ttpose.people.weights import load_weights

    if isinstance(weights, PoseModel):
        if base is not None:
            raise UsageError(f"the model is a base, and so is {base}", "give one base")
        return weights, {"file": None, "sha256": None, "preset": weights.config.preset}
    loaded = load_weights(weights, choose_device(device), base=base)
    file = base if weights is None or loaded.person is not None else weights
    preset, base_file = loaded.model.config.preset, BASE_FILE if file is None else Path(file).name
    if loaded.person is None:
        return loaded.model, {"file": base_file, "sha256": loaded.base_sha256, "preset": preset}
    on = {"base": base_file, "base_sha256": loaded.base_sha256}
    return loaded.model, {"file": loaded.person.name, "sha256": loaded.person_sha256, "preset": preset, **on}
