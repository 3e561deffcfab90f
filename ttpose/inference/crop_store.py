"""Crops of a clip kept in memory, at most so many and evenly spread over it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ttpose.inference.crops import PersonCrop
from ttpose.inference.prediction import TTAPrediction


class CropStore:
    """Keeps at most `most` crops, evenly over a clip whose length nobody knows beforehand.

    Every `stride`-th crop is kept; when there are too many, every other one goes and the stride doubles.

    Args:
        most: Crops to keep.
        always: Numbers of frames that are kept besides, wherever they are: those that a person corrected.
    """

    def __init__(self, most: int, always: Collection[int] = ()) -> None:
        self.most = most
        self.always = frozenset(always)
        self.stride = 1
        self.offered = 0
        self._kept: list[tuple[int, PersonCrop, TTAPrediction | None]] = []

    def offer(self, crop: PersonCrop, prediction: TTAPrediction | None = None) -> None:
        """Take the next crop in order of time, and its prediction (N = 1), or let it go."""
        if self.offered % self.stride == 0 or crop.index in self.always:
            self._kept.append((self.offered, crop, prediction))
        self.offered += 1
        if sum(crop.index not in self.always for _, crop, _ in self._kept) > self.most:
            self.stride *= 2
            self._kept = [k for k in self._kept if k[0] % self.stride == 0 or k[1].index in self.always]

    @property
    def crops(self) -> list[PersonCrop]:
        """What is kept, in order."""
        return [crop for _, crop, _ in self._kept]

    @property
    def predictions(self) -> list[TTAPrediction]:
        """The kept crops' predictions, as far as there are any, in order."""
        return [prediction for _, _, prediction in self._kept if prediction is not None]

    def keep_maps(self, rows: Collection[int]) -> None:
        """Let the heatmaps go, which take nearly as much memory as the crops, but for some of the kept crops."""
        self._kept = [
            (number, crop, seen if seen is None or row in rows else replace(seen, maps=None))
            for row, (number, crop, seen) in enumerate(self._kept)
        ]

    @property
    def complete(self) -> bool:
        """Whether nothing was let go."""
        return self.stride == 1
