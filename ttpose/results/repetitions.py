"""Where a movement repeats, by the joint that shows it best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ttpose.results.angles import JOINTS, BodyAngles

# A joint repeats something when it bends at least by so many degrees each time.
_LEAST_BEND = 15.0
# Each time must reach this share of the joint's range over the clip, and what lies between must fall back by it.
_SWING = 0.5
# A repetition begins and ends where this share of its rise is left: what comes between is a rest.
_EDGE = 0.15
# Repetitions of one movement differ less in length than this.
_MOST_UNLIKE = 3.0
# A joint that is unknown in more of the frames tells nothing.
_LEAST_KNOWN = 0.7
# Keypoints tremble by the frame, movements do not: means over so many seconds.
_SMOOTH_S = 0.15


@dataclass(frozen=True)
class Repetitions:
    """A movement that is done again and again.

    Attributes:
        angle: The name of the angle that shows it.
        spans: First and last frame of each time, in order; at least two.
    """

    angle: str
    spans: tuple[tuple[int, int], ...]


def find_repetitions(angles: BodyAngles, times: np.ndarray) -> Repetitions | None:
    """The repetitions of a clip, or None where nothing repeats.

    They are those of the joint that swings most and most evenly. A repetition begins where the joint starts to bend and
    ends where it is stretched again.

    Args:
        angles: Over T frames.
        times: [T] seconds, rising.
    """
    best, most = None, 0.0
    for name in angles.names:
        if name.split("_")[-1] not in JOINTS:
            continue
        series = _without_gaps(angles.column(name), times)
        if series is None:
            continue
        low, high = np.quantile(series, [0.05, 0.95])
        spans = _spans(series, high - low) if high - low >= _LEAST_BEND else []
        if len(spans) < 2:
            continue
        lengths = np.array([times[last] - times[first] for first, last in spans])
        if lengths.max() > _MOST_UNLIKE * lengths.min():
            continue
        # Of two sides the more even one is the one that is seen better.
        strength = (high - low) / (1 + lengths.std() / lengths.mean())
        if strength > most:
            best, most = Repetitions(name, tuple(spans)), strength
    return best


def _without_gaps(values: np.ndarray, times: np.ndarray) -> np.ndarray | None:
    known = np.isfinite(values)
    if not len(values) or known.mean() < _LEAST_KNOWN:
        return None
    series = np.interp(times, times[known], values[known])
    half = _SMOOTH_S / 2
    first, last = np.searchsorted(times, times - half, "left"), np.searchsorted(times, times + half, "right")
    total = np.concatenate([[0.0], np.cumsum(series)])
    return np.asarray((total[last] - total[first]) / (last - first))


def _spans(series: np.ndarray, reach: float) -> list[tuple[int, int]]:
    """First and last frame of every rise and fall by at least `_SWING` of `reach`."""
    swing = _SWING * reach
    peaks, valleys = _turning_points(series, swing)
    spans = []
    for peak in peaks:
        before = [valley for valley in valleys if valley < peak]
        after = [valley for valley in valleys if valley > peak]
        if before and after:
            begin = _edge(series, peak, before[-1])
            end = _edge(series, peak, after[0])
            spans.append((begin, end))
    return spans


def _edge(series: np.ndarray, peak: int, valley: int) -> int:
    """The frame nearest to the peak, on the valley's side, where all but `_EDGE` of the rise is gone."""
    level = series[valley] + _EDGE * (series[peak] - series[valley])
    step = 1 if valley > peak else -1
    frames = np.arange(peak, valley + step, step)
    return int(frames[np.argmax(series[frames] <= level)])


def _turning_points(series: np.ndarray, swing: float) -> tuple[list[int], list[int]]:
    """Frames of peaks and valleys that differ by at least `swing` from those beside them."""
    peaks: list[int] = []
    valleys: list[int] = []
    high = low = 0
    rising: bool | None = None
    for t, value in enumerate(series.tolist()):
        high = t if value > series[high] else high
        low = t if value < series[low] else low
        if rising is not False and value < series[high] - swing:  # fell far enough: the highest was a peak
            if rising is None and not valleys and series[high] - series[: high + 1].min() >= swing:
                valleys.append(int(series[: high + 1].argmin()))
            peaks.append(high)
            rising, low = False, t
        elif rising is not True and value > series[low] + swing:
            valleys.append(low)
            rising, high = True, t
    if rising is False:
        valleys.append(low)
    elif rising is True:
        peaks.append(high)
    return peaks, valleys
