"""`ttpose personalize`: adapt the model to the person in each video, and write the person file and keypoints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ttpose.cli import exports, options, timing
from ttpose.cli.help_all import HelpAll
from ttpose.cli.personalizing import Personalizing
from ttpose.cli.personalizing_people import PersonalizingPeople, check_alone
from ttpose.cli.session import session
from ttpose.cli.subjects import subjects_of
from ttpose.cli.weights_file import WeightsFile, path_of

Steps = Annotated[
    int | None, typer.Option(min=1, metavar="N", show_default="as the preset says", help="Learning steps.")
]


def personalize(
    inputs: options.Inputs,
    output: options.Output = Path("."),
    mode: Annotated[
        options.Mode, typer.Option(metavar="MODE", help="offline: learn from the whole clip; online: frame by frame.")
    ] = (options.Mode.offline),
    preset: options.PresetOption = None,
    steps: Steps = None,
    base: options.Base = None,
    same_person: options.SamePerson = False,
    person: options.PersonFile = None,
    corrections: options.Corrections = None,
    save_as: options.SaveAs = None,
    subject: options.Subjects = None,
    people: options.People = None,
    ensemble: options.Ensemble = None,
    skeleton: options.SkeletonOption = None,
    fps: timing.Fps = None,
    capture_fps: timing.CaptureFps = None,
    slow_motion: timing.SlowMotion = None,
    time_range: timing.TimeRange = None,
    stream: options.Stream = None,
    device: options.Device = "auto",
    seed: options.Seed = 0,
    overlay: options.Overlay = True,
    side_by_side: Annotated[
        bool, typer.Option("--side-by-side", help="Also draw base and personalized side by side.")
    ] = False,
    draw_min_score: options.DrawMinScore = None,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Write the page report.html.")] = True,
    formats: exports.Formats = exports.DEFAULT_FORMATS,
    tables: exports.Tables = None,
    height_m: exports.HeightM = None,
    scale_px_per_m: exports.ScalePxPerM = None,
    markers: exports.Markers = exports.MarkerNames.ttpose,
    openpose: exports.OpenPose = exports.OpenPoseSet.body25,
    smooth: exports.Smooth = exports.Smoothing.none,
    fill_gaps: exports.FillGaps = 0.25,
    jobs: options.Jobs = 1,
    scheduler: options.Scheduler = None,
    precision: options.Precision = options.PrecisionName.auto,
    overwrite: options.Overwrite = False,
    timings: options.Timings = False,
    quiet: options.Quiet = False,
    json_lines: options.JsonLines = False,
    debug: options.Debug = False,
    help_all: HelpAll = False,
) -> None:
    """Adapt the pose model to the one person in each INPUT, and write that person's keypoints.

    Writes <name>_ttpose/ with keypoints.json, angles.csv, angles.mot, overlay.mp4, report.html and
    person.safetensors (the adapted weights; with --people one each, with --same-person one in DIR).
    """
    with session(quiet=quiet, json_lines=json_lines, debug=debug, timings=timings) as reporter:
        from ttpose.cli.corrections_files import corrections_by_source
        from ttpose.cli.execution import execution_of
        from ttpose.cli.named_person import NamedPerson
        from ttpose.cli.same_person import check_same_person, run_same_person
        from ttpose.jobs.run import run_batch
        from ttpose.media import find_inputs

        wanted = exports.Exports.chosen(
            formats, tables, height_m, openpose, smooth, fill_gaps, scale_px_per_m, markers
        )  # fmt: skip
        times = timing.timing_of(fps, capture_fps, slow_motion, time_range)
        sources = find_inputs(inputs)  # before anything slow is imported
        timing.check_time_range(sources, times, stream)
        where = execution_of(device, jobs, scheduler, overwrite=overwrite, debug=debug)
        chosen = (preset or options.Preset.balanced).value
        options.check_skeleton(skeleton, chosen)
        how: dict[str, Any] = {
            "mode": mode.value,
            "preset": chosen,
            "steps": steps,
            "subject": subjects_of(subject, sources) or "auto",
            "seed": seed,
        }
        how |= times | options.given("stream", stream)
        how |= options.given("ensemble_files", [str(file.absolute()) for file in ensemble] if ensemble else None)
        how |= options.given("skeleton", None if skeleton is None else skeleton.value)
        if corrections:
            how["corrections"] = corrections_by_source(corrections, sources)
        start = WeightsFile.named(base, base=True), WeightsFile.named(person)
        what = how, where.device, overlay, wanted, side_by_side, report, *start, draw_min_score, precision.chosen
        work = Personalizing(*what)
        if people not in (None, "1"):  # one person is what there is without the option
            check_alone(same_person=same_person, person=person, corrections=corrections, save_as=save_as)
            work = PersonalizingPeople(*what, people)
        if same_person:
            check_same_person(mode.value, where.jobs)
        name = NamedPerson.wanted(save_as, sources, output, same_person, overwrite, path_of(start[1]))
        reporter.start("personalize", where.shown, len(sources), where.jobs)
        if same_person:
            code, made = run_same_person(work, sources, output, reporter, where.running)
        else:
            code = run_batch(work, sources, output, reporter, where.running)
            made = code == 0
        if name is not None:
            reporter.note(name.keep(made, base))
        raise typer.Exit(code)
