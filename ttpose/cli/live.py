"""`ttpose live`: skeletons in real time from a camera, a network stream or a file, learning in the background."""

from __future__ import annotations

import time
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ttpose.cli import options, timing
from ttpose.cli.predict import Weights
from ttpose.cli.session import session
from ttpose.core.errors import UsageError

if TYPE_CHECKING:
    from ttpose.live.learner import LearnerState
    from ttpose.live.run import LiveSummary

Camera = Annotated[int | None, typer.Option(min=0, metavar="N", show_default="0", help="Number of the camera.")]
Source = Annotated[
    str | None, typer.Option(metavar="FILE|URL", show_default=False, help="A video file or a stream (rtsp://...).")
]
Save = Annotated[
    Path | None,
    typer.Option(metavar="FILE", show_default=False, help="Person file to write at the end, and by the key s."),
]
KeypointFile = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", show_default=False, help="Keypoint file to write.")
]


def live(
    camera: Camera = None,
    source: Source = None,
    weights: Weights = None,
    base: options.Base = None,
    save: Save = None,
    output: KeypointFile = None,
    display: Annotated[bool, typer.Option("--display/--no-display", help="Show the video in a window.")] = True,
    every_frame: Annotated[
        bool, typer.Option("--every-frame", help="Process every frame of a file, as with --no-display.")
    ] = False,
    seconds: Annotated[
        float | None, typer.Option(min=0, metavar="S", show_default="to the end", help="Stop after this many seconds.")
    ] = None,
    time_range: timing.TimeRange = None,
    subject: options.Subject = None,
    people: options.People = None,
    device: options.Device = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Show the skeleton of one person, or of several, in real time, and adapt to each meanwhile.

    Keys: space pauses learning, s saves a person file, b shows the base in place of the personalized
    weights and back, q ends. Without a window, Ctrl-C ends.
    """
    with session(quiet=quiet, debug=debug) as reporter:
        _check_use(camera, source, save, output, overwrite)
        if save is not None and people not in (None, "1") and not overwrite:
            _check_people(save)
        if time_range is not None and (source is None or "://" in source):
            raise UsageError("--time-range is for video files", "name one with --source")
        from ttpose.cli.machine import choose_device
        from ttpose.live.run import Live, LiveSettings, person_of
        from ttpose.live.streams import open_live
        from ttpose.live.window import Window
        from ttpose.people.weights import load_base, load_weights
        from ttpose.tracking.detector import PersonDetector
        from ttpose.tracking.subject import parse_people

        count = parse_people(people)
        several = count != 1
        chosen = choose_device(device)
        stream = open_live(source if source is not None else camera or 0, beside_window=display, time_range=time_range)
        window = Window() if display else None
        loaded = load_weights(weights, chosen, base=base)
        start = loaded if loaded.person is None else load_base(base, chosen)

        def keep(learned: dict[int, LearnerState]) -> None:
            path = save or Path(time.strftime("person-%Y%m%d-%H%M%S.safetensors"))
            for number, state in learned.items():
                person = person_of(state, start, stream.name)
                if person is None:
                    whom = f" of person {number}" if several else ""
                    reporter.note(f"nothing was learned{whom} so far: there is nothing to save")
                    continue
                file = path.with_stem(f"{path.stem}_{number}") if several else path
                person.save(file)
                reporter.note(f"saved {file}")

        settings = LiveSettings(
            subject=subject or "auto", people=count, every_frame=every_frame or not display, seconds=seconds,
            output=output,
        )  # fmt: skip
        talk = not quiet and window is None
        status = (lambda line: typer.echo(f"  {line}", err=True)) if talk else None
        reporter.start("live", chosen, 1)
        with nullcontext() if window is None else closing(window):
            summary = Live(
                loaded,
                PersonDetector.load(chosen),
                settings,
                window=window,
                save=keep,
                progress=reporter,
                status=status,
            ).run(stream)
        if save is not None:
            keep(summary.everybody)
        if not quiet:
            typer.echo(_text(summary))
        if summary.broken is not None:
            raise summary.broken


def _check_use(camera: int | None, source: str | None, save: Path | None, output: Path | None, overwrite: bool) -> None:
    from ttpose.core.files import check_file

    if camera is not None and source is not None:
        raise UsageError("--camera and --source cannot be used together", "give one of them")
    for path in (save, output):
        if path is not None and path.exists() and not overwrite:
            raise UsageError(f"{path} exists already", "choose another name, or add --overwrite")
        if path is not None:
            check_file(path)


def _check_people(save: Path) -> None:
    """Refuse to replace the files of several people, who are numbered after that name."""
    there = sorted(save.parent.glob(f"{save.stem}_[0-9]*{save.suffix}"))
    if there:
        raise UsageError(f"{there[0]} exists already", "choose another name, or add --overwrite")


def _text(summary: LiveSummary) -> str:
    """The session in one line."""
    learned, speed = summary.everybody.values(), summary.frames / max(summary.seconds, 1e-3)
    steps, checks, again = (sum(getattr(each, name) for each in learned) for name in ("steps", "checks", "restarts"))
    dropped = f", {summary.dropped} dropped" if summary.dropped else ""
    restarts = f", {again} restarts" if again else ""
    who = "the person" if len(learned) == 1 else f"{len(learned)} people"
    return (
        f"{summary.frames} frames ({speed:.1f} a second{dropped}), {who} in {summary.seen}; "
        f"{steps} learning steps, {checks} guard decisions{restarts}"
    )
