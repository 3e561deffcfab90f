"""What `ttpose evaluate` prints: tables of videos, joints and the mean."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from ttpose.evaluation.protocol_report import BEFORE, JointCount, ProtocolReport, VideoScore
from ttpose.evaluation.report import STAGES, EvaluationReport

MEASURES = ("pck@0.05", "pck@0.1", "pck@0.2")
# More videos than this would scroll the means away; those that lost and gained most are shown then.
_MOST_VIDEOS = 40


def tables(report: ProtocolReport | EvaluationReport) -> list[Table]:
    """The tables of a report, the most general one last."""
    if isinstance(report, ProtocolReport):
        return [_videos(report), _joints(report), _means(report)]
    return _clip_tables(report.to_dict())


def _videos(report: ProtocolReport) -> Table:
    shown, title = list(report.videos), f"{report.measure} in % per video"
    if len(shown) > _MOST_VIDEOS:
        last = report.methods[-1]
        order = report.gains(last) if last != BEFORE else {v.video: v.pck(BEFORE, report.average) for v in shown}
        shown.sort(key=lambda video: (order[video.video] != order[video.video], order[video.video]))
        half = _MOST_VIDEOS // 2
        title += f", the {half} lowest and {half} highest of {len(shown)}"
        title += f" by the gain {last}" if last != BEFORE else ""
        shown = shown[:half] + shown[-half:]
    table = _start(title, ("video", "person", "frames"), report)
    for video in shown:
        names = (video.video, video.person, str(video.frames))
        table.add_row(*map(Text, names), *_cells(report, video))
    return table


def _joints(report: ProtocolReport) -> Table:
    table = _start(f"{report.measure} in % per joint", ("joint", "labels"), report)
    for row in report.joints:
        table.add_row(Text(row.joint), str(row.labels), *_cells(report, row))
    table.add_section()
    mean = "mean over joints" if report.average == "joints" else "all"
    table.add_row(mean, str(sum(row.labels for row in report.joints)), *_cells(report, None))
    return table


def _means(report: ProtocolReport) -> Table:
    """A row for each column of the other tables."""
    videos = len(report.videos)
    table = Table(title=f"{videos} video{'s' * (videos != 1)}", title_justify="left")
    heads = ["", report.measure, "gain", "95 % over persons", "better", "worse", "jitter", "seconds"]
    for head in heads + (["AP", "AP50", "AP75"] if report.oks_ap is not None else []):
        table.add_column(head, justify="right" if head else "left")
    for method in report.methods:
        cells = [_percent(report.mean(method)), *[""] * 4]
        if method != BEFORE:
            over, gains = report.gain_over_persons(method), report.gains(method).values()
            interval = f"{100 * over.low:+.2f} to {100 * over.high:+.2f}" if over.low == over.low else ""
            gain = _gain(report.mean(method) - report.mean(BEFORE))
            cells[1:] = [gain, interval, str(sum(g > 0 for g in gains)), str(sum(g < 0 for g in gains))]
        jitter = report.jitter(method)
        cells.append(f"{jitter:.4f}" if jitter == jitter else "")
        cells.append(f"{report.seconds(method):.0f}" if method != BEFORE else "")
        if report.oks_ap is not None:
            cells += [_percent(report.oks_ap[method][name]) for name in ("AP", "AP50", "AP75")]
        table.add_row(Text(method), *cells)
    return table


def _start(title: str, heads: tuple[str, ...], report: ProtocolReport) -> Table:
    table = Table(title=title, title_justify="left")
    for head in heads:
        table.add_column(head, justify="right" if head in ("frames", "labels") else "left")
    for method in report.methods:
        for head in (method,) if method == BEFORE else (method, "gain"):
            table.add_column(head, justify="right")
    return table


def _cells(report: ProtocolReport, row: VideoScore | JointCount | None) -> list[str]:
    """PCK, and the gain where there is one, of each method; None stands for the mean."""

    def pck(method: str) -> float:
        if row is None:
            return report.mean(method)
        return row.pck(method, report.average) if isinstance(row, VideoScore) else row.pck(method)

    shown = []
    for method in report.methods:
        shown.append(_percent(pck(method)))
        if method != BEFORE:
            shown.append(_gain(pck(method) - pck(BEFORE)))
    return shown


def _gain(gain: float) -> str:
    return f"{100 * gain:+.1f}" if gain == gain else ""


def _clip_tables(report: dict[str, Any]) -> list[Table]:
    """A table of clips, persons and the mean, and a table of joints, from `EvaluationReport.to_dict()`."""
    rows: list[tuple[tuple[str, ...], dict[str, Any]]] = [
        ((clip["clip"], clip["person"] or "", str(clip["frames"])), clip) for clip in report["clips"]
    ]
    rows += [(("mean of person", person["person"], ""), person) for person in report["persons"]]
    rows.append((("mean", "", ""), report["mean"]))
    joints: list[tuple[tuple[str, ...], dict[str, Any]]] = [((row["joint"],), row) for row in report["joints"]]
    return [
        _clip_table("PCK in % per clip", ("clip", "person", "frames"), rows, guard=True),
        _clip_table("PCK in % per joint", ("joint",), joints, guard=False),
    ]


def _clip_table(
    title: str, heads: tuple[str, ...], rows: list[tuple[tuple[str, ...], dict[str, Any]]], *, guard: bool
) -> Table:
    """A column for each stage of each measure: base, refined (nothing learned), personalized, corrected."""
    stages = [stage for stage in STAGES if any(row.get(stage) for _, row in rows)]
    table = Table(title=title, title_justify="left")
    for head in heads:
        table.add_column(head, justify="right" if head == "frames" else "left")
    for measure in MEASURES:
        for stage in stages:
            table.add_column(f"{measure.replace('pck', 'PCK')}\n{stage}", justify="right")
    guard = guard and len(stages) > 1
    if guard:
        table.add_column("used")
    for names, row in rows:
        cells = [_percent((row.get(stage) or {}).get(measure)) for measure in MEASURES for stage in stages]
        used = [Text(row.get("guard") or "")] if guard else []
        table.add_row(*(Text(name) for name in names), *cells, *used)
    return table


def _percent(share: float | None) -> str:
    return "" if share is None or share != share else f"{100 * share:.1f}"
