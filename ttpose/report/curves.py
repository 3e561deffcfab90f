"""Everything that the page's player and plots draw, as JSON-ready values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ttpose.core.skeleton import Skeleton
from ttpose.report.drawing import LEFT, MIDDLE, RIGHT
from ttpose.report.filmstrip import Filmstrip
from ttpose.report.motion import Motion
from ttpose.results import KeypointResult
from ttpose.results.angles import BodyAngles
from ttpose.results.repetitions import Repetitions

# Points of a curve: more than a screen has columns, few enough for a small page. Longer clips show means.
_MOST_POINTS = 1500


def film_values(film: Filmstrip, result: KeypointResult, times: np.ndarray) -> dict[str, Any]:
    """The pictures, and number, time and note of the frame that each shows."""
    notes = [result.frames[i].note for i in film.indices]
    return {
        "width": film.width,
        "height": film.height,
        "indices": film.indices,
        "pictures": film.pictures,
        "times": listed(times[film.indices], 4),
        "notes": notes,
    }


def skeleton_values(skeleton: Skeleton) -> dict[str, Any]:
    """Names, limbs and colours."""
    colours = {"left": LEFT, "right": RIGHT, "middle": MIDDLE}
    css = {side: "#{:02x}{:02x}{:02x}".format(*rgb) for side, rgb in colours.items()}
    return {"keypoints": list(skeleton.keypoints), "limbs": [list(limb) for limb in skeleton.limbs], "colours": css}


def poses(keypoints: np.ndarray, film: Filmstrip, width: int) -> list[list[float | None]]:
    """Keypoints [N, K, 3] of the film's frames: for each a flat list x, y, score in the pictures' pixels.

    Positions count from a picture's upper left corner, not from its first pixel's centre.
    """
    shown = keypoints[film.indices]
    shown = np.concatenate([(shown[..., :2] + 0.5) * (film.width / width), shown[..., 2:]], -1)
    return [listed(frame.ravel(), 2) for frame in shown]


def plot_values(
    times: np.ndarray,
    skeleton: Skeleton,
    keypoints: Sequence[np.ndarray],
    motions: Sequence[Motion],
    angles: Sequence[BodyAngles],
    repeated: Repetitions | None,
) -> dict[str, Any]:
    """Curves of each track: `confidence` and `angles` by name, `speed` and `jitter` (in percent).

    Repetitions are given as pairs of seconds.

    Args:
        times: Seconds [N].
        skeleton: The keypoint set.
        keypoints: Base, refined, personalized and perhaps smoothed, each [N, K, 3].
        motions: Of each.
        angles: Of each.
        repeated: The repetitions of a movement, or None.
    """
    group = math.ceil(len(times) / _MOST_POINTS)
    confidence = {"all": [_curve(motion.confidence, group, 3) for motion in motions]}
    for k, name in enumerate(skeleton.keypoints):
        there = [np.where(np.isfinite(points[:, k, 0]), points[:, k, 2], np.nan) for points in keypoints]
        confidence[name] = [_curve(values, group, 3) for values in there]
    spans = () if repeated is None else repeated.spans
    return {
        "times": _curve(times, group, 4),
        "group": group,
        "confidence": confidence,
        "speed": [_curve(motion.speed, group, 3) for motion in motions],
        "jitter": [_curve(100 * motion.jitter, group, 3) for motion in motions],
        "repetitions": [listed(times[[first, last]], 4) for first, last in spans],
        "angles": {name: [_curve(part.column(name), group, 1) for part in angles] for name in angles[0].names},
    }


def _curve(values: np.ndarray, group: int, digits: int) -> list[float | None]:
    """Means of every `group` values that are there."""
    if group > 1:
        padded = np.full(-(-len(values) // group) * group, np.nan)
        padded[: len(values)] = values
        rows = padded.reshape(-1, group)
        there = np.isfinite(rows)
        total, count = np.where(there, rows, 0.0).sum(1), there.sum(1)
        values = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return listed(values, digits)


def listed(values: np.ndarray, digits: int) -> list[float | None]:
    """A list of rounded numbers, None for NaN."""
    return [round(value, digits) if math.isfinite(value) else None for value in values.tolist()]
