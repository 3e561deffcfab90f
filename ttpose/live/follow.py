"""One person followed from frame to frame: by the last pose, and by the detector where that cannot be trusted."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ttpose.core.geometry import Box
from ttpose.core.skeleton import Skeleton
from ttpose.tracking.appearance import appearance_distance, appearance_of, mean_appearance
from ttpose.tracking.box_correction import BoxCorrectionSettings, better_box, needs_redetection, refine_box
from ttpose.tracking.detector import Detection, Detector
from ttpose.tracking.search import is_alone
from ttpose.tracking.settings import TrackSettings
from ttpose.tracking.subject import parse_subject
from ttpose.tracking.tracklets import RECENT

#: Keypoints [K, 3] in image pixels of the person in a box of an RGB image.
Predict = Callable[[np.ndarray, Box], np.ndarray]


@dataclass(frozen=True)
class FollowSettings:
    """Numbers of following live; overlaps are intersection over union."""

    check_s: float = 1.0  # the detector confirms the box this often, 0.06 s of work each time
    search_s: float = 0.2  # between two searches where nobody is
    lost_s: float = 1.0  # a pose that was bad for so long has lost its person
    faithful_s: float = 5.0  # after a loss, only somebody in the same clothes is taken for this long
    min_score: float = 0.35  # the detector's own limit


@dataclass(frozen=True)
class Sight:
    """The person in one frame.

    Attributes:
        box: In image pixels.
        keypoints: [K, 3] image pixels.
        person: Rises by one whenever somebody else is followed.
        sure: The pose is good enough to learn from.
    """

    box: Box
    keypoints: np.ndarray
    person: int
    sure: bool


class Follower:
    """Follows one person through a stream.

    Args:
        detector: Finds people in a frame.
        skeleton: Names the keypoints.
        subject: Whom to begin with: "auto" and "largest" the largest, "center", or "X,Y".
        settings: Numbers.

    Raises:
        UsageError: `subject` is malformed.
    """

    def __init__(
        self, detector: Detector, skeleton: Skeleton, subject: str = "auto", settings: FollowSettings | None = None
    ) -> None:
        self._detector, self._skeleton, self._rule = detector, skeleton, parse_subject(subject)
        self._settings, self._track = settings or FollowSettings(), TrackSettings()
        self._boxes = BoxCorrectionSettings()
        self._box: Box | None = None
        self._person = 0
        self._appearances: deque[np.ndarray] = deque(maxlen=RECENT)
        self._found_at = self._good_at = self._searched_at = -np.inf

    @property
    def box(self) -> Box | None:
        """Where the person is expected in the next frame; None while the person is searched for."""
        return self._box

    def leave(self) -> None:
        """Give the place up: somebody else is there. The person is searched for."""
        self._box = None

    def follow(self, image: np.ndarray, time_s: float, predict: Predict) -> Sight | None:
        """Where the person is in the next frame, or None.

        Args:
            image: RGB uint8 [H, W, 3].
            time_s: Rising.
            predict: The model.
        """
        box = self._box or self._search(image, time_s)
        if box is None:
            return None
        keypoints = predict(image, box)
        doubtful = needs_redetection(box, keypoints)
        confirmed: Box | None = None
        if doubtful or time_s - self._found_at >= self._settings.check_s:
            confirmed = self._confirm(image, box, time_s)
            if confirmed is None and doubtful and time_s - self._good_at > self._settings.lost_s:
                self._box = None
                return None
        found = [] if confirmed is None else [confirmed]
        other = better_box(box, keypoints, lambda: found, skeleton=self._skeleton)
        if other != box:
            box, keypoints = other, predict(image, other)
            doubtful = needs_redetection(box, keypoints)
        refined = refine_box(box, keypoints, skeleton=self._skeleton)
        self._good_at = self._good_at if doubtful else time_s
        # From frame to frame a box could drift or grow out of the picture for good.
        inside = refined.clipped(image.shape[1], image.shape[0])
        self._box = inside if inside.area > 0 else None
        return Sight(refined, keypoints, self._person, not doubtful)

    def _confirm(self, image: np.ndarray, box: Box, time_s: float) -> Box | None:
        """The detection where the person is expected."""
        people = self._detector.find([image])[0]
        near = [i for i, p in enumerate(people) if p.box.iou(box) > self._boxes.expected]
        if not near:
            return None
        best = max(near, key=lambda i: people[i].box.iou(box))
        self._remember(image, best, people, time_s)
        return people[best].box.with_margin(self._track.margin_share)

    def _search(self, image: np.ndarray, time_s: float) -> Box | None:
        """Somebody to follow: the person from before, later anybody."""
        if time_s - self._searched_at < self._settings.search_s:
            return None
        self._searched_at = time_s
        people = [p for p in self._detector.find([image])[0] if p.score >= self._settings.min_score]
        away = time_s - self._good_at > self._settings.faithful_s
        known = [i for i, p in enumerate(people) if self._appears_alike(image, p.box)]
        chosen = self._choose(people, known or (list(range(len(people))) if away else []), image)
        if chosen is None:
            return None
        if chosen not in known:
            self._person += 1
            self._appearances.clear()
        self._good_at = time_s
        self._remember(image, chosen, people, time_s)
        return people[chosen].box.with_margin(self._track.margin_share)

    def _choose(self, people: list[Detection], among: list[int], image: np.ndarray) -> int | None:
        if not isinstance(self._rule, str) and self._found_at == -np.inf:  # a point says whom to begin with
            x, y = self._rule
            return next((i for i in among if people[i].box.holds(x, y)), None)
        if self._rule == "center":
            middle = (image.shape[1] - 1) / 2, (image.shape[0] - 1) / 2
            return min(among, key=lambda i: float(np.hypot(*np.subtract(people[i].box.center, middle))), default=None)
        return max(among, key=lambda i: people[i].box.area, default=None)

    def _appears_alike(self, image: np.ndarray, box: Box) -> bool:
        if not self._appearances:
            return True
        return (
            appearance_distance(mean_appearance(list(self._appearances)), appearance_of(image, box))
            <= self._track.join_appearance
        )

    def _remember(self, image: np.ndarray, chosen: int, people: list[Detection], time_s: float) -> None:
        self._found_at = time_s
        if is_alone(chosen, people, self._settings.min_score):
            self._appearances.append(appearance_of(image, people[chosen].box))
