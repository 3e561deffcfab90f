"""Personalize a human pose model on a user's own video, on the user's own machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttpose.core.version import __version__ as __version__

__all__ = [
    "evaluate_clips",
    "load_model",
    "personalize",
    "personalize_many",
    "personalize_people",
    "predict",
    "write_overlay",
    "write_report",
    "write_side_by_side",
]

if TYPE_CHECKING:
    from ttpose.api import (
        evaluate_clips,
        load_model,
        personalize,
        personalize_many,
        personalize_people,
        predict,
        write_overlay,
        write_report,
        write_side_by_side,
    )


def __getattr__(name: str) -> Any:
    # The functions pull in torch and OpenCV; `import ttpose` alone must not.
    if name in __all__:
        from ttpose import api

        return getattr(api, name)
    raise AttributeError(f"module 'ttpose' has no attribute {name!r}")
