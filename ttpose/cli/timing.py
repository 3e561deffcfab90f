"""The options about a clip's time: its rate, how slow it plays, and which part of it is meant."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ttpose.core.errors import UsageError

_PANEL = "Time"


def _check_rate(value: float | None) -> float | None:
    """Refuse what is no number of frames a second."""
    if value is not None and not (math.isfinite(value) and value >= 1e-3):
        raise typer.BadParameter("give frames a second, more than 0, such as 240")
    return value


def _check_factor(value: float | None) -> float | None:
    """Refuse what is no factor."""
    if value is not None and not (math.isfinite(value) and value > 0):
        raise typer.BadParameter("say how many times slower than filmed the clip plays, more than 0, such as 8")
    return value


def _check_range(value: tuple[float, float] | None) -> tuple[float, float] | None:
    """Refuse what is no stretch of time."""
    if value is not None:
        start, end = value
        if not (math.isfinite(start) and math.isfinite(end) and start >= 0):
            raise typer.BadParameter("give two times in seconds, such as --time-range 2.5 7")
        if end <= start:
            raise typer.BadParameter(f"the range must end after it starts, not at {end:g} s after {start:g} s")
    return value


Fps = Annotated[
    float | None,
    typer.Option(
        "--fps", metavar="N", callback=_check_rate, show_default="as the file says", rich_help_panel=_PANEL,
        help="Frames a second of videos that do not say it, or say it wrongly.",
    ),
]  # fmt: skip
CaptureFps = Annotated[
    float | None,
    typer.Option(
        "--capture-fps", metavar="N", callback=_check_rate, show_default="as it plays", rich_help_panel=_PANEL,
        help="Frames a second at which a slow-motion clip was filmed, such as 240: all times and speeds follow.",
    ),
]  # fmt: skip
SlowMotion = Annotated[
    float | None,
    typer.Option(
        "--slow-motion", metavar="FACTOR", callback=_check_factor, show_default="1", rich_help_panel=_PANEL,
        help="How many times slower than it was filmed a clip plays, such as 8; says the same as --capture-fps.",
    ),
]  # fmt: skip
TimeRange = Annotated[
    tuple[float, float] | None,
    typer.Option(
        "--time-range", metavar="START END", callback=_check_range, show_default="all", rich_help_panel=_PANEL,
        help="Only this part of each video, in seconds as a player shows them, such as 2.5 7.",
    ),
]  # fmt: skip


def timing_of(
    fps: float | None,
    capture_fps: float | None,
    slow_motion: float | None,
    time_range: tuple[float, float] | None,
) -> dict[str, Any]:
    """The arguments of `ttpose.api` that the options stand for, those alone that were given.

    Raises:
        UsageError: Two options say the same.
    """
    if capture_fps is not None and slow_motion is not None:
        raise UsageError("--capture-fps and --slow-motion say the same", "leave one of them out")
    part = None if time_range is None else list(time_range)  # as JSON has it
    given = {"fps": fps, "capture_fps": capture_fps, "slow_motion": slow_motion, "time_range": part}
    return {name: value for name, value in given.items() if value is not None}


def check_time_range(sources: Sequence[Path], timing: dict[str, Any], stream: int | None) -> None:
    """Refuse a time range without a frame in one of the inputs, before any work is done; raises UsageError."""
    if "time_range" not in timing:
        return
    from ttpose.core.errors import InputError
    from ttpose.media import Reading, open_source

    for source in sources:
        try:
            open_source(source, Reading(stream=stream, **timing))
        except InputError:  # is told when its turn comes
            continue
