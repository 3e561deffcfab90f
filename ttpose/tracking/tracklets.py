"""Linking boxes of successive samples into tracklets: pieces of one person's path that are certain."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ttpose.core.geometry import Box
from ttpose.tracking.appearance import appearance_distance, mean_appearance
from ttpose.tracking.detector import Detection
from ttpose.tracking.settings import TrackSettings

NEVER = float("inf")
#: Recent sightings that stand for how a person looks now; light changes over longer times.
RECENT = 5


@dataclass(frozen=True)
class Sighting:
    """A person's box in one sampled frame; `appearance` is None where other people's boxes reach into it."""

    frame: int
    time: float
    box: Box
    score: float
    appearance: np.ndarray | None


@dataclass(eq=False)
class Tracklet:
    """Sightings of one person in order of time, within one shot."""

    shot: int
    sightings: list[Sighting] = field(default_factory=list)

    @property
    def first(self) -> Sighting:
        """The earliest sighting."""
        return self.sightings[0]

    @property
    def last(self) -> Sighting:
        """The latest sighting."""
        return self.sightings[-1]

    def overlaps(self, other: Tracklet) -> bool:
        """Whether both exist at one time, so that they are two people."""
        return self.first.time <= other.last.time and other.first.time <= self.last.time

    def appearance(self, *, early: bool = False) -> np.ndarray | None:
        """How the person looks at the end, or early on; None if never seen alone."""
        appearances = [s.appearance for s in self.sightings if s.appearance is not None]
        return mean_appearance(appearances[:RECENT] if early else appearances[-RECENT:]) if appearances else None

    def predict(self, time: float) -> Box:
        """Where motion carries the last box; at most half a second on, for people turn and stop.

        Its size is the median of the last few, and its speed that of the last half second, for single boxes may be
        cut short or run over.
        """
        if len(self.sightings) < 2:
            return self.last.box
        b = self.last
        a = next(s for s in self.sightings[-RECENT:] if b.time - s.time <= 0.5 or s is self.sightings[-2])
        share = min(time - b.time, 0.5) / max(b.time - a.time, 1e-3)
        (ax, ay), (bx, by) = a.box.center, b.box.center
        width, height = np.median([(s.box.width, s.box.height) for s in self.sightings[-RECENT:]], axis=0).tolist()
        # A step of more than a body a sample is doubtful, and so is going on at that pace.
        limit = max(width, height)
        dx, dy = np.clip(((bx - ax) * share, (by - ay) * share), -limit, limit).tolist()
        return Box(bx + dx - width / 2, by + dy - height / 2, width, height)


def covered(inner: Box, outer: Box) -> float:
    """The share of `inner` that lies in `outer`, 0..1."""
    w = min(inner.x + inner.width, outer.x + outer.width) - max(inner.x, outer.x)
    h = min(inner.y + inner.height, outer.y + outer.height) - max(inner.y, outer.y)
    return max(w, 0.0) * max(h, 0.0) / inner.area if inner.area else 0.0


def are_doubles(a: Box, b: Box) -> bool:
    """Whether two boxes may show one person: much overlap, or one lies in the other (an upper body in a body)."""
    return a.iou(b) > 0.45 or max(covered(a, b), covered(b, a)) > 0.7


def misfit(tracklet: Tracklet, box: Box, time: float, s: TrackSettings) -> float:
    """How badly a box fits a person's path, 0..1 within the limits of motion and size, else NEVER.

    The person may have gone on as before or stayed where it was, whichever is nearer.
    """
    expected, seconds = tracklet.predict(time), time - tracklet.last.time
    side = (expected.side + box.side) / 2
    if min(expected.area, box.area) <= 0:
        return NEVER
    centers = expected.center, tracklet.last.box.center
    far = min(float(np.hypot(*np.subtract(center, box.center))) for center in centers) / side
    far /= min(s.reach + s.reach_per_second * seconds, s.most_reach)
    size = abs(float(np.log(box.side / expected.side))) / float(np.log(s.size_ratio))
    return 0.65 * far + 0.35 * size if far <= 1 and size <= 1 else NEVER


class Linker:
    """Grows tracklets sample by sample; a doubtful link ends the tracklets that it concerns."""

    def __init__(self, settings: TrackSettings, begin_score: float) -> None:
        self.settings = settings
        self.begin_score = begin_score
        self.active: list[Tracklet] = []
        self.finished: list[Tracklet] = []

    def cut(self) -> None:
        """End all tracklets: another shot begins."""
        self.finished += self.active
        self.active = []

    def recognises(self, people: list[Detection], appearances: list[np.ndarray | None]) -> bool:
        """Whether somebody is still in place and in the same clothes, so that no other shot can have begun."""
        for tracklet in self.active:
            own = tracklet.appearance()
            for person, appearance in zip(people, appearances, strict=True):
                same = (
                    own is not None
                    and appearance is not None
                    and appearance_distance(own, appearance) < self.settings.same_appearance
                )
                if same and tracklet.last.box.iou(person.box) > self.settings.weak_overlap:
                    return True
        return False

    def add(
        self, frame: int, time: float, shot: int, people: list[Detection], appearances: list[np.ndarray | None]
    ) -> None:
        """Link one sample's people (with their appearances) to the tracklets, and begin tracklets for new ones."""
        lost = [t for t in self.active if time - t.last.time > self.settings.lost_s]
        self.finished += lost
        self.active = [t for t in self.active if t not in lost]

        costs = self._costs(time, people, appearances)
        pairs, doubtful = assign(costs, self.settings.margin, _rivals(people, self.begin_score))
        ended = [self.active[row] for row in doubtful]
        for row, column in pairs:
            self.active[row].sightings.append(
                Sighting(frame, time, people[column].box, people[column].score, appearances[column])
            )
        taken = [people[column].box for _, column in pairs]
        self.finished += ended
        self.active = [t for t in self.active if t not in ended]
        linked = {column for _, column in pairs}
        for column, person in enumerate(people):
            if column in linked or person.score < self.begin_score:
                continue
            if any(are_doubles(person.box, box) for box in taken):
                continue
            taken.append(person.box)
            sighting = Sighting(frame, time, person.box, person.score, appearances[column])
            self.active.append(Tracklet(shot, [sighting]))

    def _costs(self, time: float, people: list[Detection], appearances: list[np.ndarray | None]) -> np.ndarray:
        """Cost [tracklets, people] of each link, about 0 (same) to 2, NEVER where it cannot be."""
        s = self.settings
        costs = np.full((len(self.active), len(people)), NEVER)
        for row, tracklet in enumerate(self.active):
            own, expected = tracklet.appearance(), tracklet.predict(time)
            for column, person in enumerate(people):
                fit = misfit(tracklet, person.box, time, s)
                seen = appearances[column]
                appearance = 0.3 if own is None or seen is None else appearance_distance(own, seen)
                overlap = max(expected.iou(person.box), tracklet.last.box.iou(person.box))
                known = person.score >= self.begin_score or overlap >= s.weak_overlap
                if fit < NEVER and appearance <= s.appearance_limit and known:
                    # Of boxes that fit alike the surer one is drawn more exactly.
                    costs[row, column] = fit + 0.5 * (1 - overlap) + appearance - 0.5 * person.score
        return costs


def _rivals(people: list[Detection], begin_score: float) -> np.ndarray:
    """Boolean [N, N]: whether person j is somebody else than i, so that doubt between them matters."""
    return np.array(
        [[b.score >= begin_score and not are_doubles(a.box, b.box) for b in people] for a in people], bool
    ).reshape(len(people), len(people))


def assign(costs: np.ndarray, margin: float, rivals: np.ndarray) -> tuple[list[tuple[int, int]], set[int]]:
    """Pair rows with columns, cheapest first, and take back every pair that is in doubt.

    A pair is in doubt where exchanging partners with another pair, or giving one of its partners to a free row or a
    free column, would cost less than `margin` more.

    Args:
        costs: [R, C], NEVER where a pair cannot be.
        margin: In units of the costs.
        rivals: bool [C, C], which columns are really different from each other.

    Returns:
        The sure pairs (row, column), and the rows of the doubtful ones with the rows that made them so.
    """
    pairs: list[tuple[int, int]] = []
    used_rows: set[int] = set()
    used_columns: set[int] = set()
    for flat in np.argsort(costs, axis=None, kind="stable"):
        row, column = divmod(int(flat), costs.shape[1])
        if costs[row, column] == NEVER:
            break
        if row not in used_rows and column not in used_columns:
            pairs.append((row, column))
            used_rows.add(row)
            used_columns.add(column)
    doubtful: set[int] = set()
    unsure: set[tuple[int, int]] = set()
    for row, column in pairs:
        own = costs[row, column]
        for r, c in pairs:
            if r != row and costs[row, c] + costs[r, column] - own - costs[r, c] < margin:
                unsure |= {(row, column), (r, c)}
        for r in set(range(costs.shape[0])) - used_rows:
            if costs[r, column] - own < margin:
                unsure.add((row, column))
                doubtful.add(r)
        for c in set(range(costs.shape[1])) - used_columns:
            if rivals[column, c] and costs[row, c] - own < margin:
                unsure.add((row, column))
    doubtful |= {row for row, _ in unsure}
    return [pair for pair in pairs if pair not in unsure], doubtful
