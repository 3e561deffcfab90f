"""The live loop: take a frame, follow the person, predict, show, record, let the learner have it."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

from ttpose.core.errors import InputError, NoPersonError
from ttpose.core.progress import Progress
from ttpose.inference.photos import predict_in_box
from ttpose.inference.settings import SINGLE_VIEW
from ttpose.live.follow import Predict, Sight
from ttpose.live.learner import Learner, LearnerState, LearnSettings
from ttpose.live.people import Followers
from ttpose.live.recorder import Recorder
from ttpose.live.streams import LiveSource, Newest, paced
from ttpose.live.window import Key, Window
from ttpose.media import Frame
from ttpose.models.engine import PoseNetwork, compiled
from ttpose.models.person import PersonDelta
from ttpose.models.pose_model import PoseModel
from ttpose.models.shipped import LoadedModel
from ttpose.report.drawing import Colours, draw_skeleton
from ttpose.results import FrameRecord, PersonRecord
from ttpose.tracking.detector import Detector

# Frames whose times tell the speed that is shown.
_RECENT = 30


@dataclass(frozen=True)
class LiveSettings:
    """How a live session runs.

    Attributes:
        subject: Whom to begin with.
        people: How many people to follow; None follows all, at most `ttpose.live.people.MOST`.
        every_frame: Wait for every frame of a file instead of dropping what there is no time for.
        seconds: End after so much of the stream; None: not before it ends.
        output: A keypoint file to write, or None.
        status_s: Seconds between two lines of what goes on.
        learn: Numbers of learning.
    """

    subject: str = "auto"
    people: int | None = 1
    every_frame: bool = False
    seconds: float | None = None
    output: Path | None = None
    status_s: float = 10.0
    learn: LearnSettings = field(default_factory=LearnSettings)


@dataclass(frozen=True)
class LiveSummary:
    """What a live session came to.

    Attributes:
        frames: Predicted frames.
        seen: Those with somebody in them.
        dropped: Frames of the stream that there was no time for.
        seconds: How long it took.
        learned: Of person 1: steps, checks, restarts, and the weights.
        everybody: The same of each person, by number.
        broken: Why the stream broke off, or None where it ended as it should.
    """

    frames: int
    seen: int
    dropped: int
    seconds: float
    learned: LearnerState
    everybody: dict[int, LearnerState]
    broken: InputError | None = None


class Live:
    """One session.

    Args:
        loaded: The weights to start from.
        detector: Finds people.
        settings: How.
        window: Where to show it, or None.
        save: Called with what was learned of each person, by number, when the user presses the key for it.
        progress: Receives a note about another person.
        status: Receives a line of what goes on every few seconds.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        detector: Detector,
        settings: LiveSettings | None = None,
        *,
        window: Window | None = None,
        save: Callable[[dict[int, LearnerState]], None] | None = None,
        progress: Progress | None = None,
        status: Callable[[str], None] | None = None,
    ) -> None:
        self._loaded, self._settings = loaded, settings or LiveSettings()
        self._window, self._save = window, save
        self._progress, self._say = progress or Progress(), status
        self._followers = Followers(detector, loaded.model.skeleton, self._settings.subject, self._settings.people)
        self._several = self._settings.people != 1
        self._base = compiled(loaded.model, low_latency=True)
        self._show_base = False
        self._frames = self._seen = self._dropped = 0
        self._persons: dict[int, int] = {}  # by number who is followed now
        self._ids: dict[tuple[int, int], int] = {}  # of everybody who was followed, in order
        self._size = (1, 1)
        self._last_s = 0.0
        self._times: deque[float] = deque(maxlen=_RECENT)

    def run(self, source: LiveSource) -> LiveSummary:
        """Predict and learn until the stream ends, the user quits, or Ctrl-C.

        Raises:
            InputError: The stream gave no frame.
            NoPersonError: Nobody was in the whole stream.
            OutputError: The keypoint file cannot be written.
        """
        begin, broken = time.monotonic(), None
        with ExitStack() as stack:
            output = self._settings.output
            recorder = stack.enter_context(Recorder(output)) if output is not None else None
            waits = self._settings.every_frame and not source.endless
            learner = Learners(self._loaded.model, self._base, self._settings.learn, polite=not waits)
            stack.callback(learner.close)
            try:
                self._loop(source, learner, recorder)
            except KeyboardInterrupt:  # the usual way to end a session without a window
                pass
            except InputError as error:
                broken = error
            learned = learner.close()
            if recorder is not None and recorder.frames:
                self._finish(recorder, source, learned)
        if broken is not None and not self._frames:
            raise broken
        if broken is None and not self._seen:
            raise NoPersonError(f"{source.name}: no person was found", "step back until all of you is in the picture")
        seconds = time.monotonic() - begin
        return LiveSummary(self._frames, self._seen, self._dropped, seconds, learned[1], learned, broken)

    def _loop(self, source: LiveSource, learner: Learners, recorder: Recorder | None) -> None:
        said = time.monotonic()
        with closing(self._stream(source)) as frames:
            for frame in frames:
                if self._asked_to_end(learner) or self._too_late(frame):
                    return
                if frame is not None:
                    self._do(frame, learner, recorder)
                if self._say is not None and time.monotonic() - said >= self._settings.status_s:
                    said = time.monotonic()
                    self._say(f"{self._frames} frames, {self._status(learner)}{_memory()}")

    def _stream(self, source: LiveSource) -> Generator[Frame | None, None, None]:
        if self._settings.every_frame and not source.endless:
            with closing(source.frames) as frames:
                yield from frames
            return
        with closing(Newest(source.frames if source.endless else paced(source.frames))) as newest:
            for frame in newest:
                self._dropped = newest.dropped
                yield frame

    def _too_late(self, frame: Frame | None) -> bool:
        seconds = self._settings.seconds
        return frame is not None and seconds is not None and frame.time_s >= seconds

    def _do(self, frame: Frame, learner: Learners, recorder: Recorder | None) -> None:
        """One frame. Weights change between frames only, never within one."""
        sights: dict[int, Sight] = {}
        if frame.image is not None:
            self._size = frame.image.shape[1::-1]
            networks = {number: learned.network for number, learned in learner.learned.items()}
            sights = self._followers.follow(
                frame.image, frame.time_s, lambda number: self._predicting(networks.get(number, self._base))
            )
        for number, sight in sights.items():
            self._learn(frame, number, sight, learner)
        people = {self._id(number, sight): sight for number, sight in sights.items()}
        if recorder is not None:
            recorder.add(_record(self._frames, frame, people))
        self._frames += 1
        self._seen += bool(people)
        self._last_s = frame.time_s
        self._times.append(time.monotonic())
        if self._window is not None and frame.image is not None:
            image = frame.image.copy()
            for id_, sight in people.items():
                colours = Colours.of_number(id_) if self._several else None
                image = draw_skeleton(image, sight.keypoints, self._loaded.model.skeleton, colours=colours)
            self._window.show(image, self._status(learner))

    def _predicting(self, personal: PoseNetwork) -> Predict:
        network = self._base if self._show_base else personal
        return lambda image, box: predict_in_box(image, box, network, SINGLE_VIEW)

    def _id(self, number: int, sight: Sight) -> int:
        return self._ids.setdefault((number, sight.person), len(self._ids) + 1)

    def _learn(self, frame: Frame, number: int, sight: Sight, learner: Learners) -> None:
        own = learner.of(number)
        # The first one is not another one; somebody who comes later may be.
        if sight.person != self._persons.setdefault(number, sight.person if number > 1 else 0):
            self._persons[number] = sight.person
            own.restart()
            self._progress.note("another person: learning starts again")
        if sight.sure:
            own.offer(frame, sight.box)

    def _asked_to_end(self, learner: Learners) -> bool:
        key = None if self._window is None else self._window.key()
        if key is Key.pause:
            learner.paused = not learner.paused
        elif key is Key.toggle:
            self._show_base = not self._show_base
        elif key is Key.save and self._save is not None:
            self._save(learner.learned)
        return key is Key.quit

    def _status(self, learner: Learners) -> str:
        span = self._times[-1] - self._times[0] if len(self._times) > 1 else 0.0
        speed = f"{(len(self._times) - 1) / span:.1f} a second" if span > 0 else "starting"
        learned = learner.learned[1]
        shown = "base" if self._show_base or learned.model is self._loaded.model else "personalized"
        steps = sum(each.steps for each in learner.learned.values())
        people = f", {len(learner.learned)} people" if self._several else ""
        return f"{speed}, {shown}{people}, {steps} steps{' (paused)' if learner.paused else ''}"

    def _finish(self, recorder: Recorder, source: LiveSource, learned: dict[int, LearnerState]) -> None:
        info = {
            "path": source.name, "kind": "video", "width": self._size[0], "height": self._size[1],
            "frames": recorder.frames, "duration_s": self._last_s,
        }  # fmt: skip
        report = learned[1].report
        guard = None if report is None or self._several else report.to_dict()
        recorder.finish(info, self._loaded.describe() | {"guard": guard}, self._loaded.model.skeleton)


class Learners:
    """What is learned of each person, in a thread of their own that begins when the person is seen.

    Args:
        start, network, settings, polite: As of a `Learner`.
    """

    def __init__(self, start: PoseModel, network: PoseNetwork, settings: LearnSettings, *, polite: bool) -> None:
        self._begin = lambda: Learner(start, settings, polite=polite, network=network)
        self._learners = {1: self._begin()}

    def of(self, number: int) -> Learner:
        """A person's."""
        if number not in self._learners:
            self._learners[number] = self._begin()
            self._learners[number].paused = self.paused
        return self._learners[number]

    @property
    def learned(self) -> dict[int, LearnerState]:
        """By number."""
        return {number: learner.learned for number, learner in self._learners.items()}

    @property
    def paused(self) -> bool:
        """Whether nobody learns."""
        return self._learners[1].paused

    @paused.setter
    def paused(self, paused: bool) -> None:
        for learner in self._learners.values():
            learner.paused = paused

    def close(self) -> dict[int, LearnerState]:
        """End all threads, and say what was learned."""
        return {number: learner.close() for number, learner in self._learners.items()}


def _record(index: int, frame: Frame, people: dict[int, Sight]) -> FrameRecord:
    if not people:
        note = "the frame is damaged" if frame.image is None else "the person was not found"
        return FrameRecord(index, frame.time_s, (), frame.note or note)
    records = [PersonRecord(id_, sight.box, sight.keypoints) for id_, sight in people.items()]
    return FrameRecord(index, frame.time_s, tuple(records), frame.note)


def _memory() -> str:
    """The memory in use, where the system tells it."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError):
        return ""
    return f", {pages * os.sysconf('SC_PAGE_SIZE') / 1e6:.0f} MB"


def person_of(learned: LearnerState, base: LoadedModel, source: str) -> PersonDelta | None:
    """What was learned as a person file on a base; None where that is nothing."""
    notes = {"source": source, "mode": "live", "base": base.base}
    delta = PersonDelta.between(base.model, learned.model, base.base_sha256, notes)
    return delta if delta.changes else None
