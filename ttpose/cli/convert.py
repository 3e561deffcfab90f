"""`ttpose convert`: a keypoint file becomes the files of other tools."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from ttpose.cli import exports, options
from ttpose.cli.session import session
from ttpose.core.errors import InputError, UsageError


def convert(
    keypoints: Annotated[
        Path, typer.Argument(metavar="KEYPOINTS", show_default=False, help="A keypoint file, or its result folder.")
    ],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="LIST",
            callback=exports.check_formats,
            show_default=False,
            help="angles, coco, openpose, csv, trc, json, or several with commas.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="DIR", file_okay=False, show_default="beside the file", help="Where to write."
        ),
    ] = None,
    tables: exports.Tables = None,
    height_m: exports.HeightM = None,
    scale_px_per_m: exports.ScalePxPerM = None,
    markers: exports.Markers = exports.MarkerNames.ttpose,
    openpose: exports.OpenPose = exports.OpenPoseSet.body25,
    smooth: Annotated[
        exports.Smoothing | None,
        typer.Option(
            "--smooth",
            show_default="as the file has it",
            rich_help_panel="Result files",
            help="Add smoothed keypoints beside the raw ones, or (none) take them away.",
        ),
    ] = None,
    fill_gaps: exports.FillGaps = 0.25,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
    quiet: options.Quiet = False,
    json_lines: options.JsonLines = False,
    debug: options.Debug = False,
) -> None:
    """Write the keypoints of `ttpose predict` or `personalize` in other formats; no video or model is needed."""
    with session(quiet=quiet, json_lines=json_lines, debug=debug) as reporter:
        from ttpose.core.files import check_folder
        from ttpose.jobs.outcome import Outcome
        from ttpose.results import read_json, untimed

        begin = time.monotonic()
        wanted = exports.Exports.chosen(
            to, tables, height_m, openpose, smooth, fill_gaps, scale_px_per_m, markers
        )  # fmt: skip
        keypoints = _keypoint_file(keypoints)
        reporter.start("convert", "cpu", 1)
        reporter.begin(keypoints, 1, 1)
        folder = keypoints.parent if output is None else output
        check_folder(folder)
        found = read_json(keypoints)
        result = wanted.prepare(found)
        if result.smoothing is not None and (note := untimed(found)) is not None:
            reporter.note(note)
        writers = wanted.product_writers(result, reporter.note)
        _refuse_existing([folder / name for name in writers], overwrite)
        for name, write in writers.items():
            write(folder / name)
        text = "; ".join(filter(None, (", ".join(writers), exports.jitter_text(result))))
        outcome = Outcome(keypoints, "done", folder, tuple(writers), time.monotonic() - begin, text)
        reporter.end(outcome)
        reporter.summary([outcome], outcome.seconds, 0)


def _keypoint_file(place: Path) -> Path:
    """The keypoint file of a result folder; any other path as it is."""
    if not place.is_dir():
        return place
    file = place / "keypoints.json"
    if not file.is_file():
        raise InputError(f"{place} holds no keypoints.json", "`ttpose predict` writes it with --format json")
    return file


def _refuse_existing(targets: list[Path], overwrite: bool) -> None:
    there = [str(path) for path in targets if path.exists()]
    if there and not overwrite:
        raise UsageError(f"already there: {', '.join(there)}", "choose another folder with -o, or add --overwrite")
