"""One person's personalization, from the first pass over clips and photos to the person file and keypoints."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ttpose.adaptation.estimate import Estimate
from ttpose.adaptation.from_corrections import learned_rows, personalize_from_corrections
from ttpose.adaptation.guard.metrics import GuardReport
from ttpose.adaptation.labels import corrected_frames
from ttpose.adaptation.methods import fitted
from ttpose.adaptation.observed_clip import (
    MOST_KEPT,
    MOST_ONLINE,
    ObservedClip,
    corrections_of,
    crops_of,
    keep_maps,
    observe_clip,
    observe_people,
    predict_again,
    teacher_of,
)
from ttpose.adaptation.online import personalize_stream
from ttpose.adaptation.samples import Samples
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.adaptation.weights import PersonalizedWeights
from ttpose.core.errors import InputError, UsageError
from ttpose.core.memory import give_back_memory
from ttpose.core.progress import Progress
from ttpose.core.skeleton import COCO17, COCO17_FEET, Skeleton
from ttpose.corrections.model import Corrections
from ttpose.inference.ensemble import forget_ensemble
from ttpose.inference.prediction import TTAPrediction
from ttpose.inference.refine.corrected import CorrectedFrames
from ttpose.inference.results import clip_result
from ttpose.inference.settings import SINGLE_VIEW, RefineSettings
from ttpose.media import Source
from ttpose.models.device import choose_device
from ttpose.models.engine import release
from ttpose.models.person import PersonDelta
from ttpose.models.pose_model import PoseModel
from ttpose.models.shipped import LoadedModel
from ttpose.people.weights import load_base, on_base
from ttpose.results import KeypointResult
from ttpose.tracking.detector import PersonDetector

#: What a user is told who corrected points of the feet, where results have none and where they do.
FEET_NOTES = (
    "corrected points of the feet are left out: these results have none (docs/keypoints-json.md)",
    "corrected points of the feet are written as they are, but not learned from: the base has no heatmaps of feet",
)


@dataclass(frozen=True)
class Personalization:
    """What personalizing a clip gave.

    Attributes:
        keypoints: Every frame's keypoints with the chosen weights, refined.
        base_keypoints: By the base and one plain view of each frame, as the network says it.
        refined_keypoints: By the weights that the run started from (the base, or an earlier person), refined in the
            same way as `keypoints`: what inference gives without learning.
        person: The delta to save.
        guard: Which weights were chosen and why; "base" are those that the run started from.
        timings: Seconds a stage.
        history: Loss terms of every step.
        samples: Both models and a few crops, for looking inside; None where the maker gave none.
    """

    keypoints: KeypointResult
    base_keypoints: KeypointResult
    refined_keypoints: KeypointResult
    person: PersonDelta
    guard: GuardReport
    timings: dict[str, float]
    history: list[dict[str, float]]
    samples: Samples | None = None


@dataclass(frozen=True)
class PersonalizationSession:
    """One personalization: what it starts from, and how it goes on.

    Attributes:
        base: What the delta is relative to.
        start: What the run starts from: the base, or the base with an earlier person's changes.
        detector: Finds people.
        settings: How.
        progress: Receives progress.
    """

    base: LoadedModel
    start: LoadedModel
    detector: PersonDetector
    settings: PersonalizeSettings
    progress: Progress

    @classmethod
    def begin(
        cls,
        settings: PersonalizeSettings,
        device: str,
        base: Path | str | PoseModel | None,
        person: Path | str | None,
        progress: Progress | None,
    ) -> PersonalizationSession:
        """Load what is needed; raises UsageError and WeightsError."""
        loaded = load_base(base, choose_device(device))
        start = loaded if person is None else on_base(loaded, person)
        detector = PersonDetector.load(str(loaded.model.device))
        progress = progress or Progress()
        settings = fitted(settings, loaded.model.config)
        if settings.refine.note is not None:
            progress.note(settings.refine.note)
        if not settings.guard:
            progress.note(f"{settings.preset} has no guard: what is learned counts even where it makes keypoints worse")
        return cls(loaded, start, detector, settings, progress)

    @property
    def skeleton(self) -> Skeleton:
        """The results' keypoint set."""
        return self.settings.refine.output_skeleton(self.base.model.skeleton)

    def observe(
        self,
        media: Source,
        subject: str,
        most: int | None = None,
        progress: Progress | None = None,
        corrections: Corrections | None = None,
        estimate: Estimate | None = None,
    ) -> ObservedClip:
        """Find the subject in a source, predict every frame with nothing learned, and keep at most `most` crops.

        `estimate` tells how long the whole work will take; None where nothing will be learned from the source.
        """
        if most is None:
            most = MOST_ONLINE if self.settings.mode == "online" else MOST_KEPT
        progress = progress or self.progress
        return observe_clip(
            media, self.base.network, self.start.network, self.detector, self.settings, subject=subject, most=most,
            progress=progress, corrections=corrections,
            counting=(lambda advance: advance) if estimate is None else estimate.counting,
        )  # fmt: skip

    def observe_people(
        self, media: Source, subject: str, count: int | None, estimate: Estimate | None = None
    ) -> list[ObservedClip]:
        """The same for several people in one source, the subject first; None takes all."""
        return observe_people(
            media, self.base.network, self.start.network, self.detector, self.settings, count=count, subject=subject,
            most=MOST_ONLINE if self.settings.mode == "online" else MOST_KEPT, progress=self.progress,
            counting=(lambda advance: advance) if estimate is None else estimate.counting,
        )  # fmt: skip

    def estimate(self, media: Sequence[Source], corrected: int = 0) -> Estimate:
        """Tells once how long personalizing on these sources together will take."""
        frames = [source.info.frames for source in media]
        known = [count for count in frames if count is not None]
        return Estimate(self.settings, sum(known) if len(known) == len(frames) else None, self.progress, corrected)

    def corrections(self, given: Path | Corrections | None, media: Source) -> Corrections | None:
        """A source's corrections, read where they are a file.

        Raises:
            InputError: The file cannot be used, or a frame is corrected that the source does not have.
            UsageError: Nothing can be learned from corrections with these settings.
        """
        if given is None:
            return None
        if self.settings.mode == "online" or not self.settings.distillation:
            raise UsageError(
                "corrections are learned offline, with the presets fast, balanced and thorough",
                "leave out --mode online and the paper's method",
            )
        if isinstance(given, Corrections):
            return given
        from ttpose.corrections.reading import read_corrections

        own = self.base.model.skeleton
        widest = COCO17_FEET if own == COCO17 else own
        read = read_corrections(given, widest, media.info)
        fixed = [frame.corrected[len(own) :] for frame in read.frames.values()]
        if any(feet.any() for feet in fixed):
            self.progress.note(FEET_NOTES[self.skeleton == widest])
        return read

    def learn(self, clips: Sequence[ObservedClip]) -> PersonalizedWeights:
        """Adapt on all clips together; the heatmaps of their kept crops are let go."""
        self._release()
        crops, said = crops_of(clips), corrections_of(clips, len(self.base.model.skeleton))
        keep_maps(clips, learned_rows(crops, said, self.settings))
        done = personalize_from_corrections(
            self.start.model, crops, said, self.settings, teacher=teacher_of(clips),
            base_sha256=self.base.base_sha256, progress=self.progress,
        )  # fmt: skip
        keep_maps(clips, [])
        delta, personal = self._relative_to_base(done.delta, done.model)
        guard = self._report(done.guard)
        person = replace(delta, notes=self._notes(guard, clips))
        return PersonalizedWeights(person, personal, guard, _first_timings(clips) | done.timings, done.history)

    def predict(
        self, clip: ObservedClip, weights: PersonalizedWeights, progress: Progress | None = None
    ) -> Personalization:
        """A clip's keypoints with what was learned; where the guard kept the start's weights nothing changes."""
        (made,) = self.predict_people([clip], [weights], progress)
        return made

    def predict_people(
        self,
        clips: Sequence[ObservedClip],
        weights: Sequence[PersonalizedWeights],
        progress: Progress | None = None,
    ) -> list[Personalization]:
        """The same for several people in one source, each with weights of their own."""
        clock = time.perf_counter()
        changed = [i for i, one in enumerate(weights) if one.guard.decision != "base"]
        predictions = [clip.clip.prediction for clip in clips]
        again = predict_again(
            [clips[i] for i in changed], [weights[i].model.network for i in changed], self.settings.refine,
            progress or self.progress,
        )  # fmt: skip
        for i, prediction in zip(changed, again, strict=True):
            predictions[i] = prediction
        took = {"predict_s": (time.perf_counter() - clock) / len(clips)}
        return [
            self._made(clip, prediction, replace(one, timings=one.timings | took))
            for clip, prediction, one in zip(clips, predictions, weights, strict=True)
        ]

    def unchanged(self, clip: ObservedClip, reason: str) -> PersonalizedWeights:
        """The weights of somebody of whom nothing is learned, and why."""
        guard = GuardReport("base", reason, {})
        delta = PersonDelta.between(self.base.model, self.start.model, self.base.base_sha256)
        person = replace(delta, notes=self._notes(guard, [clip]))
        return PersonalizedWeights(person, self.start, guard, _first_timings([clip]), [])

    def online(self, clip: ObservedClip) -> Personalization:
        """Learn from each frame as it comes, and predict it."""
        store = clip.store
        if not store.complete:
            raise InputError(
                f"{clip.media.info.path} is too long for --mode online ({store.offered} frames, at most {MOST_ONLINE})",
                "use the offline mode, or cut the clip",
            )
        done = personalize_stream(
            self.start.model, store.crops, self.settings, ensemble=clip.ensemble,
            base_sha256=self.base.base_sha256, progress=self.progress,
        )  # fmt: skip
        delta, personal = self._relative_to_base(done.delta, done.model)
        guard = self._report(done.guard)
        person = replace(delta, notes=self._notes(guard, [clip]))
        timings = _first_timings([clip]) | done.timings
        return self._made(clip, done.prediction, PersonalizedWeights(person, personal, guard, timings, done.history))

    def _release(self) -> None:
        """Free what was compiled for the first prediction; learning needs the memory and has weights of its own."""
        release(self.base.network, self.start.network)
        self.detector.release()
        forget_ensemble()  # it is not asked again after learning
        give_back_memory()

    def _made(
        self, clip: ObservedClip, prediction: TTAPrediction | None, weights: PersonalizedWeights
    ) -> Personalization:
        def result(
            loaded: LoadedModel,
            seen: TTAPrediction | None,
            settings: RefineSettings,
            guard: GuardReport | None = None,
            said: CorrectedFrames | None = None,
        ) -> KeypointResult:
            own = loaded.model.skeleton
            records = clip.clip.records(own, settings, seen, said)
            figures = None if guard is None else guard.to_dict()
            found = clip_result(clip.media, loaded, records, figures, settings.output_skeleton(own))
            return replace(found, people=clip.seen)

        refine, frames = self.settings.refine, [frame.index for frame in clip.clip.frames]
        count = len(self.skeleton)
        corrected = corrected_frames(clip.corrections.joints(count).frames, frames, count)
        refined = result(self.start, clip.clip.prediction, refine)
        return Personalization(
            result(weights.model, prediction, refine, weights.guard, corrected),
            result(self.base, clip.clip.single_view, SINGLE_VIEW),
            refined,
            weights.person,
            weights.guard,
            weights.timings,
            weights.history,
            Samples.of(self.start.model, weights.model.model, clip.store.crops),
        )

    def _relative_to_base(self, delta: PersonDelta, model: PoseModel) -> tuple[PersonDelta, LoadedModel]:
        """The whole change since the base, and the model that a file of it gives."""
        if self.start is not self.base:
            delta = PersonDelta.between(self.base.model, model, self.base.base_sha256)
            model = delta.apply(self.base.model).eval()
        return delta, replace(self.base, model=model)

    def _report(self, guard: GuardReport) -> GuardReport:
        """The guard's report, which says so where its "base" is an earlier person."""
        if self.start is self.base:
            return guard
        return replace(guard, reason=f"{guard.reason} (the base here is the earlier personalization)")

    def _notes(self, guard: GuardReport, clips: Sequence[ObservedClip]) -> dict[str, str]:
        """Metadata of the person file."""
        names = [source.media.info.path.name for source in clips]
        notes = {
            "settings": json.dumps(asdict(self.settings), default=str, sort_keys=True),
            "guard": json.dumps(guard.to_dict()),
            "source": names[0],
            "base": self.base.base,
        }
        if len(names) > 1:
            notes["sources"] = json.dumps(names, ensure_ascii=False)
        corrected = sum(len(clip.corrections) for clip in clips)
        if corrected:
            notes["corrected_frames"] = str(corrected)
        if self.start.person_sha256 is not None:
            notes["continues"] = self.start.person_sha256
        return notes


def _first_timings(clips: Sequence[ObservedClip]) -> dict[str, float]:
    return {"find_s": sum(clip.find_s for clip in clips), "refine_s": sum(clip.predict_s for clip in clips)}
