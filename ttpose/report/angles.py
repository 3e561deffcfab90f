"""What the page says of angles: a table, the repetitions of a movement, and which side is nearer to the camera."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ttpose.results.angles import BodyAngles
from ttpose.results.facing import DIRECTIONS
from ttpose.results.repetitions import Repetitions

# Going on at its speed until the middle of a gap of more than twice so many frames, an angle would leave its range by
# this share: then the extreme is in the gap.
_GAP, _BEYOND = 2, 0.05
# A side that is nearer in this share of the frames is the nearer one; two that both are in the other share change.
_MOSTLY, _SOMETIMES = 0.6, 0.2


@dataclass(frozen=True)
class AngleRow:
    """One angle over some frames, in degrees as shown.

    Attributes:
        name: In plain words, such as "left knee".
        least, most, reach: Minimum, maximum and range; "–" where it is never known, and with ≤ or ≥ where it was on the
            way to an extreme when it was lost.
        known: In which share of the frames it is known, in percent.
        far: Whether it is one of the side away from the camera.
    """

    name: str
    least: str
    most: str
    reach: str
    known: int
    far: bool


@dataclass(frozen=True)
class RepetitionRow:
    """One repetition: its number, first frame, start and length in seconds, and the sides' angles."""

    number: int
    frame: int
    start_s: float
    takes_s: float
    sides: tuple[AngleRow, ...]


@dataclass(frozen=True)
class AngleSummary:
    """All that the page says.

    Attributes:
        rows: Of the whole clip.
        seen_from: One or two sentences about the nearer side.
        repeats: In plain words which angle shows the repetitions, or None.
        part: Its joint, or the first one that there is: what the page shows first.
        repetitions: By joint or segment, such as "knee", a row for each time.
        heads: By the same, the names of its sides.
    """

    rows: tuple[AngleRow, ...]
    seen_from: str
    repeats: str | None
    part: str | None
    repetitions: dict[str, tuple[RepetitionRow, ...]]
    heads: dict[str, tuple[str, ...]]

    @classmethod
    def of(cls, angles: BodyAngles, times: np.ndarray, repeated: Repetitions | None) -> AngleSummary:
        """Summarize angles of T frames at `times` [T]."""
        near, sentence = nearer_side(angles)
        far = {"left": "right", "right": "left"}.get(near or "", "")
        raw = {name: angles.column(name) for name in angles.names}
        steady = {name: _without_strays(values) for name, values in raw.items()}

        def row(name: str, part: slice) -> AngleRow:
            return _row(name, steady[name][part], float(np.isfinite(raw[name][part]).mean()), far)

        parts = {part: [n for n in angles.names if n.rpartition("_")[2] == part] for part in parts_of(angles.names)}
        spans = () if repeated is None else repeated.spans
        times_each = {
            part: tuple(
                RepetitionRow(
                    number, first, float(times[first]), float(times[last] - times[first]),
                    tuple(row(name, slice(first, last + 1)) for name in names),
                )
                for number, (first, last) in enumerate(spans, start=1)
            )
            for part, names in parts.items()
        }  # fmt: skip
        return cls(
            tuple(row(name, slice(None)) for name in angles.names),
            sentence,
            None if repeated is None else repeated.angle.replace("_", " "),
            _first_part(parts, repeated),
            times_each if spans else {},
            {part: tuple(name.rpartition("_")[0] or name for name in names) for part, names in parts.items()},
        )


def parts_of(names: Sequence[str]) -> list[str]:
    """The joints and segments of angle names, each once."""
    return list(dict.fromkeys(name.rpartition("_")[2] for name in names))


def _first_part(parts: Collection[str], repeated: Repetitions | None) -> str | None:
    if repeated is not None:
        return repeated.angle.rpartition("_")[2]
    return "knee" if "knee" in parts else next(iter(parts), None)


def nearer_side(angles: BodyAngles) -> tuple[str | None, str]:
    """The side that is nearer to the camera in most frames, or None, and what there is to say about it."""
    there = np.isfinite(angles.degrees).any(1)
    if not there.any():
        return None, "No angle could be measured."
    share = {name: float((angles.facing.direction[there] == i).mean()) for i, name in enumerate(DIRECTIONS)}
    for side, far in (("right", "left"), ("left", "right")):
        if share[side] >= _MOSTLY:
            return side, (
                f"The {side} side is nearer to the camera. The {far} one is partly hidden behind it: "
                f"its figures, marked “far”, are less sure."
            )
    if min(share["right"], share["left"]) >= _SOMETIMES:
        return None, (
            f"The person turns round: the right side is nearer to the camera in {100 * share['right']:.0f} % of the "
            f"frames, the left one in {100 * share['left']:.0f} %. Figures of the side farther away are less sure."
        )
    if share["front"] + share["back"] >= _MOSTLY:
        where = "front" if share["front"] >= share["back"] else "back"
        return None, (
            f"The person is mostly seen from the {where}, where flexion hardly shows: hip, shoulder and thigh are "
            "angles sideways, knee and ankle are foreshortened. Film from the side for flexion."
        )
    return None, "No side is nearer to the camera over the clip."


def _without_strays(values: np.ndarray) -> np.ndarray:
    """The median of each value [T] and its two neighbours, so that one stray frame is no minimum or maximum."""
    if len(values) < 3:
        return values
    out = values.copy()
    out[1:-1] = np.median(np.stack([values[:-2], values[1:-1], values[2:]]), axis=0)  # NaN beside a gap
    out[[0, -1]] = np.nan
    return out if np.isfinite(out).any() else values


def _row(name: str, values: np.ndarray, share: float, far: str) -> AngleRow:
    known = values[np.isfinite(values)]
    words, away = name.replace("_", " "), bool(far) and name.startswith(far)
    if not len(known):
        return AngleRow(words, "–", "–", "–", 0, away)
    least, most = float(known.min()), float(known.max())
    below, above = ("≤ " if _lost(-values) else ""), ("≥ " if _lost(values) else "")
    reach = ("≥ " if below or above else "") + _degrees(most - least)
    return AngleRow(words, below + _degrees(least), above + _degrees(most), reach, round(100 * share), away)


def _lost(values: np.ndarray) -> bool:
    """Whether the maximum of values [T] is probably in a gap: they would have passed it by half-way through."""
    known = np.flatnonzero(np.isfinite(values)).tolist()
    beyond = np.ptp(values[known]) * _BEYOND + values[known].max()
    for i, (before, after) in enumerate(pairwise(known)):
        half = (after - before) / 2
        into = values[before] - values[known[max(i - 1, 0)]]
        out = values[after] - values[known[min(i + 2, len(known) - 1)]]
        if half > _GAP and max(values[before] + half * into, values[after] + half * out) > beyond:
            return True
    return False


def _degrees(value: float) -> str:
    return f"{round(value):d}°".replace("-", "−")
