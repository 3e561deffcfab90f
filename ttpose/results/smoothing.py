"""Smoothed keypoints beside the raw ones: short gaps filled and flagged, jitter measured before and after."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from typing import Literal

import numpy as np

from ttpose.core.errors import UsageError
from ttpose.core.geometry import Box
from ttpose.metrics.jitter import jitter
from ttpose.results.angles import MIN_SCORE
from ttpose.results.filters import OneEuro, SavitzkyGolay
from ttpose.results.records import FrameRecord, KeypointResult, PersonRecord

SmoothingMethod = Literal["one-euro", "savgol", "none"]

#: Longest gap that is filled, in seconds: a limb rarely changes its direction twice in it.
MAX_GAP_S = 0.25
#: Frames a second of keypoints without times: what most cameras film at.
ASSUMED_FPS = 30

_FILTERS: dict[str, Callable[[], OneEuro | SavitzkyGolay]] = {"one-euro": OneEuro, "savgol": SavitzkyGolay}


def smooth(
    result: KeypointResult, method: str = "savgol", *, max_gap_s: float = MAX_GAP_S, min_score: float = MIN_SCORE
) -> KeypointResult:
    """Add smoothed keypoints to every person of a result; its raw keypoints stay as they are.

    A keypoint that is missing or scores below `min_score` is a gap. Gaps between two sightings at most `max_gap_s`
    apart are filled along a straight line before smoothing, and flagged; longer gaps stay empty, and each stretch
    between them is smoothed on its own. A frame where a person was not found at all gets a record with `filled`.

    Args:
        result: Keypoints over time; earlier smoothing in it is replaced.
        method: "one-euro" (causal, as live), "savgol" (looks both ways, no lag) or "none" (takes smoothing away).
        max_gap_s: Seconds between the sightings around a gap.
        min_score: 0..1.

    Returns:
        A new result; a photo comes back unchanged.

    Raises:
        UsageError: Unknown method.
    """
    raw = without_smoothing(result)
    if method == "none" or len(raw.frames) < 2:
        return raw
    if method not in _FILTERS:
        raise UsageError(f"no smoothing is called {method}", f"use {', '.join(_FILTERS)} or none")
    chosen, times = _FILTERS[method](), frame_times(raw)
    people = [list(frame.people) for frame in raw.frames]
    shaking: dict[str, dict[str, float]] = {}
    for person in sorted({person.id for frame in raw.frames for person in frame.people}):
        found = track_of(raw, person)
        shaking[str(person)] = _smooth_person(found, times, chosen, people, max_gap_s, min_score)
    everyone = [record for frame in people for record in frame]
    about = {
        "method": method,
        "parameters": asdict(chosen),
        "max_gap_s": max_gap_s,
        "min_score": min_score,
        "filled_people": sum(record.filled for record in everyone),
        "filled_keypoints": sum(len(record.filled_keypoints) for record in everyone),
        "jitter": shaking,
    }
    frames = [replace(frame, people=tuple(there)) for frame, there in zip(raw.frames, people, strict=True)]
    return replace(raw, frames=frames, smoothing=about)


def without_smoothing(result: KeypointResult) -> KeypointResult:
    """The result with its raw keypoints alone, as found."""
    if result.smoothing is None:
        return result
    frames = [replace(frame, people=tuple(_raw_people(frame))) for frame in result.frames]
    return replace(result, frames=frames, smoothing=None)


def only_smoothed(result: KeypointResult) -> KeypointResult:
    """The result with the smoothed keypoints in the place of the raw ones, for files that hold one series only.

    A result without smoothing, such as a photo's, comes back as it is.
    """
    if result.smoothing is None:
        return result
    frames = []
    for frame in result.frames:
        people = [PersonRecord(p.id, p.box, p.smoothed) for p in frame.people if p.smoothed is not None]
        frames.append(replace(frame, people=tuple(people)))
    return replace(result, frames=frames, smoothing=None)


def untimed(result: KeypointResult) -> str | None:
    """A note on keypoints none of which says when; None where at least two frames do, or there is nothing to time."""
    if len(result.frames) < 2 or sum(math.isfinite(frame.time_s) for frame in result.frames) > 1:
        return None
    return f"the keypoints do not say when their frames were shown: {ASSUMED_FPS} frames a second are assumed"


def frame_times(result: KeypointResult) -> np.ndarray:
    """Presentation times [T] in seconds that always rise: unknown ones are put between, or after, their neighbours."""
    times = np.array([frame.time_s for frame in result.frames], dtype=np.float64)
    known, index = np.isfinite(times), np.arange(len(times))
    steps = np.diff(times[known]) / np.diff(index[known])
    step = float(np.median(steps[steps > 0])) if (steps > 0).any() else 1 / ASSUMED_FPS
    if not known.any():
        return index * step
    first, last = index[known][0], index[known][-1]
    filled = np.interp(index, index[known], times[known])
    filled[:first] -= (first - index[:first]) * step
    filled[last + 1 :] += (index[last + 1 :] - last) * step
    for t in range(1, len(filled)):  # damaged files repeat times or go back
        filled[t] = max(filled[t], filled[t - 1] + 1e-3 * step)
    return filled


def track_of(result: KeypointResult, person: int) -> list[PersonRecord | None]:
    """One person's record in every frame, None where not found."""
    return [next((p for p in frame.people if p.id == person), None) for frame in result.frames]


def _raw_people(frame: FrameRecord) -> Iterator[PersonRecord]:
    for person in frame.people:
        if not person.filled:
            yield replace(person, smoothed=None, filled_keypoints=())


def _smooth_person(
    found: list[PersonRecord | None],
    times: np.ndarray,
    chosen: OneEuro | SavitzkyGolay,
    people: list[list[PersonRecord]],
    max_gap_s: float,
    min_score: float,
) -> dict[str, float]:
    """Put one person's smoothed records into `people`; returns the jitter before and after."""
    there = [record for record in found if record is not None]
    side = float(np.median([record.box.side for record in there])) or 1.0
    raw = np.full((len(found), len(there[0].keypoints), 3), np.nan)
    for t, record in enumerate(found):
        if record is not None:
            raw[t] = record.keypoints
    seen = np.isfinite(raw).all(2) & (raw[..., 2] >= min_score)
    smoothed = np.full_like(raw, np.nan)
    smoothed[..., 2] = 0.0
    for stretch, ks in _stretches(seen, times, max_gap_s):
        span = slice(stretch[0], stretch[-1] + 1)
        full = _joined(times[span], times[stretch], raw[stretch][:, ks, :2])
        smoothed[span, ks, :2] = side * chosen(times[span], full / side)
        smoothed[span, ks, 2] = _scores(stretch, raw[:, ks, 2])
    filled = np.isfinite(smoothed[..., 0]) & ~seen
    boxes = _boxes(found, times)
    for t, record in enumerate(found):
        flags = tuple(int(k) for k in np.flatnonzero(filled[t]))
        if record is not None:
            position = next(i for i, person in enumerate(people[t]) if person is record)
            people[t][position] = replace(record, smoothed=smoothed[t], filled_keypoints=flags)
        elif flags:
            nothing = np.tile([np.nan, np.nan, 0.0], (raw.shape[1], 1))
            people[t].append(PersonRecord(there[0].id, boxes[t], nothing, smoothed[t], True, flags))
    both = [np.where(seen[..., None], points, np.nan) for points in (raw, smoothed)]
    before, after = (jitter(points, [record.box for record in there]) for points in both)
    return {"before": before, "after": after}


def _stretches(seen: np.ndarray, times: np.ndarray, max_gap_s: float) -> list[tuple[np.ndarray, list[int]]]:
    """Stretches of frames without a gap that is too long, each with the keypoints seen in just those frames.

    Args:
        seen: bool [T, K].
        times: [T].
        max_gap_s: Sightings farther apart part a stretch, but frames that follow each other are never parted.
    """
    together: dict[bytes, tuple[np.ndarray, list[int]]] = {}
    for k in range(seen.shape[1]):
        sure = np.flatnonzero(seen[:, k])
        apart = (np.diff(sure) > 1) & (np.diff(times[sure]) > max_gap_s + 1e-6)
        for stretch in np.split(sure, np.flatnonzero(apart) + 1):
            if len(stretch):
                together.setdefault(stretch.tobytes(), (stretch, []))[1].append(k)
    return list(together.values())


def _joined(times: np.ndarray, known: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points [len(times), N, 2] along straight lines between those [len(known), N, 2] at the times `known`."""
    if len(known) == len(times):
        return points
    after = np.clip(np.searchsorted(known, times, "left"), 1, len(known) - 1)
    share = ((times - known[after - 1]) / (known[after] - known[after - 1]))[:, None, None]
    return points[after - 1] + share * (points[after] - points[after - 1])


def _scores(stretch: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Scores of a stretch's frames, of those [T, N]: where seen the raw score, in a gap the lower of those around."""
    frames = np.arange(stretch[0], stretch[-1] + 1)
    before = stretch[np.searchsorted(stretch, frames, "right") - 1]
    after = stretch[np.searchsorted(stretch, frames, "left")]
    return np.minimum(scores[before], scores[after])


def _boxes(found: list[PersonRecord | None], times: np.ndarray) -> list[Box]:
    """A box for every frame, between those of the frames around where the person was not found."""
    there = [t for t, record in enumerate(found) if record is not None]
    known = np.array([record.box.as_list() for record in found if record is not None])
    sides = [np.interp(times, times[there], known[:, side]) for side in range(4)]
    return [Box(*(float(value) for value in row)) for row in np.column_stack(sides)]
