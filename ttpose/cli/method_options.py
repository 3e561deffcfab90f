"""The options that say how to personalize, beyond a preset: the paper's method, its baselines and ablations."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ttpose.core.errors import UsageError

PANEL = "Method, baselines and ablations"
#: For the help; `ttpose.adaptation.methods.METHODS` and `PARTS` are too slow to import for that.
METHOD_NAMES = ("ours", "paper", "tent", "rotation", "confident")
PART_NAMES = ("encoder", "self_head", "affinity", "pose_head", "norms", "adapters", "heatmaps", "decoder")

Method = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        rich_help_panel=PANEL,
        help="ours (see --preset), paper (reconstruction), or a baseline: tent, rotation or confident.",
    ),
]
Learn = Annotated[
    str | None,
    typer.Option(
        metavar="PARTS",
        rich_help_panel=PANEL,
        show_default="as the method says",
        help=f"What learns, with commas: {', '.join(PART_NAMES)}; the rest stays as it is.",
    ),
]
Rate = Annotated[
    float | None,
    typer.Option(metavar="RATE", rich_help_panel=PANEL, show_default="as the method says", help="Learning rate."),
]
MinScore = Annotated[
    float | None,
    typer.Option(
        metavar="SCORE",
        rich_help_panel=PANEL,
        show_default="as the method says",
        help="Own predictions with a lower score teach nothing (ours, confident).",
    ),
]
Perceptual = Annotated[
    str | None,
    typer.Option(
        metavar="WHAT",
        rich_help_panel=PANEL,
        show_default="vgg16; the shipped model's own trunk",
        help="Network that compares images: vgg16[=FILE.pth], encoder (its own first stages) or none (pixels).",
    ),
]
FrameSteps = Annotated[
    int, typer.Option(min=1, metavar="N", rich_help_panel=PANEL, help="Learning steps a frame, online.")
]
ResetPerFrame = Annotated[
    bool, typer.Option("--reset-per-frame", rich_help_panel=PANEL, help="Begin anew with each frame, online.")
]


def changes(
    method: str,
    preset: str,
    learn: str | None,
    rate: float | None,
    min_score: float | None,
    perceptual: str | None,
    frame_steps: int,
    reset_per_frame: bool,
) -> dict[str, Any]:
    """Keyword arguments of `ttpose.adaptation.methods.method_named`; none where every option is left as it is."""
    given: dict[str, Any] = {
        "learn": None if learn is None else words(learn, "--learn"),
        "rate": rate,
        "min_score": min_score,
        "perceptual": perceptual,
        "frame_steps": frame_steps if frame_steps != 1 else None,
        "reset_per_frame": reset_per_frame or None,
    }
    changed = {name: value for name, value in given.items() if value is not None}
    if method == "ours":
        return {**changed, "preset": preset} if changed else {}
    return {"name": method, **changed}


def words(text: str, option: str) -> list[str]:
    """The words of a list with commas; raises UsageError for an empty one."""
    found = [word.strip() for word in text.split(",") if word.strip()]
    if not found:
        raise UsageError(f"{option} names nothing")
    return found
