"""The options that say how to personalize, beyond a preset: the paper's method, its baselines and ablations."""

from __future__ import annotations

from typing import Annotated

import typer

from ttpose.core.errors import UsageError

PANEL = "Method, baselines and ablations"
#: For the help; `ttpose.adaptation.methods.METHODS` and `PARTS` are too slow to import for that.
METHOD_NAMES = ("ours", "student", "paper", "tent", "rotation", "confident")
PART_NAMES = ("encoder", "self_head", "affinity", "pose_head", "norms", "adapters", "heatmaps", "decoder")

Method = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        rich_help_panel=PANEL,
        help="ours (see --preset), student (refined keypoints as labels), paper (reconstruction), or a baseline: tent,"
        " rotation or confident.",
    ),
]
Learn = Annotated[
    str | None,
    typer.Option(
        metavar="PARTS",
        rich_help_panel=PANEL,
        show_default="as the method says",
        help=f"Parts that learn, with commas: {', '.join(PART_NAMES)}.",
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
        help="Least score of pseudo-labels (ours, confident).",
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
    int, typer.Option(min=1, metavar="N", rich_help_panel=PANEL, help="Learning steps per frame, online.")
]
ResetPerFrame = Annotated[
    bool, typer.Option("--reset-per-frame", rich_help_panel=PANEL, help="Reset to the base before each frame, online.")
]


def words(text: str, option: str) -> list[str]:
    """The words of a list with commas; raises UsageError for an empty one."""
    found = [word.strip() for word in text.split(",") if word.strip()]
    if not found:
        raise UsageError(f"{option} names nothing")
    return found
