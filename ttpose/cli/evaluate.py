"""`ttpose evaluate`: how often joints are right on labelled clips, before and after personalization."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ttpose.cli import options
from ttpose.cli.session import session

if TYPE_CHECKING:
    from rich.table import Table

MEASURES = ("pck@0.1", "pck@0.2")


def evaluate(
    clips: Annotated[Path, typer.Option(metavar="DIR", exists=True, file_okay=False, help="Folder of labelled clips.")],
    personalize: Annotated[bool, typer.Option("--personalize", help="Also personalize on each clip.")] = False,
    preset: options.PresetOption = options.Preset.balanced,
    device: options.Device = "auto",
    seed: options.Seed = 0,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", dir_okay=False, help="Also write all figures to a file.")
    ] = None,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Measure PCK@0.1 and PCK@0.2 (share of joints within 0.1 or 0.2 torso lengths) per clip and per joint."""
    with session(quiet=quiet, debug=debug) as reporter:
        from ttpose import api
        from ttpose.cli.machine import choose_device
        from ttpose.cli.terminal import console
        from ttpose.files import write_text
        from ttpose.results.records import plain

        chosen = choose_device(device)
        reporter.start("evaluate", chosen, 1)
        reporter.begin(clips, 1, 1)
        report = api.evaluate_clips(
            clips, personalize=personalize, preset=preset.value, device=chosen, seed=seed, progress=reporter
        ).to_dict()
        reporter.close()
        if json_file is not None:
            write_text(json_file, json.dumps(plain(report), indent=1, allow_nan=False) + "\n")
        if not quiet:
            for table in tables(report):
                console().print(table)


def tables(report: dict[str, Any]) -> list[Table]:
    """A table of clips, persons and the mean, and a table of joints, from `EvaluationReport.to_dict()`."""
    rows: list[tuple[tuple[str, ...], dict[str, Any]]] = [
        ((clip["clip"], clip["person"] or "", str(clip["frames"])), clip) for clip in report["clips"]
    ]
    rows += [(("mean of person", person["person"], ""), person) for person in report["persons"]]
    rows.append((("mean", "", ""), report["mean"]))
    joints: list[tuple[tuple[str, ...], dict[str, Any]]] = [((row["joint"],), row) for row in report["joints"]]
    return [
        _table("PCK in % per clip", ("clip", "person", "frames"), rows, guard=True),
        _table("PCK in % per joint", ("joint",), joints, guard=False),
    ]


def _table(
    title: str, heads: tuple[str, ...], rows: list[tuple[tuple[str, ...], dict[str, Any]]], *, guard: bool
) -> Table:
    from rich.table import Table
    from rich.text import Text

    after = any(row.get("after") for _, row in rows)
    table = Table(title=title, title_justify="left")
    for head in heads:
        table.add_column(head, justify="right" if head == "frames" else "left")
    for measure in MEASURES:
        for head in (measure, "after", "gain") if after else (measure,):
            table.add_column(head.replace("pck", "PCK"), justify="right")
    if after and guard:
        table.add_column("used")
    for names, row in rows:
        cells = [cell for measure in MEASURES for cell in _cells(row, measure, after)]
        used = [Text(row.get("guard") or "")] if after and guard else []
        table.add_row(*(Text(name) for name in names), *cells, *used)
    return table


def _cells(row: dict[str, Any], measure: str, after: bool) -> list[str]:
    before, then = row["before"].get(measure), (row.get("after") or {}).get(measure)
    shown = [_percent(before)]
    if after:
        gain = then - before if then is not None and before is not None else None
        shown += [_percent(then), "" if gain is None else f"{100 * gain:+.1f}"]
    return shown


def _percent(share: float | None) -> str:
    return "" if share is None or share != share else f"{100 * share:.1f}"
