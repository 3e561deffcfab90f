"""One person's angles as an OpenSim motion file (.mot), as its Storage and its TimeSeriesTable read them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from ttpose.core.files import atomic_path
from ttpose.results.angle_tables import person_angles
from ttpose.results.angles import MIN_SCORE
from ttpose.results.records import KeypointResult
from ttpose.results.smoothing import MAX_GAP_S, frame_times, untimed

# An angle that is known in fewer of the rows is left out: the rest of its column would be invented.
_LEAST_KNOWN = 0.5
_DIGITS = 2


def write_mot(
    result: KeypointResult, path: Path | str, *, person: int | None = None, min_score: float = MIN_SCORE
) -> list[str]:
    """Write one person's angles over time, whole or not at all: `time` in seconds, then degrees by the angle's name.

    OpenSim's Storage stops reading at a missing value. So the rows are those from the first to the last frame with
    an angle, gaps are bridged along straight lines (and held at the ends), and an angle that is known in less than half
    of the rows is left out. The table `angles.csv` has the gaps.

    Args:
        result: Keypoints over time.
        path: The .mot file.
        person: The person's id; None takes the one in most frames.
        min_score: A keypoint below it is not used, 0..1.

    Returns:
        Notes in plain words about what the file does not hold: people left out, times assumed, long gaps bridged.

    Raises:
        OutputError: The file cannot be written.
    """
    notes = list(filter(None, [untimed(result)]))
    uses = Counter(found.id for frame in result.frames for found in frame.people)
    if person is None:
        person = min(uses, key=lambda id_: (-uses[id_], id_)) if uses else 1
        if len(uses) > 1:
            notes.append(f"a motion file holds one person: of {len(uses)} people, number {person} was written")
    angles, times = person_angles(result, person, min_score=min_score), frame_times(result)
    known = np.isfinite(angles.degrees)
    rows = np.flatnonzero(known.any(1))
    span = slice(rows[0], rows[-1] + 1) if len(rows) else slice(0, 0)
    times, degrees = times[span], angles.degrees[span]
    columns = np.flatnonzero(known[span].mean(0) >= _LEAST_KNOWN) if len(rows) else np.empty(0, dtype=np.int64)
    series = [_bridged(times, degrees[:, column]) for column in columns]
    longest = max((gap for _, gap in series), default=0.0)
    if longest > MAX_GAP_S:
        notes.append(
            f"{Path(path).name}: gaps of up to {longest:.1f} s are bridged along straight lines, as OpenSim reads no "
            "missing values; angles.csv leaves them empty"
        )
    _write(Path(path), times, [angles.names[column] for column in columns], [values for values, _ in series])
    return notes


def _bridged(times: np.ndarray, degrees: np.ndarray) -> tuple[np.ndarray, float]:
    """An angle [T] without gaps, and the seconds between the sightings around its longest gap."""
    known = np.flatnonzero(np.isfinite(degrees))
    apart = np.diff(known) > 1
    ends = (times[known[0]] - times[0], times[-1] - times[known[-1]])
    longest = max(*ends, *np.diff(times[known])[apart])
    return np.interp(times, times[known], degrees[known]), float(longest)


def _write(path: Path, times: np.ndarray, names: list[str], series: list[np.ndarray]) -> None:
    head = ("angles", "version=1", f"nRows={len(times)}", f"nColumns={1 + len(names)}", "inDegrees=yes", "endheader")
    with atomic_path(path) as partial, open(partial, "w", encoding="utf-8", newline="") as handle:
        handle.writelines(f"{line}\n" for line in (*head, "\t".join(("time", *names))))
        for t, time_s in enumerate(times):
            cells = (f"{round(float(values[t]), _DIGITS) + 0.0:.{_DIGITS}f}" for values in series)
            handle.write("\t".join((f"{time_s:.6f}", *cells)) + "\n")
