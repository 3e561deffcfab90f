"""What a person said about some frames of a clip, put into predictions: before the refinement, and after it.

Before: a corrected joint is where the person put it, and nowhere else, so that left/right correction, candidate
positions and the Viterbi of the frames around start from the truth. After: it is exactly there, with the score 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ttpose.inference.prediction import TTAPrediction

# Log-odds of a corrected joint's side: surer than four views ever are of a name that they have right (about 2).
_CERTAIN = 5.0


@dataclass(frozen=True)
class CorrectedFrames:
    """What a person said of N frames of one clip, in order of time; places in original pixels.

    Attributes:
        places: [N, K, 2], where corrected joints are; NaN for the others.
        absent: bool [N, K]: joints that are not in the picture.
        sides: [N, K, 2] places that tell left from right: those of corrected joints, and of joints whose sides the
            person swapped; NaN for the others.
    """

    places: np.ndarray
    absent: np.ndarray
    sides: np.ndarray

    @property
    def placed(self) -> np.ndarray:
        """bool [N, K]: joints that a person placed."""
        return np.isfinite(self.places).all(-1)

    def pin(self, prediction: TTAPrediction) -> TTAPrediction:
        """A prediction of the N frames in which corrected joints have one candidate position, the person's."""
        placed, places = self.placed, self.places[self.placed]
        keypoints, single_view_keypoints = prediction.keypoints.copy(), prediction.single_view_keypoints.copy()
        for found in (keypoints, single_view_keypoints):
            found[placed] = np.concatenate([places, np.ones((len(places), 1))], 1)
            found[self.absent, 2] = 0.0
        peaks, odds, spread = prediction.peaks.copy(), prediction.side_odds.copy(), prediction.spread.copy()
        # A peak whose score is 0 is none.
        peaks[placed] = np.concatenate([places, np.zeros((len(places), 1))], 1)[:, None]
        odds[placed], spread[placed] = _CERTAIN, 0.0
        ensemble = prediction.ensemble
        if ensemble is not None:
            ensemble = ensemble.copy()
            ensemble[placed, :2] = places
        return replace(
            prediction,
            keypoints=keypoints,
            single_view_keypoints=single_view_keypoints,
            peaks=peaks,
            side_odds=odds,
            spread=spread,
            ensemble=ensemble,
        )

    @property
    def said(self) -> np.ndarray:
        """bool [N, K]: joints that a person said something of."""
        return self.placed | self.absent

    def part(self, rows: Sequence[int]) -> CorrectedFrames:
        """Some of the frames."""
        return CorrectedFrames(self.places[rows], self.absent[rows], self.sides[rows])

    def joints(self, count: int) -> CorrectedFrames:
        """The first so many keypoints alone."""
        return CorrectedFrames(self.places[:, :count], self.absent[:, :count], self.sides[:, :count])

    def applied_to(self, keypoints: np.ndarray) -> np.ndarray:
        """Keypoints [N, K, 3] with every corrected joint exactly where the person put it.

        Its score is 1; that of a joint that is not in the picture is 0, and its place stays the prediction's.
        """
        found = keypoints.copy()
        found[self.placed, :2] = self.places[self.placed]
        found[self.placed, 2] = 1.0
        found[self.absent, 2] = 0.0
        return found
