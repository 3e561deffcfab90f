"""`ttpose info`: this machine and the shipped models, or what a weights or keypoints file holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ttpose.cli import options
from ttpose.cli.session import session
from ttpose.core.text import json_text
from ttpose.core.version import __version__


def info(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]", show_default=False, help="A weights or keypoints file, or a person's or a base's name."
        ),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Show everything, not only the most useful.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as one JSON object.")] = False,
    debug: options.Debug = False,
) -> None:
    """Show this machine, its devices, versions and the shipped models, or what FILE holds and how fast a base runs."""
    with session(quiet=True, debug=debug):
        from ttpose.cli.contents import describe_file

        if file is None:
            values = describe_this()
        else:
            path = file if file.is_file() else _named(file)
            values = describe_file(path)
            if values.get("kind"):
                from ttpose.cli.speed import measure_speed

                values["speed"] = measure_speed(path)
        if as_json:
            print(json_text(values))
        else:
            print("\n".join(lines(values if full or file is None else brief(values))))


def _named(name: Path) -> Path:
    """The file of a person or a base in the library, or the path as it is."""
    from ttpose.people.library import BaseLibrary, Library

    return Library().find(str(name)) or BaseLibrary().find(str(name)) or name


def describe_this() -> dict[str, Any]:
    """The package, the machine and the shipped models, as JSON-ready values."""
    from ttpose.cli.contents import describe_file
    from ttpose.cli.machine import describe_machine
    from ttpose.models.store import model_folders

    found = {path.name: path for folder in reversed(model_folders()) for path in sorted(folder.glob("*.safetensors"))}
    models = [describe_file(path) for _, path in sorted(found.items())]
    return {"ttpose": __version__, **describe_machine(), "models": models}


def brief(values: dict[str, Any]) -> dict[str, Any]:
    """The most useful of what a file holds, as `ttpose info FILE` shows it without --full."""
    return _brief_weights(values) if values["holds"] == "weights" else _brief_keypoints(values)


def _brief_weights(values: dict[str, Any]) -> dict[str, Any]:
    from ttpose.results.former import current_guard

    notes = values["metadata"]
    settings, guard = notes.get("settings"), notes.get("guard")
    shown = {name: values[name] for name in ("file", "holds", "sha256")}
    shown["megabytes"] = round(values["bytes"] / 1e6, 1)
    shown["parameters"] = sum(values["parameters"].values())
    shown |= {name: notes[name] for name in ("base", "source", "sources", "continues") if name in notes}
    if isinstance(settings, dict):
        shown["preset"] = settings.get("preset")
    if isinstance(guard, dict):
        shown |= {name: current_guard(guard).get(name) for name in ("decision", "reason")}
    return shown


def _brief_keypoints(values: dict[str, Any]) -> dict[str, Any]:
    source, model, smoothing = values["source"], values["model"], values["smoothing"]
    shown = {name: values[name] for name in ("file", "holds")}
    shown["source"] = f"{source.get('path')}, {source.get('width')} x {source.get('height')}"
    shown["model"] = model.get("base") if model.get("person") is None else f"{model['person']} on {model.get('base')}"
    if model.get("guard"):
        shown["decision"] = model["guard"].get("decision")
    shown |= {name: values[name] for name in ("skeleton", "frames", "frames_with_people", "people", "mean_score")}
    if smoothing is not None:
        shown["smoothing"] = smoothing.get("method")
    if values["notes"]:
        shown["frames_with_notes"] = sum(values["notes"].values())
    return shown


def lines(values: dict[str, Any], indent: str = "") -> list[str]:
    """Nested values as indented `name: value` lines."""
    shown = []
    for name, value in values.items():
        label = f"{indent}{name}:"
        if isinstance(value, dict) and value:
            shown += [label, *lines(value, indent + "  ")]
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            shown.append(label)
            for item in value:
                first, *rest = lines(item, indent + "    ")
                shown += [f"{indent}  - {first.lstrip()}", *rest]
        else:
            shown.append(f"{label} {_shown(value)}")
    return shown


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, list):
        return ", ".join(map(_shown, value)) or "-"
    return str(value) if value != {} else "-"
