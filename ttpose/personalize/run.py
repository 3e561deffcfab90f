"""One personalization from crops to predictions: teacher, adaptation, guard, delta."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ttpose import geometry
from ttpose.geometry import Box
from ttpose.memory import give_back_memory
from ttpose.model.person import PersonDelta
from ttpose.model.pose_model import PoseModel
from ttpose.personalize.adapt import Adapter
from ttpose.personalize.crops import PersonCrop, cut_crop, spread
from ttpose.personalize.guard import STRENGTH, Checks, GuardReport, held_out, online_report, run_checks
from ttpose.personalize.guard_rule import decide
from ttpose.personalize.objectives import Clip
from ttpose.personalize.offline import adapt_offline
from ttpose.personalize.online import OnlineAdapter
from ttpose.personalize.rescore import rescore
from ttpose.personalize.settings import PersonalizeSettings
from ttpose.personalize.sides import exchange, settle_sides
from ttpose.personalize.teacher import lessons, pseudo_labels
from ttpose.personalize.views import VIEWS, Observation, join, observe
from ttpose.progress import Progress
from ttpose.skeleton import Skeleton


@dataclass(frozen=True)
class Personalized:
    """A personalized model and how it came about.

    Attributes:
        model: The weights that the guard chose.
        delta: What changed, as the person file will hold it.
        whole: All that was learned, before the guard's choice.
        guard: The choice and its figures.
        history: Loss terms of every step.
        timings: Seconds a stage.
        named: The teacher's keypoints [K, 2], sides settled, in original pixels, by the crops' numbers; the final
            predictions keep to its names, which hang less on what was learned.
    """

    model: PoseModel
    delta: PersonDelta
    whole: PersonDelta
    guard: GuardReport
    history: list[dict[str, float]]
    timings: dict[str, float] = field(default_factory=dict)
    named: dict[int, np.ndarray] = field(default_factory=dict)


def personalize_model(
    base: PoseModel,
    crops: Sequence[PersonCrop],
    settings: PersonalizeSettings,
    *,
    base_sha256: str = "",
    progress: Progress | None = None,
) -> Personalized:
    """Adapt a base to the person in crops (in order of time in each clip), offline.

    Args:
        base: Stays as it is.
        crops: At least one; at most `settings.max_crops`, evenly spread, are used.
        settings: How.
        base_sha256: Fingerprint of the base's file, for the delta.
        progress: Hears the stages.
    """
    progress, timings, named = progress or Progress(), {}, {}
    kept = [crops[i] for i in spread(len(crops), settings.max_crops)]
    clock = time.perf_counter()
    held = set(held_out(kept)) if settings.guard else set()
    rows = [i for i in range(len(kept)) if i not in held]
    if settings.teaches:
        with progress.stage("look", len(kept)) as advance:
            views, keep_maps = VIEWS[: settings.views], settings.distillation > 0
            seen = observe(base, kept, views, advance, keep_maps=keep_maps)
            labels, exchanged = pseudo_labels(seen, kept, base.skeleton, settings)
            named = {c.index: geometry.apply(c.to_source, row[:, :2]) for c, row in zip(kept, labels, strict=True)}
            clip = lessons(seen, kept, labels, exchanged, base.skeleton, rows)
            del seen  # its maps are as large as the clip's own
    else:
        clip = Clip(kept, np.zeros((len(kept), len(base.skeleton), 3))).part(rows)
    timings["look_s"] = time.perf_counter() - clock
    clock = time.perf_counter()
    adapter = adapt_offline(base, clip, settings, progress)
    timings["adapt_s"] = time.perf_counter() - clock
    clock = time.perf_counter()
    give_back_memory()
    whole = PersonDelta.between(base, adapter.average, base_sha256, strength=settings.strength)
    # A clip too short to hold frames out is checked on what it learned from: less to trust, but better than nothing.
    checked = [kept[i] for i in sorted(held)] or kept
    report = _guarded(base, whole, adapter, checked, bool(held), settings, progress)
    delta = whole.scaled(STRENGTH[report.verdict]) if report.verdict != "base" else PersonDelta(base_sha256, {})
    timings["guard_s"] = time.perf_counter() - clock
    return Personalized(delta.apply(base).eval(), delta, whole, report, adapter.history, timings, named)


def _guarded(
    base: PoseModel,
    delta: PersonDelta,
    adapter: Adapter,
    checked: Sequence[PersonCrop],
    unseen: bool,
    settings: PersonalizeSettings,
    progress: Progress,
) -> GuardReport:
    if not settings.guard:
        return GuardReport("personalized", "the guard was off", {})
    report = judge(base, delta, checked, adapter.model if settings.paints else None, settings.perceptual, progress)
    if unseen:
        return report
    return replace(report, reason=f"{report.reason}; too few frames to hold any out, so learning frames were checked")


def judge(
    base: PoseModel,
    delta: PersonDelta,
    crops: Sequence[PersonCrop],
    painter: PoseModel | None = None,
    perceptual: str | None = None,
    progress: Progress | None = None,
) -> GuardReport:
    """Check the base, half of a change and all of it on crops, and choose; arguments as for `run_checks`."""
    checks: dict[str, Checks] = {}
    with (progress or Progress()).stage("check", 3) as advance:
        checks["base"], base_keypoints = run_checks(base, None, crops, painter, perceptual)
        advance(1)
        for verdict in ("interpolated", "personalized"):
            candidate = delta.apply(base, STRENGTH[verdict])
            checks[verdict], _ = run_checks(candidate, base_keypoints, crops, painter, perceptual)
            advance(1)
    return decide(checks)


def predict_clip(
    model: PoseModel,
    crops: Sequence[PersonCrop],
    settings: PersonalizeSettings,
    progress: Progress | None = None,
    named: Mapping[int, np.ndarray] | None = None,
) -> np.ndarray:
    """Keypoints [N, K, 3] of crops in order of time, in original pixels, with sides settled over time.

    Args:
        model: Any.
        crops: Of one clip.
        settings: How many views, and whether sides are settled.
        progress: Hears the stage.
        named: What was settled for some crops before, as in `Personalized`.
    """
    with (progress or Progress()).stage("predict", len(crops)) as advance:
        seen = observe(model, crops, VIEWS[: settings.predict_views], advance)
    known = [(named or {}).get(crop.index) for crop in crops]
    return settled(seen, [crop.time_s for crop in crops], model.skeleton, settings, known)[0]


def settled(
    seen: Observation,
    times: Sequence[float],
    skeleton: Skeleton,
    settings: PersonalizeSettings,
    named: Sequence[np.ndarray | None] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """An observation's keypoints [N, K, 3], cleaned over time as the settings say, and which limbs were exchanged.

    Sides are settled, and joints moved to where they most likely are. `named` may have what was settled for each frame
    before, [K, 2] or None.
    """
    when, exchanged = np.array(times), np.zeros((len(seen.keypoints), 2), bool)
    if settings.settle_sides:
        nothing = np.full((len(skeleton), 2), np.nan)
        known = np.stack([nothing if row is None else row for row in named]) if len(named) else None
        _, exchanged = settle_sides(seen.keypoints, seen.sides, when, skeleton, named=known)
    cleaned = exchange(seen, exchanged, skeleton)
    return rescore(cleaned, when, skeleton)[0] if settings.rescore else cleaned.keypoints, exchanged


@dataclass(frozen=True)
class PersonalizedClip:
    """A labelled clip's personalization: what evaluation needs.

    Attributes:
        keypoints: [N, K, 3] image pixels, after.
        guard: The choice.
        timings: Seconds a stage.
        model: The personalized model.
    """

    keypoints: np.ndarray
    guard: GuardReport
    timings: dict[str, float]
    model: PoseModel


def personalize_crops(
    model: PoseModel,
    images: Sequence[np.ndarray] | Callable[[int], np.ndarray],
    boxes: Sequence[Box],
    *,
    settings: PersonalizeSettings,
    times: Sequence[float] | None = None,
    progress: Progress | None = None,
) -> PersonalizedClip:
    """Personalize on frames with known boxes, then predict all of them.

    Args:
        model: The base.
        images: RGB uint8 frames, or a function that reads one.
        boxes: The person's box in each frame.
        settings: How.
        times: Seconds; None takes 25 frames a second.
        progress: Hears the stages.
    """
    read = images if callable(images) else images.__getitem__
    when = times if times is not None else [i / 25 for i in range(len(boxes))]
    size = model.config.input_size
    crops = [cut_crop(read(i), box, size, index=i, time_s=when[i]) for i, box in enumerate(boxes)]
    if settings.mode == "online":
        return _online(model, crops, settings)
    done = personalize_model(model, crops, settings, progress=progress)
    clock = time.perf_counter()
    keypoints = predict_clip(done.model, crops, settings, progress, done.named)
    timings = done.timings | {"predict_s": time.perf_counter() - clock}
    return PersonalizedClip(keypoints, done.guard, timings, done.model)


def _online(model: PoseModel, crops: Sequence[PersonCrop], settings: PersonalizeSettings) -> PersonalizedClip:
    clock = time.perf_counter()
    stream = OnlineAdapter(model, settings)
    seen = list(stream.run(crops))
    keypoints, _ = settled(join(seen), [crop.time_s for crop in crops], model.skeleton, settings)
    return PersonalizedClip(
        keypoints, online_report(), {"adapt_s": time.perf_counter() - clock}, stream.adapter.average
    )
