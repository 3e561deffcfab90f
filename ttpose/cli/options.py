"""The options that commands share, each declared once, and the checks of their values."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

_SUBJECT = re.compile(r"auto|largest|center|-?\d+(\.\d+)?,-?\d+(\.\d+)?")
_ADDRESS = re.compile(r"\w+://\S+")
_MANY, _PERSON = "Many inputs", "The person"
_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


class Preset(str, Enum):
    """How much work a personalization may take."""

    fast = "fast"
    balanced = "balanced"
    thorough = "thorough"
    paper = "paper"


class InferencePreset(str, Enum):
    """How much work inference may take."""

    fast = "fast"
    balanced = "balanced"
    thorough = "thorough"


class SkeletonName(str, Enum):
    """Keypoint sets of results."""

    coco17 = "coco17"
    coco17_feet = "coco17_feet"


class PrecisionName(str, Enum):
    """In which numbers networks are computed."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"

    @property
    def chosen(self) -> Any:
        """The name, or None where nothing was chosen."""
        return None if self is PrecisionName.auto else self.value


class Mode(str, Enum):
    """Whether to learn from the whole clip first, or frame by frame."""

    offline = "offline"
    online = "online"


def check_subject(value: str | None) -> str | None:
    """Refuse what is no way to choose a subject (typer shows it as wrong use)."""
    if value is not None:
        value = value.replace(" ", "")
        if not _SUBJECT.fullmatch(value):
            raise typer.BadParameter("use auto, largest, center or a point of the first frame such as 640,360")
    return value


def check_subjects(values: list[str] | None) -> list[str] | None:
    """The same for several."""
    return None if not values else [check_subject(value) or "auto" for value in values]


def check_people(value: str | None) -> str | None:
    """Refuse what is no number of people (typer shows it as wrong use)."""
    if value is not None and value != "all" and not re.fullmatch(r"[1-9]\d{0,3}", value):
        raise typer.BadParameter("use a number from 1, or all")
    return value


def check_device(value: str) -> str:
    """Refuse what is no device name (typer shows it as wrong use)."""
    if not _DEVICE.fullmatch(value):
        raise typer.BadParameter("use auto, cpu, cuda, cuda:N or mps")
    return value


def check_scheduler(value: str | None) -> str | None:
    """Refuse what is no address of a Dask scheduler (typer shows it as wrong use)."""
    if value is not None and not _ADDRESS.fullmatch(value):
        raise typer.BadParameter("use tcp://host:port, as `dask scheduler` shows it")
    return value


def check_skeleton(skeleton: SkeletonName | None, preset: str | None) -> None:
    """Refuse a keypoint set that a preset cannot give; raises UsageError."""
    if skeleton is SkeletonName.coco17_feet and preset in ("fast", "paper"):
        from ttpose.core.errors import UsageError

        raise UsageError(
            f"--skeleton coco17_feet needs the ensemble, which --preset {preset} does not run", "use --preset balanced"
        )


def given(name: str, value: Any) -> dict[str, Any]:
    """A setting or argument of that name, or none where the option was left out."""
    return {} if value is None else {name: value}


Inputs = Annotated[
    list[Path],
    typer.Argument(metavar="INPUT", show_default=False, help="Videos, photos, or folders of them with all subfolders."),
]
Output = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="DIR", help="Where to put the folders <name>_ttpose.", file_okay=False),
]
Subject = Annotated[
    str | None,
    typer.Option(
        metavar="WHO",
        callback=check_subject,
        show_default=False,
        help="Person to follow: auto, largest, center, or X,Y, a point of the first frame.",
    ),
]
Subjects = Annotated[
    list[str] | None,
    typer.Option(
        "--subject",
        metavar="WHO",
        callback=check_subjects,
        show_default=False,
        help="Person to follow: auto, largest, center, or X,Y, a point of the first frame; once, or once an input.",
    ),
]
People = Annotated[
    str | None,
    typer.Option(
        "--people",
        metavar="N|all",
        callback=check_people,
        show_default=False,
        help="How many people to follow: a number, or all.",
    ),
]
Device = Annotated[str, typer.Option(metavar="NAME", callback=check_device, help="auto, cpu, cuda, cuda:N or mps.")]
Base = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE|NAME",
        show_default="the shipped model",
        help="Base to start from, or that a person file was made on: a file, or a name in `ttpose models`.",
    ),
]
Ensemble = Annotated[
    list[Path] | None,
    typer.Option(
        "--ensemble", metavar="FILE.onnx", exists=True, dir_okay=False, show_default=False,
        help="An ONNX pose network (RTMPose, ViTPose) that predicts as well; may be given several times.",
    ),
]  # fmt: skip
PresetOption = Annotated[
    Preset | None,
    typer.Option(
        "--preset", metavar="NAME", show_default="balanced",
        help="fast, balanced or thorough: more work each; paper: the original method.",
    ),
]  # fmt: skip
OwnPreset = Annotated[
    InferencePreset | None,
    typer.Option(
        "--preset", metavar="NAME", show_default="balanced", help="Of --method ours: fast, balanced or thorough."
    ),
]
Seed = Annotated[int, typer.Option(min=0, metavar="N", help="Random seed; the same seed repeats a run.")]
Overlay = Annotated[bool, typer.Option("--overlay/--no-overlay", help="Draw the skeleton over the input.")]
DrawMinScore = Annotated[
    float | None,
    typer.Option(
        metavar="SCORE", min=0, max=1, show_default="0.2",
        help="Draw only keypoints that score at least this much; the files keep all.",
    ),
]  # fmt: skip
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Process finished inputs again.")]
PersonFile = Annotated[
    Path | None,
    typer.Option(
        "--person", metavar="FILE|NAME", show_default=False, rich_help_panel=_PERSON,
        help="Continue from this person: a file, or a name in `ttpose people`.",
    ),
]  # fmt: skip
Corrections = Annotated[
    list[Path] | None,
    typer.Option(
        "--corrections", metavar="FILE.json", exists=True, dir_okay=False, show_default=False, rich_help_panel=_PERSON,
        help="Also learn from corrected frames: a file of `ttpose correct` or a COCO keypoint file, one for each clip.",
    ),
]  # fmt: skip
SamePerson = Annotated[
    bool,
    typer.Option(
        "--same-person", rich_help_panel=_PERSON,
        help="All inputs show the same person: learn from all, write one person file.",
    ),
]  # fmt: skip
SaveAs = Annotated[
    str | None,
    typer.Option(
        "--save-as", "--name", metavar="NAME", show_default=False, rich_help_panel=_PERSON,
        help="Also keep the person under this name, for --weights NAME.",
    ),
]  # fmt: skip
SkeletonOption = Annotated[
    SkeletonName | None,
    typer.Option(
        "--skeleton", metavar="SET", show_default="fast, paper: coco17; others: coco17_feet",
        help="Keypoints of the results: coco17, or coco17_feet with big toes and heels.",
    ),
]  # fmt: skip
Stream = Annotated[
    int | None,
    typer.Option(
        "--stream", metavar="N", min=0, show_default="the main one",
        help="Which track of a video file to use, counted from 0 over all tracks, as ffprobe does.",
    ),
]  # fmt: skip
Jobs = Annotated[
    int,
    typer.Option(
        "--jobs", "-j", min=1, metavar="N", rich_help_panel=_MANY,
        help="Inputs to process at the same time.",
    ),
]  # fmt: skip
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS", callback=check_scheduler, show_default=False, rich_help_panel=_MANY,
        help="Process the inputs on the Dask cluster at tcp://host:port.",
    ),
]  # fmt: skip
Precision = Annotated[
    PrecisionName,
    typer.Option(help="Of the networks on a CPU; bfloat16 is faster where it has AMX, and rougher."),
]
Timings = Annotated[bool, typer.Option("--timings", help="Show how long each stage took; run.json keeps it.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
JsonLines = Annotated[bool, typer.Option("--json", help="Print progress as JSON, one object a line.")]
Debug = Annotated[bool, typer.Option("--debug", envvar="TTPOSE_DEBUG", help="Show tracebacks of unexpected errors.")]
