"""A person's boxes in all frames from those of the sampled ones."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ttpose.core.geometry import Box
from ttpose.tracking.settings import TrackSettings
from ttpose.tracking.survey import Survey
from ttpose.tracking.tracklets import Sighting


def fill_boxes(
    sightings: Sequence[Sighting], survey: Survey, total: int, settings: TrackSettings
) -> tuple[tuple[Box | None, ...], tuple[bool, ...]]:
    """For all `total` frames the box, None where it is not known, and whether it was detected there."""
    boxes: list[Box | None] = [None] * total
    detected = [False] * total
    shot_of = dict(zip(survey.samples, survey.shots, strict=True))
    position = {index: number for number, index in enumerate(survey.samples)}
    runs: list[list[Sighting]] = [[sightings[0]]]
    for a, b in pairwise(sightings):
        near = b.time - a.time <= settings.bridge_s or position[b.frame] - position[a.frame] == 1
        if near and shot_of[a.frame] == shot_of[b.frame]:
            runs[-1].append(b)
        else:
            runs.append([b])
    for run in runs:
        start, stop = _reach(run[0].frame, run[-1].frame, survey, total)
        for index, box in zip(range(start, stop), _carry(run, range(start, stop)), strict=True):
            boxes[index] = box.with_margin(settings.margin_share)
        for sighting in run:
            detected[sighting.frame] = True
    return tuple(boxes), tuple(detected)


def _reach(first: int, last: int, survey: Survey, total: int) -> tuple[int, int]:
    """Frames [start, stop) that a run stands for.

    It goes half-way to the samples in which the subject was no longer found, to the clip's ends if there are none
    left, and not beyond its own samples where another shot begins: the cut may be in any of the frames between.
    """
    samples, shots = survey.samples, survey.shots
    start, stop = first, last + 1
    before, after = samples.index(first) - 1, samples.index(last) + 1
    if before < 0:
        start = max(0, first - survey.step)
    elif shots[before] == shots[before + 1]:
        start = first - (first - samples[before]) // 2
    if after == len(samples):
        stop = min(total, max(last + survey.step, total - survey.step))
    elif shots[after] == shots[after - 1]:
        stop = last + (samples[after] - last) // 2 + 1
    return start, stop


def _carry(run: Sequence[Sighting], frames: range) -> list[Box]:
    """Boxes at `frames` from the sightings: centres on a smooth curve through them, sizes changing evenly."""
    at = np.array([s.frame for s in run], float)
    centers = np.array([s.box.center for s in run])
    sizes = np.log([[max(s.box.width, 1e-3), max(s.box.height, 1e-3)] for s in run])
    when = np.clip(np.array(frames, float), at[0], at[-1])
    if len(run) == 1:
        where, extent = centers.repeat(len(when), axis=0), sizes.repeat(len(when), axis=0)
    else:
        where = _hermite(at, centers, when)
        extent = np.stack([np.interp(when, at, sizes[:, axis]) for axis in range(2)], axis=1)
    return [
        Box(x - w / 2, y - h / 2, w, h) for (x, y), (w, h) in zip(where.tolist(), np.exp(extent).tolist(), strict=True)
    ]


def _hermite(at: np.ndarray, values: np.ndarray, when: np.ndarray) -> np.ndarray:
    """Cubic curve through values [N, D] at times [N]; its slope at each is that between the two neighbours."""
    slopes = np.gradient(values, at, axis=0)
    left = np.clip(np.searchsorted(at, when, side="right") - 1, 0, len(at) - 2)
    span = (at[left + 1] - at[left])[:, None]
    t = (when[:, None] - at[left][:, None]) / span
    return (
        (2 * t**3 - 3 * t**2 + 1) * values[left]
        + (t**3 - 2 * t**2 + t) * span * slopes[left]
        + (3 * t**2 - 2 * t**3) * values[left + 1]
        + (t**3 - t**2) * span * slopes[left + 1]
    )
