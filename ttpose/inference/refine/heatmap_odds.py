"""How likely candidates are where no trees know the base: the heatmaps' own values."""

from __future__ import annotations

import numpy as np

from ttpose.inference.refine.candidates import MIRROR_AND_LINE

# Another network's visibility is no heatmap value of this base's; half of it lets the path go there only where the
# base itself is in doubt.
_OTHER_NETWORK = 0.5


class HeatmapOdds:
    """Stands in the place of trained trees (`ttpose.models.boosted_trees.Forest`) for bases that these do not know."""

    def __init__(self, ensemble_kind: int | None) -> None:
        self._ensemble_kind = ensemble_kind

    def probability(self, features: np.ndarray) -> np.ndarray:
        """[N] of rows of `candidates`' features: a peak is as likely as it is high, a place without one hardly."""
        value, kind = np.nan_to_num(features[:, 0]).clip(0, 1), features[:, 2]
        chance = np.where(np.isin(kind, MIRROR_AND_LINE), 0.0, value)
        if self._ensemble_kind is not None:
            chance = np.where(kind == self._ensemble_kind, _OTHER_NETWORK * value, chance)
        return np.asarray(chance)
