"""Looking for people in one frame: the whole of it, then enlarged parts where somebody should be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ttpose.core.geometry import Box
from ttpose.tracking.detector import Detection, Detector
from ttpose.tracking.settings import TrackSettings
from ttpose.tracking.tracklets import NEVER, Tracklet, are_doubles, covered, misfit

#: The enlarged parts of a frame that is searched for small people, as shares of its width and height: x, y, w, h.
TILES = ((0.0, 0.0), (0.45, 0.0), (0.0, 0.45), (0.45, 0.45), (0.225, 0.225))
TILE = 0.55


class Searcher:
    """The detector with its searches of enlarged parts; counts the costly searches of a clip."""

    def __init__(self, detector: Detector, settings: TrackSettings) -> None:
        self.detector = detector
        self.settings = settings
        self._searches = 0

    def search(self, image: np.ndarray, time: float, expected: Sequence[Tracklet]) -> list[Detection]:
        """Find the people of an RGB frame, boxes in its pixels.

        Args:
            image: uint8 [H, W, 3].
            time: Its time in seconds.
            expected: People who were seen lately; where one is not found well, that part is searched enlarged.
        """
        s = self.settings
        people = self.detector.find([image], s.keep_score)[0]
        if not people and not expected and self._searches < s.most_searches:
            self._searches += 1
            tiles = [_tile(image, x, y) for x, y in TILES]
            return drop_doubles([d for tile in tiles for d in self._part(image, tile, s.search_score)])
        for tracklet in self._missed(people, time, expected):
            view = _view(tracklet, time, s.zoom)
            # Enlarging by less than a third would show the network nothing new.
            if view.side < 0.75 * max(image.shape[:2]):
                people = people + self._part(image, view, s.keep_score)
        return drop_doubles(people)

    def _missed(self, people: list[Detection], time: float, expected: Sequence[Tracklet]) -> list[Tracklet]:
        """The largest of those expected people whom no sure detection fits."""
        s = self.settings
        sure = [p for p in people if p.score >= s.sure_score]
        missed = [t for t in expected if not any(misfit(t, p.box, time, s) < NEVER for p in sure)]
        return sorted(missed, key=lambda t: -t.last.box.area * len(t.sightings))[: s.most_zooms]

    def _part(self, image: np.ndarray, part: Box, min_score: float) -> list[Detection]:
        """People in a part of the image; those whom the part's edge cuts are left out."""
        height, width = image.shape[:2]
        part = part.clipped(width, height)
        x0, y0 = round(part.x + 0.5), round(part.y + 0.5)
        view = image[y0 : round(part.y + part.height + 0.5), x0 : round(part.x + part.width + 0.5)]
        if min(view.shape[:2]) < 8:
            return []
        h, w = view.shape[:2]
        near = 0.01 * max(h, w)
        kept = []
        for found in self.detector.find([view], min_score, [self.settings.zoom_size])[0]:
            b = found.box
            cut = (
                (b.x < near and x0 > 0)
                or (b.y < near and y0 > 0)
                or (b.x + b.width > w - near and x0 + w < width)
                or (b.y + b.height > h - near and y0 + h < height)
            )
            if not cut:
                kept.append(Detection(Box(b.x + x0, b.y + y0, b.width, b.height), found.score))
        return kept


def _view(tracklet: Tracklet, time: float, zoom: float) -> Box:
    """The square in which a person should be: about where it was and where motion may have carried it."""
    before, expected = tracklet.last.box, tracklet.predict(time)
    (ax, ay), (bx, by) = before.center, expected.center
    side = max(before.side, expected.side) * zoom + max(abs(ax - bx), abs(ay - by))
    return Box((ax + bx - side) / 2, (ay + by - side) / 2, side, side)


def _tile(image: np.ndarray, x: float, y: float) -> Box:
    height, width = image.shape[:2]
    return Box(x * width, y * height, TILE * width, TILE * height)


def drop_doubles(people: list[Detection]) -> list[Detection]:
    """Of boxes that may show one person keep the best, and a second one only if it scores nearly as well."""
    kept: list[Detection] = []
    for person in sorted(people, key=lambda p: -p.score):
        rivals = [other for other in kept if are_doubles(person.box, other.box)]
        same = any(person.box.iou(other.box) > 0.5 for other in rivals)
        weak = any(person.score < 0.6 * other.score for other in rivals)
        if not same and not weak:
            kept.append(person)
    return kept


def is_alone(index: int, people: Sequence[Detection], min_score: float) -> bool:
    """Whether no other sure person's box reaches far into person `index`'s."""
    own = people[index].box
    return all(
        covered(own, other.box) < 0.3 for i, other in enumerate(people) if i != index and other.score >= min_score
    )
