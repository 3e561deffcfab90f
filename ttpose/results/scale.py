"""Pixels in metres: by the person's height, or by a scale that somebody measured."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from ttpose.core.errors import UsageError
from ttpose.core.skeleton import Skeleton
from ttpose.results.angles import MIN_SCORE
from ttpose.results.records import KeypointResult
from ttpose.results.smoothing import track_of

#: What a file says that was asked for in metres and cannot be.
NOT_MEASURED = "shank, thigh and trunk are not all seen, which metres are measured by"

# Heights of joints over the ground as shares of the body's height (Winter, Biomechanics and Motor Control of Human
# Movement, after Drillis & Contini 1966): ankle 0.039, knee 0.285, hip 0.530, shoulder 0.818.
_ANKLE, _ANKLE_TO_SHOULDER = 0.039, 0.818 - 0.039
# A limb shows its length when it lies in the picture plane, which of many frames a few do; the very longest are errors.
_LONGEST = 0.9


@dataclass(frozen=True)
class Scale:
    """What tells how large a pixel is; at most one of the two.

    Attributes:
        height_m: The person's standing height in metres.
        px_per_m: Pixels that a metre is long where the person is.

    Raises:
        UsageError: A value is not more than 0, or both are given.
    """

    height_m: float | None = None
    px_per_m: float | None = None

    def __post_init__(self) -> None:
        if self.height_m is not None and not 0 < self.height_m < np.inf:
            raise UsageError(f"the person's height must be more than 0 m, not {self.height_m:g}")
        if self.px_per_m is not None and not 0 < self.px_per_m < np.inf:
            raise UsageError(f"the scale must be more than 0 pixels a metre, not {self.px_per_m:g}")
        if self.height_m is not None and self.px_per_m is not None:
            raise UsageError("height and scale both say how large a pixel is", "give one of them")

    def __bool__(self) -> bool:
        """Whether there is one."""
        return self.height_m is not None or self.px_per_m is not None

    def metres(self, points: np.ndarray, skeleton: Skeleton) -> Metres | None:
        """The way from pixels to metres for one clip of one person [T, K, 2] (NaN where not seen).

        None where the scale is the person's height and shank, thigh and trunk are not all seen.
        """
        pixels = self.px_per_m
        if pixels is None:
            height = None if self.height_m is None else height_in_pixels(points, skeleton)
            if height is None or self.height_m is None:
                return None
            pixels = height / self.height_m
        return Metres(pixels, *_origin(points, skeleton, pixels))


@dataclass(frozen=True)
class Metres:
    """Metres with x to the right and y up.

    Attributes:
        px_per_m: Pixels a metre.
        x, y: Pixels of the origin: the middle of the hips (median over time), and the ground.
    """

    px_per_m: float
    x: float
    y: float

    def of(self, points: np.ndarray) -> np.ndarray:
        """Pixels [..., 2], y down, in metres."""
        return np.asarray((points - (self.x, self.y)) * (1 / self.px_per_m, -1 / self.px_per_m))


def metres_of(result: KeypointResult, scale: Scale, min_score: float = MIN_SCORE) -> Metres | None:
    """The way from pixels to metres by the person who is in most frames of a result; None as of `Scale.metres`."""
    uses = Counter(person.id for frame in result.frames for person in frame.people)
    if not scale or not uses:
        return None
    main = min(uses, key=lambda id_: (-uses[id_], id_))
    points = np.full((len(result.frames), len(result.skeleton), 2), np.nan)
    for row, person in zip(points, track_of(result, main), strict=True):
        if person is not None:
            sure = person.keypoints[:, 2] >= min_score
            row[sure] = person.keypoints[sure, :2]
    return scale.metres(points, result.skeleton)


def _origin(points: np.ndarray, skeleton: Skeleton, pixels: float) -> tuple[float, float]:
    """Middle of the hips and ground, in pixels; the lowest keypoint where no ankle is seen, 0 where nobody is."""
    known = points[np.isfinite(points).all(-1)]
    if not len(known):
        return 0.0, 0.0
    hips, ankles = (_both(points, skeleton, part) for part in ("hip", "ankle"))
    x = float(np.median(hips[:, 0] if len(hips) else known[:, 0]))
    if not len(ankles):
        return x, float(known[:, 1].max())
    # The lowest ankle over all frames but for a few errors stands on the ground, an ankle's height above it. That is a
    # share of the body's height, where it can be measured, else of an adult's 1.7 m.
    height = height_in_pixels(points, skeleton) or 1.7 * pixels
    return x, float(np.quantile(ankles[:, 1], _LONGEST)) + _ANKLE * height


def _both(points: np.ndarray, skeleton: Skeleton, part: str) -> np.ndarray:
    """All sightings [N, 2] of a part of both sides."""
    names = [name for side in ("left", "right") if (name := f"{side}_{part}") in skeleton.keypoints]
    found = points[:, [skeleton.index(name) for name in names]].reshape(-1, 2)
    return np.asarray(found[np.isfinite(found).all(-1)])


def height_in_pixels(points: np.ndarray, skeleton: Skeleton) -> float | None:
    """A person's standing height, also of one who never stands upright.

    Shank, thigh and trunk are measured each where they look long (the 90th percentile over frames and sides), and
    together are the share of the body's height that lies between ankles and shoulders.

    Args:
        points: [T, K, 2] pixels; NaN where not seen.
        skeleton: Names the keypoints.

    Returns:
        Pixels; None where a part is never seen, or the keypoint set lacks it.
    """
    total = 0.0
    for upper, lower in (("shoulder", "hip"), ("hip", "knee"), ("knee", "ankle")):
        lengths = []
        for side in ("left", "right"):
            ends = (f"{side}_{upper}", f"{side}_{lower}")
            if all(end in skeleton.keypoints for end in ends):
                a, b = (points[:, skeleton.index(end)] for end in ends)
                lengths.append(np.hypot(*(a - b).T))
        known = np.concatenate(lengths)[np.isfinite(np.concatenate(lengths))] if lengths else np.empty(0)
        if not known.size:
            return None
        total += float(np.quantile(known, _LONGEST))
    return total / _ANKLE_TO_SHOULDER
