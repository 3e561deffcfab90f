"""One person's personalization, from the first look at clips and photos to the person file and keypoints."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ttpose.adaptation import sources
from ttpose.adaptation.guard.metrics import GuardReport, held_out
from ttpose.adaptation.learned import PersonalizedWeights
from ttpose.adaptation.methods import fitted
from ttpose.adaptation.online import checked_online, personalize_stream
from ttpose.adaptation.samples import Samples
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.adaptation.sources import ObservedClip
from ttpose.core.errors import InputError
from ttpose.core.memory import keep_freed_memory
from ttpose.core.progress import Progress
from ttpose.inference.crops import PersonCrop, spread
from ttpose.inference.pipeline import personalize_model
from ttpose.inference.tta import predict_tta
from ttpose.media import Source
from ttpose.models.config import ReconstructorName
from ttpose.models.device import choose_device
from ttpose.models.person import PersonDelta
from ttpose.models.pose_model import PoseModel
from ttpose.models.shipped import LoadedModel
from ttpose.people.weights import load_base, on_base
from ttpose.results import KeypointResult
from ttpose.tracking.detector import PersonDetector

# For the estimate: looks tried, and how many looks as long these take, in processor time of one core. Repainting was
# measured with the shipped model, and with a model of the paper's kind and VGG16.
_TRIED = 16
_STEP_LOOKS = 3.4  # a view that teaches, there and back
_PAINT_LOOKS: dict[ReconstructorName, float] = {"transport": 4.0, "imm": 11.0}  # a view that is repainted as well
_CHECK_LOOKS, _CHECK_PAINT_LOOKS = 9, 7.5  # a frame of the guard's: three views by three models, and its repainting
_SECOND_LOOKS = 2.5  # a second opinion of a frame


@dataclass(frozen=True)
class Personalization:
    """What personalizing a clip gave.

    Attributes:
        keypoints: Every frame's keypoints with the chosen weights.
        base_keypoints: The same by the weights that the run started from (the base, or an earlier person), for
            comparison.
        person: The delta to save.
        guard: Which weights were chosen and why; "base" are those that the run started from.
        timings: Seconds a stage.
        history: Loss terms of every step.
        samples: Both models and a few crops, for looking inside; None where the maker gave none.
    """

    keypoints: KeypointResult
    base_keypoints: KeypointResult
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
        finder: Of people.
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
        base: Path | str | None,
        person: Path | str | None,
        progress: Progress | None,
    ) -> PersonalizationSession:
        """Load what is needed; raises UsageError and WeightsError."""
        keep_freed_memory()
        loaded = load_base(base, choose_device(device))
        start = loaded if person is None else on_base(loaded, person)
        detector = PersonDetector.load(str(loaded.model.device))
        progress = progress or Progress()
        if not settings.guard:
            progress.note(f"{settings.preset} has no guard: what is learned counts even where it makes keypoints worse")
        return cls(loaded, start, detector, fitted(settings, loaded.model.config), progress)

    def look_at(
        self, media: Source, subject: str, most: int | None = None, progress: Progress | None = None
    ) -> ObservedClip:
        """Find the subject in a source and keep at most `most` crops."""
        if most is None:
            most = sources.MOST_ONLINE if self.settings.mode == "online" else sources.MOST_KEPT
        progress = progress or self.progress
        return sources.look_at(media, self.start, self.detector, subject=subject, most=most, progress=progress)

    def learn(self, seen: Sequence[ObservedClip]) -> PersonalizedWeights:
        """Adapt on all sources together."""
        crops, timings = sources.crops_of(seen), _first_timings(seen)
        self._estimate(seen, crops)
        done = personalize_model(
            self.start.model, crops, self.settings, base_sha256=self.base.base_sha256, progress=self.progress
        )
        delta, personal = self._relative_to_base(done.delta, done.model)
        guard = self._report(done.guard)
        person = replace(delta, notes=self._notes(guard, seen))
        reference = sources.references_of(seen, done.reference)
        return PersonalizedWeights(person, personal, guard, timings | done.timings, done.history, reference)

    def predict(
        self, source: ObservedClip, learned: PersonalizedWeights, progress: Progress | None = None
    ) -> Personalization:
        """A source's keypoints with what was learned."""
        clock, personal, guard = time.perf_counter(), learned.model, learned.guard
        reference = learned.reference.get(source.media.info.path, {})
        keypoints = sources.predict_again(
            source, personal, self.detector, self.settings, guard, progress or self.progress, reference
        )
        timings = learned.timings | {"predict_s": time.perf_counter() - clock}
        samples = Samples.of(self.start.model, personal.model, source.store.crops)
        return Personalization(keypoints, source.keypoints, learned.person, guard, timings, learned.history, samples)

    def online(self, source: ObservedClip) -> Personalization:
        """Learn from each frame as it comes, and predict it."""
        store, timings = source.store, _first_timings([source])
        if not store.complete:
            raise InputError(
                f"{source.media.info.path} is too long for --mode online ({store.offered} frames, at most"
                f" {sources.MOST_ONLINE})",
                "use the offline mode, or cut the clip",
            )
        self._estimate([source], store.crops)
        done = personalize_stream(
            self.start.model, store.crops, self.settings, base_sha256=self.base.base_sha256, progress=self.progress
        )
        delta, personal = self._relative_to_base(done.delta, done.model)
        guard = self._report(done.guard)
        keypoints = sources.result_from(source, done.seen, personal, self.settings, guard, done.reference)
        person = replace(delta, notes=self._notes(guard, [source]))
        samples = Samples.of(self.start.model, personal.model, store.crops)
        return Personalization(
            keypoints, source.keypoints, person, guard, timings | done.timings, done.history, samples
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

    def _notes(self, guard: GuardReport, seen: Sequence[ObservedClip]) -> dict[str, str]:
        """Metadata of the person file."""
        names = [source.media.info.path.name for source in seen]
        notes = {
            "settings": json.dumps(asdict(self.settings), default=str, sort_keys=True),
            "guard": json.dumps(guard.to_dict()),
            "source": names[0],
            "base": self.base.base,
        }
        if len(names) > 1:
            notes["sources"] = json.dumps(names, ensure_ascii=False)
        if self.start.person_sha256 is not None:
            notes["continues"] = self.start.person_sha256
        return notes

    def _estimate(self, seen: Sequence[ObservedClip], crops: Sequence[PersonCrop]) -> None:
        """Say how long adapting and predicting will take, from how long a few more looks take.

        The time of the first look at the sources would say less: it has reading in it, and what is done only once.
        """
        model = self.start.model
        each = self.settings.predict_views + _SECOND_LOOKS * self.settings.ensemble
        looks = looks_to_adapt(self.settings, crops, model.config.reconstructor)
        # A source that was not kept whole is read and looked at as the first time.
        looks += sum(s.store.offered * each for s in seen if s.store.complete or each > 1)
        again_s = sum(source.look_s for source in seen if not source.store.complete)
        few = [crops[i * len(crops) // _TRIED] for i in range(_TRIED)]
        clock = time.perf_counter()
        predict_tta(model, few)
        seconds = looks * (time.perf_counter() - clock) / len(few) + again_s
        self.progress.note(f"adapting on {self.base.model.device}: about {max(seconds, 1):.0f} s")


def looks_to_adapt(
    settings: PersonalizeSettings, crops: Sequence[PersonCrop], reconstructor: ReconstructorName
) -> float:
    """How many looks at one view take as long as adapting does, the guard's checks included."""
    paint = _PAINT_LOOKS[reconstructor]
    painted = settings.batch * min(settings.reconstruction_batch / settings.together, 1.0) * paint
    warm_step = min(settings.reconstruction_batch, settings.batch) * (1 + paint)
    step = settings.batch * _STEP_LOOKS + painted * (settings.reconstruction > 0)
    teach = settings.views * settings.uses_pseudo_labels
    if settings.mode == "online":
        steps = len(crops) * settings.frame_steps
        warm = min(settings.decoder_warmup, steps)
        checked = len(checked_online(crops)) * settings.guard
        return warm * warm_step + (steps - warm) * step + len(crops) * teach + checked * _CHECK_LOOKS
    kept = [crops[i] for i in spread(len(crops), settings.max_crops)]
    held = len(held_out(kept)) if settings.guard else 0
    adapt = settings.decoder_warmup * warm_step + (settings.steps or len(kept) - held) * step
    check = (held or len(kept)) * (_CHECK_LOOKS + _CHECK_PAINT_LOOKS * settings.reconstructs) * settings.guard
    return len(kept) * teach + adapt + check


def _first_timings(seen: Sequence[ObservedClip]) -> dict[str, float]:
    return {"find_s": sum(s.find_s for s in seen), "base_s": sum(s.look_s for s in seen)}
