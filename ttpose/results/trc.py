"""TRC marker files, as OpenSim's TRCFileAdapter reads them: constant data rate, y up, pixels or metres."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ttpose.core.errors import InputError
from ttpose.core.files import atomic_path
from ttpose.core.skeleton import COCO17_FEET
from ttpose.results.angles import MIN_SCORE
from ttpose.results.derived import with_derived
from ttpose.results.markers import opensim_markers
from ttpose.results.records import KeypointResult
from ttpose.results.scale import NOT_MEASURED, Scale
from ttpose.results.smoothing import frame_times, track_of, untimed

_KEYS = (
    "DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units", "OrigDataRate", "OrigDataStartFrame",
    "OrigNumFrames",
)  # fmt: skip
# Frame times that stay this near to an even rate, in frames, are even: containers round times to milliseconds.
_EVEN = 0.2


def write_trc(
    result: KeypointResult,
    path: Path | str,
    *,
    height_m: float | None = None,
    px_per_m: float | None = None,
    opensim: bool = False,
    min_score: float = MIN_SCORE,
) -> list[str]:
    """Write one person's keypoints as a TRC file, whole or not at all: markers named like the keypoints, z = 0.

    Keypoints with feet are followed by derived markers (`ttpose.results.derived`): neck, mid_hip and head_top.

    In pixels, x is the picture's and y counts up from the bottom row. In metres, there is one scale for the whole clip,
    which is given, or makes the person `height_m` tall; x = 0 is the middle of the hips (median) and y = 0 the ground
    under the lowest ankle.
    The format needs a constant rate: other frame times are resampled along straight lines. A keypoint that is
    missing or scores below `min_score` is left empty, which OpenSim takes as not seen.

    Args:
        result: Keypoints over time; of several people the one in most frames is taken.
        path: The .trc file.
        height_m: The person's height in metres; without it and `px_per_m` the file is in pixels.
        px_per_m: Instead, pixels a metre.
        opensim: Whether markers are named as in the OpenSim models of Pose2Sim (`ttpose.results.markers`).
        min_score: 0..1.

    Returns:
        Notes in plain words about what the file does not hold as asked for: people left out, times assumed, resampling,
        pixels in spite of `height_m` because the person's height cannot be measured in them.

    Raises:
        UsageError: `height_m` or `px_per_m` is not positive, or both are given.
        InputError: The result does not say how high the picture is.
        OutputError: The file cannot be written.
    """
    scale, notes = Scale(height_m, px_per_m), list[str]()
    points = _markers(result, min_score, notes)
    metres = scale.metres(points, result.skeleton)
    notes += filter(None, [untimed(result)])
    rate, times, points = _even(frame_times(result), points, notes)
    if metres is None:
        units = "px"
        points = points * (1, -1) + (0, _rows(result) - 1)
        if scale:
            notes.append(f"TRC in pixels: {NOT_MEASURED}")
    else:
        units = "m"
        points = metres.of(points)
    markers = result.skeleton.keypoints
    if result.skeleton == COCO17_FEET:
        points, markers = with_derived(points, result.skeleton)
    if opensim:
        points, markers = opensim_markers(points, markers)
    lines = _lines(Path(path).name, markers, units, rate, times, points)
    with atomic_path(path) as partial, open(partial, "w", encoding="utf-8", newline="") as handle:
        handle.writelines(f"{line}\n" for line in lines)
    return notes


def _markers(result: KeypointResult, min_score: float, notes: list[str]) -> np.ndarray:
    """[T, K, 2] pixels of the person who is in most frames; NaN where not seen."""
    uses = Counter(person.id for frame in result.frames for person in frame.people)
    out = np.full((len(result.frames), len(result.skeleton), 2), np.nan)
    if not uses:
        return out
    person = min(uses, key=lambda id_: (-uses[id_], id_))
    if len(uses) > 1:
        notes.append(
            f"a TRC file holds one person: of {len(uses)} people, number {person} was written; "
            "--people all writes one file each"
        )
    for t, record in enumerate(track_of(result, person)):
        if record is not None:
            sure = record.keypoints[:, 2] >= min_score
            out[t, sure] = record.keypoints[sure, :2]
    return out


def _even(times: np.ndarray, points: np.ndarray, notes: list[str]) -> tuple[float, np.ndarray, np.ndarray]:
    """Rate, times and points at a constant rate; the points themselves where the times are even already."""
    count = len(times)
    if count < 2:
        return 1.0, times, points
    rate = (count - 1) / (times[-1] - times[0])
    if np.abs((times - times[0]) * rate - np.arange(count)).max() <= _EVEN:
        return rate, times[0] + np.arange(count) / rate, points
    rate = 1 / float(np.median(np.diff(times)))
    new = times[0] + np.arange(int((times[-1] - times[0]) * rate + 1e-6) + 1) / rate
    after = np.clip(np.searchsorted(times, new, "left"), 1, count - 1)
    share = ((new - times[after - 1]) / (times[after] - times[after - 1]))[:, None, None]
    # A frame without the keypoint beside an instant makes it unknown there, except exactly at the other frame.
    a, b = points[after - 1], points[after]
    between = np.where(share <= 1e-6, a, np.where(share >= 1 - 1e-6, b, (1 - share) * a + share * b))
    notes.append(f"the frame rate varies: {count} frames were resampled to {len(new)} at {rate:.3f} a second for TRC")
    return rate, new, between


def _rows(result: KeypointResult) -> float:
    rows = result.source.get("height")
    if not isinstance(rows, (int, float)):
        raise InputError("the keypoints do not say how high the picture is", "TRC counts y from its bottom")
    return float(rows)


def _lines(
    name: str, markers: tuple[str, ...], units: str, rate: float, times: np.ndarray, points: np.ndarray
) -> Iterator[str]:
    shown_rate = f"{rate:.3f}".rstrip("0").rstrip(".")
    values = (shown_rate, shown_rate, len(times), len(markers), units, shown_rate, 1, len(times))
    # OpenSim parts the first line at blanks, so that a file name must not have any.
    yield f"PathFileType\t4\t(X/Y/Z)\t{name.replace(' ', '_')}"
    yield "\t".join(_KEYS)
    yield "\t".join(str(value) for value in values)
    yield "Frame#\tTime\t" + "\t\t\t".join(markers) + "\t\t"
    yield "\t\t" + "\t".join(f"{axis}{number}" for number in range(1, len(markers) + 1) for axis in "XYZ")
    yield ""
    digits = 2 if units == "px" else 5
    for number, (time_s, row) in enumerate(zip(times, points, strict=True), start=1):
        cells = ["\t\t" if np.isnan(x) else f"{x:.{digits}f}\t{y:.{digits}f}\t{0:.{digits}f}" for x, y in row]
        # Like OpenSim's own writer with a tab at the end, without which its reader loses an empty last cell.
        yield f"{number}\t{time_s:.6f}\t" + "\t".join(cells) + "\t"
