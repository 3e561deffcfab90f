"""The page: everything put into one HTML file that needs nothing else."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np

from ttpose.core.files import sha256_of, write_text
from ttpose.core.progress import Progress
from ttpose.core.version import __version__
from ttpose.media import Reading, Source, open_source
from ttpose.media.images import encode_jpeg
from ttpose.media.inputs import RESULT_ENDING
from ttpose.metrics.jitter import jitter
from ttpose.report import words
from ttpose.report.affinity import change_map, weights_map
from ttpose.report.angles import AngleSummary
from ttpose.report.corrections import corrections_values
from ttpose.report.curves import film_values, plot_values, poses, skeleton_values
from ttpose.report.effect import Effect
from ttpose.report.filmstrip import FilmLimits, film, jpeg_uri
from ttpose.report.inside import Pair, inspect_models
from ttpose.report.motion import Motion, median, motion_of
from ttpose.report.quality_flags import find_flags
from ttpose.results.angles import BodyAngles, body_angles
from ttpose.results.repetitions import Repetitions, find_repetitions
from ttpose.results.seen import seen_words
from ttpose.results.series import frame_times, subject_keypoints, torso_length

if TYPE_CHECKING:
    from ttpose.adaptation.session import Personalization

#: What the player shows of each frame, from the network's own word to the result.
STAGES = ("base", "refined", "personalized")
_SCRIPTS = ("uplot.min.js", "skeleton.js", "player.js", "plots.js", "corrections.js", "page.js")
_STYLES = ("uplot.min.css", "report.css")
# Results beside the page that a reader may want to open.
_LINKS = ("overlay.mp4", "overlay.jpg", "side_by_side.mp4", "side_by_side.jpg", "angles.csv", "angles.mot")
_QUALITY = 85  # of the few pictures that show detail


@dataclass(frozen=True)
class Selector:
    """Where the pages about the other people of a clip are.

    Attributes:
        number: The person of this page.
        pages: By number the file of each person's page, beside this one.
        person: Name of this person's file, or None where nothing was learned.
    """

    number: int
    pages: Mapping[int, str]
    person: str | None


def write_report(
    source: Path | str,
    made: Personalization,
    path: Path | str,
    progress: Progress | None = None,
    *,
    selector: Selector | None = None,
) -> None:
    """Write one self-contained HTML page about a personalization, whole or not at all.

    Files named person.safetensors and keypoints.json beside `path` are listed with their SHA-256.

    Args:
        source: The clip or photo that `made` was made from.
        made: What `personalize` gave.
        path: The page, .html.
        progress: Receives the stage "write the report".
        selector: For choosing among several people's pages; None for a person alone.

    Raises:
        InputError: The source cannot be read.
        OutputError: The page cannot be written.
    """
    path, media = Path(path), open_source(source, Reading.of(made.keypoints.source))
    write_text(path, render(media, made, path.parent, progress or Progress(), selector))


def render(
    source: Source, made: Personalization, folder: Path, progress: Progress, selector: Selector | None = None
) -> str:
    """The page's text; `folder` is where the other results lie."""
    result, limits = made.keypoints, FilmLimits()
    with progress.stage("write the report", min(len(result.frames), limits.frames)) as advance:
        strip = film(source, len(result.frames), limits, advance)
    tracks = _follow(made)
    values: dict[str, Any] = {
        "film": film_values(strip, result, tracks.times),
        "skeleton": skeleton_values(result.skeleton),
        "tracks": [poses(points, strip, source.info.width) for points in tracks.keypoints],
        "plots": plot_values(
            tracks.times, result.skeleton, tracks.keypoints, tracks.motions, tracks.angles, tracks.repeated
        ),
        "losses": [step.get("total") for step in made.history],
    }
    context = _story(source, made, tracks) | _inside(made) | _tables(source, made, folder, selector)
    context |= {"selector": selector, "seen": None if selector else seen_words(made.keypoints.people)}
    values["corrections"] = corrections_values(
        source.info, context["sha256"], result.skeleton, tracks.keypoints[2], context["flags"]
    )
    context["group"] = values["plots"]["group"]
    return _template().render(context, values=values, styles=_assets(_STYLES), scripts=_scripts())


@dataclass(frozen=True)
class _Tracks:
    """What is compared over time.

    Attributes:
        times: [N] seconds.
        keypoints: [N, K, 3] base, refined and personalized, and smoothed where the result has that.
        motions: Of each of them.
        angles: Of each of them.
        repeated: The repetitions of a movement in the last of them, or None.
        jitters: Of each of them, over the whole clip.
        torso: Pixels.
    """

    times: np.ndarray
    keypoints: tuple[np.ndarray, ...]
    motions: tuple[Motion, ...]
    angles: tuple[BodyAngles, ...]
    repeated: Repetitions | None
    jitters: tuple[float | None, ...]
    torso: float


def _follow(made: Personalization) -> _Tracks:
    result, times = made.keypoints, frame_times(made.keypoints)
    stages = (made.base_keypoints, made.refined_keypoints, result)
    keypoints = [subject_keypoints(stage, skeleton=result.skeleton) for stage in stages]
    if result.smoothing is not None:
        keypoints.append(subject_keypoints(result, smoothed=True))
    # The same lengths for all, so that their figures can be compared.
    torso, boxes = torso_length(result, keypoints[2]), [f.people[0].box for f in result.frames if f.people]
    side = float(np.median([box.side for box in boxes] or [1.0]))
    # The base knows no feet; figures that are compared are those of the keypoints that all have.
    known = [name in made.base_keypoints.skeleton.keypoints for name in result.skeleton.keypoints]
    motions = tuple(motion_of(points[:, known], times, torso, side) for points in keypoints)
    jitters = tuple(median(np.array([jitter(points[:, known], boxes)])) for points in keypoints)
    angles = tuple(body_angles(points, result.skeleton, times) for points in keypoints)
    return _Tracks(
        times, tuple(keypoints), motions, angles, find_repetitions(angles[-1], times), jitters, torso
    )  # fmt: skip


def _story(source: Source, made: Personalization, tracks: _Tracks) -> dict[str, Any]:
    """Title, decision, figures and quality flags."""
    info, frames = source.info, made.keypoints.frames
    effect = Effect.of(made)
    headline, meaning = words.decision_words(made.guard, effect)
    base, _, personalized = tracks.keypoints[:3]
    flags = find_flags(made.keypoints, personalized, base, tracks.times, tracks.torso, tracks.angles[2])
    return {
        "name": info.path.name,
        "kind": info.kind,
        "size": f"{info.width} × {info.height}",
        "frames": len(frames),
        "frames_with_person": sum(any(not person.filled for person in frame.people) for frame in frames),
        "seconds": info.duration_s,
        "version": __version__,
        "guard": {
            "decision": made.guard.decision,
            "headline": headline,
            "meaning": meaning,
            "line": _sentence(words.guard_words(made.guard, effect.continued)),
            "reason": made.guard.reason,
        },
        "stages_shown": STAGES,
        "candidates": [(kind, words.CANDIDATES[kind]) for kind in made.guard.checks],
        "metrics": words.metric_rows(made.guard),
        "figures": {
            name: [median(getattr(motion, name)) for motion in tracks.motions] for name in ("confidence", "speed")
        }
        | {"jitter": tracks.jitters},
        "angles": AngleSummary.of(tracks.angles[-1], tracks.times, tracks.repeated),
        "smoothing": made.keypoints.smoothing,
        "flags": flags,
        "flagged": len(set().union(*(group.frames for group in flags))),
        "warnings": source.warnings,
    }


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _inside(made: Personalization) -> dict[str, Any]:
    """Pictures of what the model does inside."""
    if made.samples is None or not made.samples.crops:
        return {"pairs": ()}
    seen = inspect_models(made.samples)
    context: dict[str, Any] = {"pairs": [_pictures(pair) for pair in seen.pairs], "map_names": seen.map_names}
    if seen.base is not None and seen.personalized is not None:
        rows = made.base_keypoints.skeleton.keypoints
        change, sentence = change_map(seen.base, seen.personalized, rows, seen.map_names)
        context |= {"affinity": weights_map(seen.personalized, rows, seen.map_names), "affinity_change": change}
        context["affinity_sentence"] = sentence
    return context


def _pictures(pair: Pair) -> dict[str, Any]:
    def uri(image: np.ndarray | None) -> str | None:
        return None if image is None else jpeg_uri(encode_jpeg(image, _QUALITY))

    return {
        "source_index": pair.source_index,
        "target_index": pair.target_index,
        "side": pair.target.shape[0],
        "source": uri(pair.source),
        "target": uri(pair.target),
        "points": [model.points.tolist() for model in (pair.base, pair.personalized)],
        "reconstructions": [uri(model.reconstruction) for model in (pair.base, pair.personalized)],
    }


def _tables(source: Source, made: Personalization, folder: Path, selector: Selector | None) -> dict[str, Any]:
    """Settings, files and timings."""
    person = "person.safetensors" if selector is None else selector.person
    more_links = [] if selector is None else [f"angles_person_{selector.number}.mot"]
    model = made.keypoints.model
    digest = sha256_of(source.info.path)
    files = [("Input", source.info.path.name, digest)]
    files.append(("Base weights", f"{model['base']}.safetensors", str(model["base_sha256"])))
    for label, name in (("Person file", person), ("Keypoints", "keypoints.json")):
        if name is not None and (folder / name).is_file():
            files.append((label, name, sha256_of(folder / name)))
    stages = words.stage_rows(made.timings)
    return {
        "links": [name for name in (*_LINKS, *more_links) if (folder / name).is_file()],
        "settings": words.setting_rows(made.person.notes),
        "files": files,
        "sha256": digest,
        "correct": f"ttpose correct {shlex.quote(_result_folder(source, folder))}",
        "stages": stages,
        "total_s": sum(seconds for _, seconds in stages),
        "steps": len(made.history),
    }


def _result_folder(source: Source, folder: Path) -> str:
    """The name of the folder that the page is for, as results are put; a page may lie elsewhere, too."""
    name = folder.resolve().name
    return name if name.endswith(RESULT_ENDING) else source.info.path.stem + RESULT_ENDING


@cache
def _template() -> jinja2.Template:
    # Everything is escaped unless the template says otherwise, and a misspelt name is an error.
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    return environment.from_string(_asset("report.html"))


def _scripts() -> str:
    """The page's own scripts after uPlot, whose licence asks to go where it goes."""
    return f"/*! {_asset('uplot.LICENSE')}*/\n{_assets(_SCRIPTS)}"


def _assets(names: tuple[str, ...]) -> str:
    return "\n".join(_asset(name) for name in names)


def _asset(name: str) -> str:
    return (resources.files("ttpose.report") / "static" / name).read_text(encoding="utf-8")
