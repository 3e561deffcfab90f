"""`ttpose correct`: fix joints of a few frames, on a page or by options, and learn from them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from ttpose.cli import options
from ttpose.cli.session import session
from ttpose.core.errors import InputError, UsageError

if TYPE_CHECKING:
    from ttpose.corrections.store import CorrectionsFile
    from ttpose.media import Source
    from ttpose.results import KeypointResult

_WITHOUT_PAGE = "Without the page"
_KEYPOINTS = "keypoints.json"


class CorrectCommand(TyperCommand):
    """The command, whose option --swap takes two words each time (Typer has no lists of pairs)."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As any command does, with the two words as one."""
        return super().parse_args(ctx, _paired(args))


def _paired(args: list[str]) -> list[str]:
    words, paired = list(args), []
    while words:
        paired.append(words.pop(0))
        if paired[-1] == "--swap" and len(words) > 1 and " " not in words[0]:
            paired.append(f"{words.pop(0)} {words.pop(0)}")
    return paired


def correct(
    results: Annotated[
        Path,
        typer.Argument(
            metavar="CLIP_ttpose", show_default=False, help="A result folder of `ttpose personalize` or `predict`."
        ),
    ],
    clip: Annotated[
        Path | None,
        typer.Option(metavar="FILE", show_default="as run.json says", help="The clip, if it was moved or renamed."),
    ] = None,
    swap: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PART FRAMES",
            show_default=False,
            rich_help_panel=_WITHOUT_PAGE,
            help="Swap left and right of legs, arms, head or all in frames such as 162-163 or 40,44-48; repeatable.",
        ),
    ] = None,
    clear: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FRAMES",
            show_default=False,
            rich_help_panel=_WITHOUT_PAGE,
            help="Take the corrections of these frames back; repeatable.",
        ),
    ] = None,
    take: Annotated[
        list[Path] | None,
        typer.Option(
            "--import",
            metavar="FILE.json",
            exists=True,
            dir_okay=False,
            show_default=False,
            rich_help_panel=_WITHOUT_PAGE,
            help="Add corrections from a corrections file or a COCO keypoint file of an annotation tool; repeatable.",
        ),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="N", show_default="a free one", help="Port of the page.")
    ] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
    device: options.Device = "auto",
    debug: options.Debug = False,
) -> None:
    """Correct joints in a few frames of CLIP_ttpose on a page in the browser, and learn from them.

    The page is served to this machine only. Every change is saved in CLIP_ttpose/corrections.json, for
    `ttpose personalize --corrections`. With --swap, --clear or --import there is no page.
    """
    with session(quiet=True, debug=debug):
        from ttpose.corrections.store import CORRECTIONS, CorrectionsFile
        from ttpose.media import Reading, open_source
        from ttpose.results import read_json

        folder = _folder(results)
        result = read_json(folder / _KEYPOINTS)
        if sum(person.followed for person in result.people) > 1:
            raise UsageError(
                f"{folder} holds several people, and corrections are about one",
                "personalize that one with --subject and without --people, into another folder (-o)",
            )
        source = open_source(_clip(clip, folder, result), Reading.of(result.source))
        _check_same(source, result)
        file = CorrectionsFile(folder / CORRECTIONS, result.skeleton, source.info)
        if swap or clear or take:
            _edit(file, result, swap or [], clear or [], take or [])
        else:
            _serve(source, result, file, folder, port, browser, device)


def _folder(named: Path) -> Path:
    """The result folder; a clip's name means the folder of its results beside this or beside the clip."""
    from ttpose.media.inputs import RESULT_ENDING

    if named.is_file() and named.name == _KEYPOINTS:
        return named.absolute().parent
    if named.is_file():
        places = (Path(named.stem + RESULT_ENDING), named.with_name(named.stem + RESULT_ENDING))
        found = next((place for place in places if (place / _KEYPOINTS).is_file()), None)
        if found is None:
            raise UsageError(f"{named} has no results yet", f"run `ttpose personalize {named}` first")
        return found
    if not (named / _KEYPOINTS).is_file():
        raise UsageError(
            f"{named} is not a result folder" if named.exists() else f"no such folder: {named}",
            "name a folder CLIP_ttpose with a keypoints.json, as `ttpose personalize` writes it",
        )
    return named


def _clip(given: Path | None, folder: Path, result: KeypointResult) -> Path:
    from ttpose.jobs.folders import ResultFolder

    if given is not None:
        return given
    told = Path(str(result.source.get("path", "")))
    owner = ResultFolder(folder, told).owner
    places = [*([Path(owner)] if owner else []), told, folder.parent / told.name, folder / told.name]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise InputError(f"the clip {places[0]} is not there any more", "say where it is with --clip FILE")
    return found


def _check_same(source: Source, result: KeypointResult) -> None:
    info, told = source.info, result.source
    if (info.width, info.height) != (told.get("width"), told.get("height")):
        raise InputError(
            f"{info.path} has {info.width} × {info.height} pixels, the results are of a clip with"
            f" {told.get('width')} × {told.get('height')}",
            "name the right clip with --clip FILE",
        )
    if info.frames is not None and info.frames != len(result.frames):
        raise InputError(
            f"{info.path} has {info.frames} frames, the results have {len(result.frames)}",
            "name the right clip with --clip FILE",
        )


def _edit(
    file: CorrectionsFile, result: KeypointResult, swaps: list[str], clears: list[str], taken: list[Path]
) -> None:
    """Take over, clear and swap, in this order, and say what came of it."""
    from ttpose.corrections.spans import frames_named
    from ttpose.results.series import subject_keypoints

    wanted = [_swap(text) for text in swaps]
    gone = [(frames_named(frames), frames) for frames in clears]
    for path in taken:
        print(f"{path}: {_frames(file.take(path))} taken over")
    for numbers, text in gone:
        print(f"{_frames(file.clear(numbers))} of {text} cleared")
    keypoints = subject_keypoints(result)
    for word, parts, text, numbers in wanted:
        before = file.swap(numbers, parts, keypoints)
        again = f"; {_frames(len(before))} had that before" if before else ""
        print(f"left and right swapped ({word}) in {_frames(len(numbers) - len(before))} of {text}{again}")
    print(f"{file.path}: corrections of {_frames(len(file.corrections))}")


def _swap(text: str) -> tuple[str, tuple[str, ...], str, list[int]]:
    """`legs 2-3` as the word and what it means, and the frames and what they mean; raises UsageError."""
    from ttpose.corrections.spans import frames_named, parts_named

    part, _, frames = text.strip().partition(" ")
    if not frames:
        raise UsageError(f"--swap {text} says no frames", "use it such as --swap legs 162-163")
    return part, parts_named(part), frames, frames_named(frames)


def _frames(count: int) -> str:
    return f"{count} frame{'' if count == 1 else 's'}"


def _chosen_skeleton(result: KeypointResult) -> str | None:
    """The name of the result's keypoint set where results can have several, so that learning keeps it."""
    from ttpose.inference.settings import SKELETONS

    return result.skeleton.name if result.skeleton.name in SKELETONS else None


def _serve(
    source: Source, result: KeypointResult, file: CorrectionsFile, folder: Path, port: int, browser: bool, device: str
) -> None:
    """Show the page until its button, Ctrl-C or a polite kill ends it."""
    import webbrowser

    from ttpose.cli.correct_learning import learner_for
    from ttpose.corrections.page import CorrectPage
    from ttpose.corrections.server import serving

    learner, why_not = learner_for(source.info.path, folder, device, _chosen_skeleton(result))
    page, code = CorrectPage(source, result, file, learner, why_not), 0
    with serving(page, port) as server:
        print(f"{source.info.path.name}: correct it at {server.address}", flush=True)
        print("  for this machine only; the page's button or Ctrl-C ends it, every change is saved", flush=True)
        if browser:
            webbrowser.open(server.address)
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            print()
        except SystemExit as asked:  # a polite kill
            code = int(asked.code or 0)
    print(f"{file.path}: corrections of {_frames(len(file.corrections))}", flush=True)
    if page.busy:
        # Learning has not reached a step at which it stops; at the interpreter's end, threads of torch's would abort.
        os._exit(code)
    raise typer.Exit(code)
