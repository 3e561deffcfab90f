"""Files of former versions, read as the present version writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: The keypoint schema before `ttpose.results.records.SCHEMA`.
FORMER_SCHEMA = "ttpose.keypoints/1"


def current_guard(guard: Mapping[str, Any]) -> dict[str, Any]:
    """The guard's part of a keypoint file, person file or run.json, with the keys of today.

    With `ttpose.keypoints/1`, `decision` and `metrics` were called `verdict` and `figures`.
    """
    renamed = {"verdict": "decision", "figures": "metrics"}
    return {renamed.get(key, key): value for key, value in guard.items()}


def current_keypoints(data: dict[str, Any]) -> dict[str, Any]:
    """The content of a `ttpose.keypoints/1` file as the present schema has it; anything else as it is.

    Raises:
        KeyError, TypeError, AttributeError: The content is damaged.
    """
    if data.get("schema") != FORMER_SCHEMA:
        return data
    model = dict(data["model"])
    if model.get("guard") is not None:
        model["guard"] = current_guard(model["guard"])
    return {**data, "model": model}
