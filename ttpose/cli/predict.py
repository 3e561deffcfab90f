"""`ttpose predict`: find keypoints with the base model or with a person file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ttpose.cli import exports, options, timing
from ttpose.cli.help_all import HelpAll
from ttpose.cli.session import session
from ttpose.cli.subjects import Subjects, subject_of, subjects_of
from ttpose.cli.weights_file import WeightsFile, fingerprint, path_of

if TYPE_CHECKING:
    from ttpose.core.progress import Progress
    from ttpose.jobs.task import Product
    from ttpose.models.engine import Precision

Weights = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE|NAME",
        show_default=False,
        help="A person file, a name in `ttpose people`, or base weights.",
    ),
]


Preset = Annotated[
    options.InferencePreset | None,
    typer.Option(
        metavar="NAME",
        show_default="videos: fast; photos: balanced",
        help="fast: one view; balanced, thorough: TTA with four views and an ensemble, slower and better.",
    ),
]
# Part of --preset now; scripts that use it work for one more version.
SecondOpinion = Annotated[bool, typer.Option("--second-opinion", hidden=True)]


def predict(
    inputs: options.Inputs,
    weights: Weights = None,
    base: options.Base = None,
    preset: Preset = None,
    output: options.Output = Path("."),
    formats: exports.Formats = exports.DEFAULT_FORMATS,
    tables: exports.Tables = None,
    height_m: exports.HeightM = None,
    scale_px_per_m: exports.ScalePxPerM = None,
    markers: exports.Markers = exports.MarkerNames.ttpose,
    openpose: exports.OpenPose = exports.OpenPoseSet.body25,
    smooth: exports.Smooth = exports.Smoothing.none,
    fill_gaps: exports.FillGaps = 0.25,
    subject: options.Subjects = None,
    people: options.People = None,
    ensemble: options.Ensemble = None,
    skeleton: options.SkeletonOption = None,
    fps: timing.Fps = None,
    capture_fps: timing.CaptureFps = None,
    slow_motion: timing.SlowMotion = None,
    time_range: timing.TimeRange = None,
    stream: options.Stream = None,
    second_opinion: SecondOpinion = False,
    device: options.Device = "auto",
    overlay: options.Overlay = True,
    draw_min_score: options.DrawMinScore = None,
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
    """Find the keypoints of the one person in each video, and of everybody in each photo.

    Writes <name>_ttpose/keypoints.json, angles.csv, angles.mot and overlay.mp4 (overlay.jpg for a
    photo). With --people several people of a video are followed; with --subject only that person of a
    photo is taken.
    """
    with session(quiet=quiet, json_lines=json_lines, debug=debug, timings=timings) as reporter:
        from ttpose.cli.execution import execution_of
        from ttpose.jobs.run import run_batch
        from ttpose.media import find_inputs

        wanted = exports.Exports.chosen(
            formats, tables, height_m, openpose, smooth, fill_gaps, scale_px_per_m, markers
        )  # fmt: skip
        times = timing.timing_of(fps, capture_fps, slow_motion, time_range)
        sources = find_inputs(inputs)  # before anything slow is imported
        timing.check_time_range(sources, times, stream)
        where = execution_of(device, jobs, scheduler, overwrite=overwrite, debug=debug)
        person = WeightsFile.named(weights, absolute=scheduler is not None)  # as results name it
        start = WeightsFile.named(base, base=True)
        if second_opinion:
            preset = preset or options.InferencePreset.balanced
        named = None if preset is None else preset.value
        options.check_skeleton(skeleton, named)
        chosen = None if skeleton is None else skeleton.value
        read = (times, stream, precision.chosen, _paths(ensemble), people, chosen)
        who = subjects_of(subject, sources)
        work = Predicting(person, start, who, where.device, wanted, overlay, draw_min_score, named, *read)
        reporter.start("predict", where.shown, len(sources), where.jobs)
        if second_opinion:
            reporter.note("--second-opinion is part of --preset balanced now, and will be removed in the next version")
        raise typer.Exit(run_batch(work, sources, output, reporter, where.running))


def _paths(files: list[Path] | None) -> tuple[str, ...]:
    """Full paths, which hold in other processes too."""
    return tuple(str(file.absolute()) for file in files or ())


@dataclass(frozen=True)
class Predicting:
    """The work of this command on each input (see `ttpose.jobs.task.Work`).

    Attributes:
        weights: A person or a base; None takes the base.
        base: The base that the person was made on; None takes the shipped one.
        subject: Whom to follow, in all inputs or by input, or None.
        device: To compute on.
        wanted: Result files.
        overlay: Whether an overlay is drawn.
        draw_min_score: Of keypoints in it; None takes the usual one.
        preset: Of the inference; None takes each input kind's own.
        timing: Rate, slow motion and part of the videos, as `api.predict` takes them.
        stream: Which of their tracks; None takes the main one.
        precision: Of the networks; None for "auto".
        ensemble_files: ONNX files that predict as well.
        people: How many people, or "all"; None takes each input kind's own number.
        skeleton: Keypoint set of the results; None takes the preset's.
    """

    weights: WeightsFile | None
    base: WeightsFile | None
    subject: Subjects
    device: str
    wanted: exports.Exports
    overlay: bool
    draw_min_score: float | None = None
    preset: str | None = None
    timing: dict[str, Any] = field(default_factory=dict)
    stream: int | None = None
    precision: Precision | None = None
    ensemble_files: tuple[str, ...] = ()
    people: str | None = None
    skeleton: str | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """What changes the results."""
        weights = None if self.weights is None else self.weights.sha256
        how = {"command": "predict", "weights_sha256": weights, "subject": self.subject}
        drawn = options.given("draw_min_score", self.draw_min_score)
        asked = options.given("preset", self.preset) | self._reading | options.given("precision", self.precision)
        asked |= options.given("ensemble_files", list(self.ensemble_files) or None)
        asked |= options.given("skeleton", self.skeleton)
        return {**how, **fingerprint("base", self.base), **drawn, **asked, **self.wanted.settings}

    @property
    def _reading(self) -> dict[str, Any]:
        return self.timing | options.given("stream", self.stream) | options.given("people", self.people)

    def file_names(self, source: Path) -> tuple[str, ...]:
        """Keypoints, and the overlay."""
        from ttpose.jobs.task import overlay_name, shows_photo

        names = self.wanted.file_names(photo=shows_photo(source), people=self.people is not None)
        return (*names, *((overlay_name(source),) if self.overlay else ()))

    def make(self, source: Path, progress: Progress) -> Product:
        """Keypoints of one input."""
        from ttpose import api
        from ttpose.jobs.task import Product, overlay_name
        from ttpose.models.engine import use_precision

        use_precision(self.precision or "auto")
        who = subject_of(self.subject, source)
        how: dict[str, Any] = {"weights": path_of(self.weights), "base": path_of(self.base), "subject": who}
        how |= options.given("preset", self.preset) | self._reading
        how |= options.given("ensemble_files", self.ensemble_files or None)
        how |= options.given("skeleton", self.skeleton)
        result = api.predict(source, **how, device=self.device, progress=progress)

        def write_overlay(path: Path) -> None:
            with progress.stage("draw the overlay"):
                api.write_overlay(source, result, path, **options.given("min_score", self.draw_min_score))

        prepared = self.wanted.prepare(result)
        writers = self.wanted.product_writers(prepared, progress.note, people=self.people is not None)
        seen = sum(bool(frame.people) for frame in result.frames)
        people = len({person.id for frame in result.frames for person in frame.people})
        details = {"frames": len(result.frames), "frames_with_people": seen, "people": people}
        details |= {"people_seen": len(result.people)} if result.people else {}
        text = f"{people} {'person' if people == 1 else 'people'} in {seen} of {len(result.frames)} frames"
        text = "; ".join(filter(None, (text, exports.jitter_text(prepared))))
        more = tuple(name for name in writers if name not in self.file_names(source))
        return Product({**writers, overlay_name(source): write_overlay}, text, details, more=more)
