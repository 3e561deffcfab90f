"""`ttpose evaluate`: how often joints are right on a labelled dataset, before and after personalization."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ttpose.cli import method_options, options
from ttpose.cli.help_all import HelpAll
from ttpose.cli.predict import Weights
from ttpose.cli.session import session
from ttpose.core.errors import UsageError
from ttpose.core.files import check_file, check_folder

if TYPE_CHECKING:
    from ttpose.adaptation.settings import PersonalizeSettings
    from ttpose.cli.reporting import Reporter
    from ttpose.evaluation.protocol_report import ProtocolReport
    from ttpose.evaluation.report import EvaluationReport

#: Files in the output folder.
REPORT, TABLE, PICTURE, JOURNAL = "evaluation.json", "evaluation.csv", "gains.png", "videos.jsonl"
_COLUMNS = ("before", "online", "offline")


class Pick(str, Enum):
    """Frames that are taken as corrected."""

    even = "even"
    suggested = "suggested"


def evaluate(
    data: Annotated[
        str | None,
        typer.Option(
            metavar="KIND:PLACE",
            show_default=False,
            help="penn:DIR, bbc:DIR, h36m:DIR, coco:FILE.json[:IMAGES] or clips:DIR, by the paper's protocol.",
        ),
    ] = None,
    clips: Annotated[
        Path | None,
        typer.Option(metavar="DIR", exists=True, file_okay=False, show_default=False, help="Folder of labelled clips."),
    ] = None,
    split: Annotated[str, typer.Option(metavar="NAME", help="Split of --data: test or train.")] = "test",
    weights: Weights = None,
    base: options.Base = None,
    mode: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            show_default="before,online,offline; --clips --personalize: offline",
            help="Columns of the table, with commas: before, online, offline.",
        ),
    ] = None,
    personalize: Annotated[bool, typer.Option("--personalize", help="With --clips: personalize on each clip.")] = False,
    corrections: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            show_default=False,
            help="With --personalize: take labels of N frames a clip as corrections, and score the others only.",
        ),
    ] = None,
    pick: Annotated[
        Pick, typer.Option(help="Which frames --corrections takes: evenly spaced, or as `ttpose correct` suggests.")
    ] = Pick.even,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            file_okay=False,
            show_default=False,
            help="Write all figures there; an interrupted run with --data continues from there.",
        ),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", dir_okay=False, help="Also write all figures to a file.")
    ] = None,
    preset: options.OwnPreset = None,
    steps: Annotated[
        int | None, typer.Option(min=1, metavar="N", show_default="as the method says", help="Learning steps, offline.")
    ] = None,
    method: method_options.Method = "ours",
    learn: method_options.Learn = None,
    rate: method_options.Rate = None,
    min_score: method_options.MinScore = None,
    perceptual: method_options.Perceptual = None,
    frame_steps: method_options.FrameSteps = 1,
    reset_per_frame: method_options.ResetPerFrame = False,
    device: options.Device = "auto",
    seed: options.Seed = 0,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
    help_all: HelpAll = False,
) -> None:
    """Measure the share of correct joints (PCK) on labelled videos: base, refined, personalized.

    --data takes any dataset, with its own rule for a correct joint; --clips gives PCK@0.05, 0.1 and 0.2
    per clip.
    """
    with session(quiet=quiet, debug=debug) as reporter:
        if (data is None) == (clips is None):
            raise UsageError("give --data KIND:PLACE or --clips DIR")
        if corrections is not None and not (clips is not None and personalize):
            raise UsageError("--corrections goes with --clips and --personalize")
        if output is not None:
            check_folder(output)
        if json_file is not None:
            check_file(json_file)
        columns = _columns(mode, "before,online,offline" if data else "offline" if personalize else "before")
        from ttpose.adaptation.methods import method_named
        from ttpose.cli.machine import choose_device
        from ttpose.cli.terminal import console

        settings = method_named(
            method,
            preset=None if preset is None else preset.value,
            steps=steps,
            seed=seed,
            learn=None if learn is None else method_options.words(learn, "--learn"),
            rate=rate,
            min_score=min_score,
            perceptual=perceptual,
            frame_steps=frame_steps,
            reset_per_frame=reset_per_frame,
        )
        chosen = choose_device(device)
        reporter.start("evaluate", chosen, 1)
        reporter.begin(Path(data or str(clips)), 1, 1)
        how: dict[str, Any] = {"weights": weights, "base": base, "seed": seed, "device": chosen, "progress": reporter}
        report: ProtocolReport | EvaluationReport
        if clips is not None:
            how |= {"corrections": corrections or 0, "pick": pick.value}
            report = _of_clips(clips, columns, settings, how)
        else:
            from ttpose.evaluation.protocol import evaluate_dataset

            how |= {"modes": [column for column in columns if column != "before"], "split": split}
            how["journal"] = None if output is None else output / JOURNAL
            report = evaluate_dataset(str(data), settings=settings, **how)
        _write(report, output, json_file, reporter)
        reporter.close()
        if not quiet:
            from ttpose.cli.evaluation_tables import tables

            for table in tables(report):
                console().print(table)


def _columns(text: str | None, default: str) -> list[str]:
    columns = method_options.words(default if text is None else text, "--mode")
    unknown = [column for column in columns if column not in _COLUMNS]
    if unknown or len(set(columns)) < len(columns):
        raise UsageError(f"--mode {text} is no list of columns", f"use some of {','.join(_COLUMNS)}, each once")
    return columns


def _of_clips(folder: Path, columns: list[str], settings: PersonalizeSettings, how: dict[str, Any]) -> EvaluationReport:
    from dataclasses import replace

    from ttpose import api

    modes: list[Any] = [column for column in columns if column != "before"]
    if len(modes) > 1:
        raise UsageError("--clips compares with one mode", f"use --data clips:{folder} for several")
    chosen = replace(settings, mode=modes[0]) if modes else None
    report: EvaluationReport = api.evaluate_clips(folder, personalize=bool(modes), settings=chosen, **how)
    return report


def _write(
    report: ProtocolReport | EvaluationReport, output: Path | None, json_file: Path | None, reporter: Reporter
) -> None:
    if json_file is not None:
        report.write_json(json_file)
    if output is None:
        return
    from ttpose.evaluation.histogram import write_histogram

    report.write_json(output / REPORT)
    report.write_csv(output / TABLE)
    gains = report.all_gains()
    if gains:
        try:
            write_histogram(gains, output / PICTURE, measure=report.measure)
        except UsageError as error:  # a missing picture is no failure after hours of work
            reporter.note(f"no {PICTURE}: {error}")
