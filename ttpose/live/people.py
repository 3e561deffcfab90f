"""Several people followed through a stream, each by a follower of their own, from one detection a frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ttpose.core.geometry import Box
from ttpose.core.skeleton import Skeleton
from ttpose.inference.rivals import are_same
from ttpose.live.follow import Follower, Predict, Sight
from ttpose.tracking.detector import Detection, Detector, SharedDetector

#: People who are followed at most where all are asked for: each takes a network's run a frame, and learns.
MOST = 6
_TAKEN = 0.4  # a detection that overlaps somebody's box by more (intersection over union) is that person


class _Others:
    """A detector that leaves out people whom others follow."""

    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        self.taken: list[Box] = []

    def find(
        self, images: Sequence[np.ndarray], min_score: float | None = None, sizes: Sequence[int] | None = None
    ) -> list[list[Detection]]:
        """As the detector does."""
        return [
            [person for person in people if all(person.box.iou(box) <= _TAKEN for box in self.taken)]
            for people in self.detector.find(images, min_score, sizes)
        ]


class Followers:
    """Follows several people; each keeps the number under which it was found first.

    Args:
        detector: Finds people in a frame.
        skeleton: Names the keypoints.
        subject: Whom to begin with.
        count: How many people; None follows all, at most `MOST`.

    Raises:
        UsageError: `subject` is malformed.
    """

    def __init__(self, detector: Detector, skeleton: Skeleton, subject: str = "auto", count: int | None = 1) -> None:
        self._detector, self._skeleton, self._subject = detector, skeleton, subject
        self._most = MOST if count is None else count
        self._views: list[_Others] = []
        self._followers: list[Follower] = []
        self._add()

    def follow(self, image: np.ndarray, time_s: float, predict: Callable[[int], Predict]) -> dict[int, Sight]:
        """Where people are in the next frame, by number.

        Args:
            image: RGB uint8 [H, W, 3].
            time_s: Rising.
            predict: Gives the model of a person.
        """
        shared: Detector = self._detector if self._most == 1 else SharedDetector(self._detector)
        found: dict[int, Sight] = {}
        for number, (view, follower) in enumerate(zip(self._views, self._followers, strict=True), start=1):
            view.detector = shared
            view.taken = [other.box for other in self._followers if other is not follower and other.box is not None]
            sight = follower.follow(image, time_s, predict(number))
            if sight is not None and any(are_same(sight.keypoints, other.keypoints) for other in found.values()):
                follower.leave()  # whoever has the lower number keeps the pose; this one is looked for again
            elif sight is not None:
                found[number] = sight
        if len(self._followers) < self._most and all(follower.box is not None for follower in self._followers):
            self._add()
        return found

    def _add(self) -> None:
        view = _Others(self._detector)
        subject = "largest" if self._followers else self._subject
        self._views.append(view)
        self._followers.append(Follower(view, self._skeleton, subject))
