"""The result files that --format, --csv, --smooth and their kin ask for: their options, names and writers."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ttpose.core.errors import UsageError

if TYPE_CHECKING:
    from ttpose.results import KeypointResult

FORMATS = ("json", "angles", "coco", "openpose", "csv", "trc")
#: The formats that are written where none is named.
DEFAULT_FORMATS = "json,angles"
#: What each `--csv` table is called.
TABLES = {
    "tidy": "keypoints.csv", "wide": "keypoints.wide.csv", "angles": "angles.csv", "angles-tidy": "angles.tidy.csv",
}  # fmt: skip
#: What the file or folder of the other formats is called; `angles` writes the table of that name, too.
FILES = {"angles": "angles.mot", "coco": "keypoints.coco.json", "openpose": "openpose", "trc": "keypoints.trc"}
#: Files that hold one person.
OF_ONE_PERSON = (FILES["angles"], FILES["trc"])
_PANEL = "Result files"

#: Writes a result to a path and gives notes in plain words about what the file could not hold.
ResultWriter = Callable[["KeypointResult", Path], "list[str] | None"]


class Smoothing(str, Enum):
    """How keypoints are smoothed over time."""

    none = "none"
    one_euro = "one-euro"
    savgol = "savgol"


class OpenPoseSet(str, Enum):
    """The keypoints of OpenPose files."""

    body25 = "body25"
    coco18 = "coco18"


class MarkerNames(str, Enum):
    """How TRC files name their markers."""

    ttpose = "ttpose"
    opensim = "opensim"


def names_of(value: str, known: tuple[str, ...]) -> str:
    """Refuse what is not in `known`, with a suggestion, and name each once (typer shows it as wrong use)."""
    names = list(dict.fromkeys(name.strip() for name in value.split(",")))
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name.lower(), known, n=1)
            meant = f"did you mean {near[0]}? " if near else ""
            raise typer.BadParameter(f"there is no {name!r}; {meant}use {', '.join(known)}, or several with commas")
    return ",".join(names)


def check_formats(value: str) -> str:
    """Refuse what names no format, and name each once."""
    return names_of(value, FORMATS)


def check_tables(value: str | None) -> str | None:
    """Refuse what names no table, and name each once."""
    return None if value is None else names_of(value, tuple(TABLES))


def check_scale(value: float | None) -> float | None:
    """Refuse what is no scale."""
    if value is not None and not (math.isfinite(value) and value > 0):
        raise typer.BadParameter("give the pixels of one metre, more than 0, such as 320")
    return value


def check_height(value: float | None) -> float | None:
    """Refuse what is no person's height."""
    if value is not None and not 0.3 <= value <= 3:
        raise typer.BadParameter("give a person's height in metres, such as 1.75")
    return value


Formats = Annotated[
    str,
    typer.Option(
        "--format",
        metavar="LIST",
        callback=check_formats,
        rich_help_panel=_PANEL,
        help="Some of json, angles, coco, openpose, csv, trc.",
    ),
]
Tables = Annotated[
    str | None,
    typer.Option(
        "--csv",
        metavar="LIST",
        callback=check_tables,
        show_default="tidy",
        rich_help_panel=_PANEL,
        help="CSV tables: tidy, wide, angles, angles-tidy, or several; adds the csv format.",
    ),
]
HeightM = Annotated[
    float | None,
    typer.Option(
        "--height-m",
        metavar="METRES",
        callback=check_height,
        show_default=False,
        rich_help_panel=_PANEL,
        help="The person's height: TRC files are then in metres, and CSV tables have them, too.",
    ),
]
ScalePxPerM = Annotated[
    float | None,
    typer.Option(
        "--scale-px-per-m",
        metavar="N",
        callback=check_scale,
        show_default=False,
        rich_help_panel=_PANEL,
        help="Pixels that a metre is long where the person is, in place of the height.",
    ),
]
Markers = Annotated[
    MarkerNames,
    typer.Option(
        "--markers",
        metavar="NAMES",
        rich_help_panel=_PANEL,
        help="Markers of TRC files: ttpose (as the keypoints) or opensim (LKnee, ...).",
    ),
]
OpenPose = Annotated[
    OpenPoseSet,
    typer.Option(
        "--openpose", metavar="SET", rich_help_panel=_PANEL, help="Keypoints of OpenPose files: body25 or coco18."
    ),
]
Smooth = Annotated[
    Smoothing,
    typer.Option(
        "--smooth",
        metavar="METHOD",
        rich_help_panel=_PANEL,
        help="Add smoothed keypoints beside the raw ones: one-euro or savgol.",
    ),
]
FillGaps = Annotated[
    float,
    typer.Option(
        "--fill-gaps",
        metavar="SECONDS",
        min=0,
        rich_help_panel=_PANEL,
        help="Longest gap in which --smooth fills missing keypoints; they are flagged.",
    ),
]


@dataclass(frozen=True)
class Exports:
    """Which result files to write, and how.

    Attributes:
        formats: Of `FORMATS`.
        tables: Of `TABLES`, for the csv format.
        height_m: The person's height, or None for pixels.
        openpose: Keypoint set of OpenPose files.
        smooth: "none", "one-euro" or "savgol"; None keeps what a result has.
        fill_gaps: Longest gap that is filled, in seconds.
        px_per_m: Instead of the height, pixels a metre.
        markers: "ttpose" or "opensim": names in TRC files.
    """

    formats: tuple[str, ...]
    tables: tuple[str, ...] = ("tidy",)
    height_m: float | None = None
    openpose: str = "body25"
    smooth: str | None = None
    fill_gaps: float = 0.25
    px_per_m: float | None = None
    markers: str = "ttpose"

    @classmethod
    def chosen(
        cls,
        formats: str,
        tables: str | None,
        height_m: float | None,
        openpose: OpenPoseSet,
        smooth: Smoothing | None,
        fill_gaps: float,
        px_per_m: float | None = None,
        markers: MarkerNames = MarkerNames.ttpose,
    ) -> Exports:
        """What the options say; `--csv` alone asks for the csv format too."""
        names = formats.split(",") + (["csv"] if tables and "csv" not in formats.split(",") else [])
        for option, value in (("--height-m", height_m), ("--scale-px-per-m", px_per_m)):
            if value is not None and not {"trc", "csv"} & set(names):
                raise UsageError(f"{option} is for TRC and CSV files", "add trc or csv to the formats")
        if height_m is not None and px_per_m is not None:
            raise UsageError("--height-m and --scale-px-per-m both say how large a pixel is", "leave one of them out")
        if markers is not MarkerNames.ttpose and "trc" not in names:
            raise UsageError("--markers is for TRC files", "add trc to the formats")
        method, chosen = None if smooth is None else smooth.value, tuple((tables or "tidy").split(","))
        return cls(
            tuple(names), chosen, height_m, openpose.value, method, fill_gaps, px_per_m, markers.value
        )  # fmt: skip

    @property
    def settings(self) -> dict[str, Any]:
        """What changes the files, JSON-ready; only what was asked for, so that other runs keep the same settings."""
        smooth = self.smooth if self.smooth != "none" else None
        found = {"smooth": smooth, "fill_gaps": self.fill_gaps if smooth else None, "height_m": self.height_m}
        found |= {"px_per_m": self.px_per_m, "markers": None if self.markers == "ttpose" else self.markers}
        if "openpose" in self.formats:
            found["openpose"] = self.openpose
        return {name: value for name, value in found.items() if value is not None}

    def file_names(self, smoothed: bool | None = None, *, photo: bool = False, people: bool = False) -> tuple[str, ...]:
        """The files that are known beforehand, in the order to write.

        Args:
            smoothed: Whether the result is; by default whether it will be.
            photo: Whether it is about a photo.
            people: Whether each person has files of their own; how many, only the result tells, but number 1 is there.
        """
        smoothed = self._smooths if smoothed is None else smoothed
        return tuple(self.writers(smoothed, photo, [1] if people else ()))

    def prepare(self, result: KeypointResult) -> KeypointResult:
        """The result as it goes into the files: smoothed if that was asked for."""
        from ttpose.results import smooth

        return result if self.smooth is None else smooth(result, self.smooth, max_gap_s=self.fill_gaps)

    def writers(self, smoothed: bool, photo: bool = False, ids: Sequence[int] = ()) -> dict[str, ResultWriter]:
        """For each file name what writes a prepared result to a path.

        Formats that hold one series (OpenPose, TRC, MOT) have a second file for the smoothed keypoints; formats that
        hold one person (TRC, MOT) have files for each of `ids`, where there are any. A photo has no motion file.
        """
        found: dict[str, ResultWriter] = {}
        for name in self.formats:
            files = self._of_format(name)
            if photo and name == "angles":
                files.pop(FILES[name])
            series = {FILES[name]} & {*files} if smoothed and name in ("angles", "openpose", "trc") else ()
            found |= _by_person(files, ids)
            for file in series:
                smooth = _by_person({file: _with_smoothed(files[file])}, ids)
                found |= {_named(each, "_smoothed"): write for each, write in smooth.items()}
        return found

    def product_writers(
        self, result: KeypointResult, note: Callable[[str], None], *, people: bool = False
    ) -> dict[str, Callable[[Path], None]]:
        """For each file name what writes a prepared result to a path; `note` receives what a file could not hold.

        With `people`, and where a result says that it follows several, each person has files of their own.
        """

        def bound(write: ResultWriter) -> Callable[[Path], None]:
            def written(path: Path) -> None:
                for text in write(result, path) or ():
                    note(text)

            return written

        smoothed, photo = self._smooths or result.smoothing is not None, result.source.get("kind") == "image"
        ids = [person.id for person in result.people if person.followed]
        if len(ids) < 2:
            ids = [1] if people else []
        elif self.height_m is not None:
            note(f"--height-m is one person's height: {len(ids)} people were each taken to be {self.height_m:g} m tall")
        return {name: bound(write) for name, write in self.writers(smoothed, photo, ids).items()}

    @property
    def _smooths(self) -> bool:
        return self.smooth not in (None, "none")

    def _of_format(self, name: str) -> dict[str, ResultWriter]:
        from ttpose import results

        keypoints, scale = self.openpose, results.Scale(self.height_m, self.px_per_m)
        tables: dict[str, ResultWriter] = {
            "tidy": partial(results.write_csv, scale=scale), "wide": partial(results.write_wide_csv, scale=scale),
            "angles": results.write_angles_csv, "angles-tidy": results.write_tidy_angles_csv,
        }  # fmt: skip
        markers: dict[str, Any] = {"height_m": self.height_m, "px_per_m": self.px_per_m}
        markers["opensim"] = self.markers == "opensim"
        match name:
            case "json":
                return {"keypoints.json": results.write_json}
            case "angles":
                return {TABLES[name]: results.write_angles_csv, FILES[name]: results.write_mot}
            case "coco":
                return {FILES[name]: results.write_coco}
            case "openpose":
                return {FILES[name]: lambda result, path: results.write_openpose(result, path, keypoints=keypoints)}
            case "trc":
                return {FILES[name]: partial(results.write_trc, **markers)}
            case _:
                return {TABLES[table]: tables[table] for table in self.tables}


def _named(file: str, ending: str) -> str:
    """A file name with an ending before its suffix."""
    stem, dot, suffix = file.partition(".")
    return f"{stem}{ending}{dot}{suffix}"


def _by_person(files: dict[str, ResultWriter], ids: Sequence[int]) -> dict[str, ResultWriter]:
    """The writers with one for each of `ids`, if there are any, in the place of those that write one person only."""
    found: dict[str, ResultWriter] = {}
    for file, write in files.items():
        if ids and file in OF_ONE_PERSON:
            found |= {_named(file, f"_person_{number}"): _of_person(write, number) for number in ids}
        else:
            found[file] = write
    return found


def _of_person(write: ResultWriter, number: int) -> ResultWriter:
    from ttpose.results.together import alone

    return lambda result, path: write(alone(result, number), path)


def _with_smoothed(write: ResultWriter) -> ResultWriter:
    from ttpose.results.smoothing import only_smoothed

    return lambda result, path: write(only_smoothed(result), path)


def jitter_text(result: KeypointResult) -> str | None:
    """What smoothing did to the jitter of a prepared result, in one line; None where it was not smoothed."""
    if result.smoothing is None:
        return None
    shaking = [each for each in result.smoothing["jitter"].values() if _measured(each)]
    if not shaking:
        return None
    change = sum(each["after"] for each in shaking) / sum(each["before"] for each in shaking) - 1
    filled = result.smoothing["filled_keypoints"]
    return f"{result.smoothing['method']}: jitter {100 * change:+.0f} %, {filled} keypoints filled in"


def _measured(each: dict[str, Any]) -> bool:
    values = (each.get("before"), each.get("after"))
    return all(value is not None and math.isfinite(value) for value in values) and values[0] != 0
