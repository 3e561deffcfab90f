"""Clips that are lists of pictures, and a detector that finds given boxes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from ttpose.core.geometry import Box
from ttpose.media import Frame, Source, SourceInfo
from ttpose.tracking.detector import Detection
from ttpose.tracking.track import SubjectTrack


class ListedClip(Source):
    """A clip of 25 frames a second; an image of None is a damaged frame. Counts how often it is read."""

    def __init__(self, images: Sequence[np.ndarray | None], notes: Mapping[int, str] | None = None) -> None:
        height, width = next((image.shape[:2] for image in images if image is not None), (1, 1))
        seconds = len(images) / 25
        self.info = SourceInfo(Path("clip.mp4"), "video", width, height, len(images), seconds, 25.0, 0)
        self.decoder, self.warnings, self.reads = "none", [], 0
        self._images, self._notes = images, notes or {}

    def frames(self, step: int = 1) -> Iterator[Frame]:
        self.reads += 1
        for index in range(0, len(self._images), step):
            yield Frame(index, index / 25, self._images[index], self._notes.get(index))


class ListedDetector:
    """Finds the given boxes in every image and counts how often it is asked."""

    def __init__(self, *boxes: Box) -> None:
        self.boxes, self.calls = boxes, 0

    def find(
        self, images: Sequence[np.ndarray], min_score: float | None = None, sizes: Sequence[int] | None = None
    ) -> list[list[Detection]]:
        self.calls += len(images)
        return [[Detection(box, 0.9) for box in self.boxes] for _ in images]


def track_of(boxes: Sequence[Box | None]) -> SubjectTrack:
    """The track of a subject in these boxes."""
    return SubjectTrack(tuple(boxes), tuple(box is not None for box in boxes), 1, 0)
