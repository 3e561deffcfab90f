"""Low-pass filters for points over time that respect when each frame was shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class OneEuro:
    """The 1€ filter (Casiez, Roussel & Vogel, CHI 2012): strong smoothing at rest, little lag in fast motion.

    It uses only the past, as a live display must, and therefore lags a little behind.

    Attributes:
        min_cutoff: Cut-off frequency at rest in Hz; lower is smoother.
        beta: Hz that the cut-off grows for each unit of speed; higher lags less. The unit of length is the
            person's box side, so that the size of the picture does not matter.
        derivative_cutoff: Cut-off frequency of the speed itself in Hz; 1 is the paper's.
    """

    # On two real clips at 30 frames a second with labels beta 40 takes 40 % of the jitter and, by its lag, 3 to 4 of 92
    # points of PCK@0.1; beta 20 takes 50 % and 7 to 11 points, beta 80 29 % and 2. min_cutoff hardly matters there; at
    # rest 1.5 halves a noise of 0.8 % of the box.
    min_cutoff: float = 1.5
    beta: float = 40.0
    derivative_cutoff: float = 1.0

    def __call__(self, times: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Filter points [T, N, 2], without gaps, shown at rising `times` [T] in seconds; returns [T, N, 2]."""
        out, speed = np.array(points, dtype=np.float64), np.zeros(points.shape[1:])
        for t in range(1, len(points)):
            step = float(times[t] - times[t - 1])
            speed += _weight(self.derivative_cutoff, step) * ((points[t] - points[t - 1]) / step - speed)
            # One speed for x and y together: an axis of its own each would bend straight motion.
            cutoff = self.min_cutoff + self.beta * np.hypot(speed[:, 0], speed[:, 1])
            out[t] = out[t - 1] + _weight(cutoff, step)[:, None] * (points[t] - out[t - 1])
        return out


def _weight(cutoff: Any, step: float) -> Any:
    """Share of the newest value in exponential smoothing with a cut-off in Hz (or many) after `step` seconds."""
    rate = 2 * np.pi * cutoff * step
    return rate / (rate + 1)


@dataclass(frozen=True)
class SavitzkyGolay:
    """Local polynomials by least squares (Savitzky & Golay 1964), at the frames' own times.

    It uses both sides and therefore does not lag. At an even frame rate it is the classical filter with
    polynomials fitted to the first and last windows at the ends.

    Attributes:
        window_s: Width of the window in seconds.
        order: Degree of the polynomial.
    """

    # On the same clips 0.3 s takes 72 % of the jitter and gives 2 points of PCK@0.1; 0.2 s and 0.4 s give about as
    # many, but 0.4 s blunts fast swings (1.2 Hz) visibly.
    window_s: float = 0.3
    order: int = 2

    def __call__(self, times: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Filter points [T, N, 2], without gaps, shown at rising `times` [T] in seconds; returns [T, N, 2]."""
        out = np.array(points, dtype=np.float64)
        half = self.window_s / 2 + 1e-6  # times are rounded to microseconds
        # A window that would reach over an end is moved inside.
        centres = np.clip(times, times[0] + half, max(times[-1] - half, times[0] + half))
        starts = np.searchsorted(times, centres - half, "left")
        ends = np.searchsorted(times, centres + half, "right")
        for t, (start, end) in enumerate(zip(starts, ends, strict=True)):
            if end - start > self.order + 1:  # with fewer, the polynomial passes through all points
                powers = np.vander((times[start:end] - times[t]) / half, self.order + 1, increasing=True)
                out[t] = np.tensordot(np.linalg.pinv(powers)[0], points[start:end], 1)
        return out
