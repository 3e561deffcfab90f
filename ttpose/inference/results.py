"""The content of a keypoint file from records, and what is said of damaged files."""

from __future__ import annotations

from typing import Any

from ttpose.core.progress import Progress
from ttpose.core.skeleton import Skeleton
from ttpose.media import Source
from ttpose.models.shipped import LoadedModel
from ttpose.results.records import FrameRecord, KeypointResult


def clip_result(
    media: Source,
    loaded: LoadedModel,
    records: list[FrameRecord],
    guard: dict[str, Any] | None = None,
    skeleton: Skeleton | None = None,
) -> KeypointResult:
    """The content of a keypoint file.

    Args:
        media: What was predicted.
        loaded: The weights that predicted.
        records: One for each frame.
        guard: The guard's report as JSON-ready values, None where nothing was learned.
        skeleton: The records' keypoint set; None for the model's own.
    """
    described = media.info.describe(len(records)), loaded.describe() | {"guard": guard}
    return KeypointResult(*described, skeleton or loaded.model.skeleton, records)


def report_damage(media: Source, progress: Progress) -> None:
    """Say what was odd about the file."""
    for warning in media.warnings:
        progress.note(warning)
