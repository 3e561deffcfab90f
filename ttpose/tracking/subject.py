"""From tracklets to people: joining pieces over gaps, and choosing the one subject."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ttpose.core.errors import NoPersonError, UsageError
from ttpose.tracking.appearance import appearance_distance
from ttpose.tracking.settings import TrackSettings
from ttpose.tracking.tracklets import NEVER, Sighting, Tracklet, assign, misfit


@dataclass(frozen=True)
class Person:
    """One person's tracklets in order of time."""

    tracklets: tuple[Tracklet, ...]

    @property
    def sightings(self) -> list[Sighting]:
        """All sightings in order of time."""
        return [s for tracklet in self.tracklets for s in tracklet.sightings]


def join(tracklets: list[Tracklet], settings: TrackSettings) -> list[Person]:
    """Chain tracklets of the same person where motion and colours agree and nobody else fits nearly as well.

    Short gaps first; a join in doubt is left open, for a gap does less harm than a wrong person. Long gaps and cuts,
    which motion cannot bridge, are joined in a second step, by colours alone and much more strictly.
    """
    largest = sorted(tracklets, key=lambda t: -sum(s.box.area * s.score for s in t.sightings))
    people = [Person((t,)) for t in largest[: settings.most_tracklets]]
    people = _chain(people, lambda a, b: _short_cost(a, b, settings), settings.margin)
    limit = settings.long_appearance if _ever_together(people, settings) else settings.long_appearance_alone
    return _chain(people, lambda a, b: _long_cost(a, b, limit, settings), settings.margin)


def _chain(people: list[Person], cost: Callable[[Tracklet, Tracklet], float], margin: float) -> list[Person]:
    """Give each person at most one successor and one predecessor, by the cheapest sure pairs; earliest first."""
    people = sorted(people, key=lambda p: p.tracklets[0].first.time)
    if not people:
        return []
    costs = np.array([[cost(a.tracklets[-1], b.tracklets[0]) for b in people] for a in people])
    together = np.array([[a.tracklets[0].overlaps(b.tracklets[0]) for b in people] for a in people])
    pairs, _ = assign(costs, margin, together)
    after = dict(pairs)
    chains = []
    for start in sorted(set(range(len(people))) - set(after.values())):
        links = [start]
        while links[-1] in after:
            links.append(after[links[-1]])
        chains.append(Person(tuple(t for link in links for t in people[link].tracklets)))
    return chains


def _appearance_distance(a: Tracklet, b: Tracklet) -> float | None:
    before, after = a.appearance(), b.appearance(early=True)
    return None if before is None or after is None else appearance_distance(before, after)


def _short_cost(a: Tracklet, b: Tracklet, s: TrackSettings) -> float:
    """Cost of b following a in the same shot within a short gap."""
    gap = b.first.time - a.last.time
    if a.shot != b.shot or not 0 < gap <= s.join_s:
        return NEVER
    fit = misfit(a, b.first.box, b.first.time, s)
    appearance = _appearance_distance(a, b)
    if appearance is not None and appearance > s.join_appearance:
        return NEVER
    return fit + (0.3 if appearance is None else appearance) + 0.1 * gap


def _long_cost(a: Tracklet, b: Tracklet, limit: float, s: TrackSettings) -> float:
    """Cost of b following a after a long absence or in another shot."""
    gap = b.first.time - a.last.time
    if gap <= 0 or (a.shot == b.shot and gap <= s.join_s) or min(len(a.sightings), len(b.sightings)) < s.long_least:
        return NEVER
    appearance = _appearance_distance(a, b)
    return NEVER if appearance is None or appearance > limit else appearance


def perhaps_again(person: Person, people: Sequence[Person], settings: TrackSettings) -> Person | None:
    """Who of the people left before this one came and may be the same: the one most alike whom colours do not rule out.

    Joining them was too doubtful, so that they have numbers of their own.
    """
    begin = person.tracklets[0]
    before = [other for other in people if other.tracklets[-1].last.time < begin.first.time]
    distances = [(_appearance_distance(other.tracklets[-1], begin), other) for other in before]
    alike = [(0.3 if d is None else d, other) for d, other in distances if d is None or d <= settings.join_appearance]
    return min(alike, key=lambda pair: pair[0])[1] if alike else None


def _ever_together(people: list[Person], s: TrackSettings) -> bool:
    """Whether two people, each seen more than by chance, are in the picture at one time."""
    lasting = [t for p in people for t in p.tracklets if len(t.sightings) >= s.long_least]
    return any(a is not b and a.overlaps(b) for a in lasting for b in lasting)


@dataclass(frozen=True)
class Scene:
    """What choosing needs to know of the clip: frame size, the sampled frames' indices, which holes are bridged."""

    width: int
    height: int
    samples: list[int]
    bridge_s: float


Point = tuple[float, float]


def parse_subject(subject: str) -> str | Point:
    """Check a `--subject` value: "auto", "largest", "center", or "X,Y" as a point.

    Raises:
        UsageError: It is none of these.
    """
    if subject in ("auto", "largest", "center"):
        return subject
    try:
        x, y = (float(part) for part in subject.split(","))
    except ValueError:
        x = y = float("nan")
    if not (np.isfinite(x) and np.isfinite(y)):
        raise UsageError(
            f"--subject {subject}: not a way to choose a person",
            "use auto, largest, center, or X,Y: a point on the person in the first frame",
        )
    return x, y


def parse_people(people: int | str | None) -> int | None:
    """How many people `--people` asks for: None for "all", 1 for None (where it is left out).

    Raises:
        UsageError: It is neither "all" nor a number from 1.
    """
    if people == "all":
        return None
    try:
        count = 1 if people is None else int(people)
    except ValueError:
        count = 0
    if count < 1:
        raise UsageError(f"--people {people}: not a number of people", "use a number from 1, or all")
    return count


def choose(people: list[Person], rule: str | Point, scene: Scene) -> Person:
    """Choose the one subject of a clip.

    "auto" takes the greatest area × duration × continuity: the mean of box area / frame area; the share of the clip's
    samples in which the person is there; and the share of those between its first and last. A person is there where
    it was found, and in holes short enough to be bridged.
    "largest" takes the greatest mean area, "center" the least mean distance from the middle of the frame, both
    among people seen in at least half as many samples as the one seen most. A point takes the person whose box in the
    first sampled frame holds it, the nearest centre if several do.

    Raises:
        NoPersonError: Nobody is at the point.
    """
    if not isinstance(rule, str):
        return _at_point(people, rule, scene)
    most = max(len(p.sightings) for p in people)
    lasting = [p for p in people if 2 * len(p.sightings) >= most]
    if rule == "largest":
        return max(lasting, key=_area)
    if rule == "center":
        middle = (scene.width - 1) / 2, (scene.height - 1) / 2
        return min(
            lasting,
            key=lambda p: float(np.mean([np.hypot(*np.subtract(s.box.center, middle)) for s in p.sightings])),
        )
    return max(people, key=lambda p: importance(p, scene))


def importance(person: Person, scene: Scene) -> float:
    """Area × duration × continuity, 0..1, see `choose`."""
    seen = person.sightings
    holes = [(a.frame, b.frame) for a, b in pairwise(seen) if b.time - a.time > scene.bridge_s]
    span = [index for index in scene.samples if seen[0].frame <= index <= seen[-1].frame]
    there = [index for index in span if not any(a < index < b for a, b in holes)]
    area = _area(person) / (scene.width * scene.height)
    return area * len(there) / len(scene.samples) * len(there) / len(span)


def _area(person: Person) -> float:
    """Mean area of the boxes, square pixels."""
    return float(np.mean([s.box.area for s in person.sightings]))


def _at_point(people: list[Person], point: Point, scene: Scene) -> Person:
    first = scene.samples[0]
    there = [(p, s.box) for p in people for s in p.sightings if s.frame == first]
    x, y = point
    holding = [(p, b) for p, b in there if b.holds(x, y)]
    if not holding:
        spots = " or ".join(f"{b.center[0]:.0f},{b.center[1]:.0f}" for _, b in there)
        raise NoPersonError(  # of this clip; the others of a batch go on
            f"--subject {x:g},{y:g}: nobody is there in the first frame",
            f"people are at {spots}" if spots else "nobody was found in the first frame; use auto, largest or center",
        )
    return min(holding, key=lambda item: float(np.hypot(*np.subtract(item[1].center, point))))[0]
