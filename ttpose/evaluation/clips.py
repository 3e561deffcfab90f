"""PCK on folders of labelled clips: the base, refined, and personalized."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ttpose.core.errors import InputError
from ttpose.core.progress import Progress
from ttpose.core.version import __version__
from ttpose.data.labelled_clip import LabelledClip, distinct_names, find_clips, read_clip
from ttpose.evaluation.corrections import Pick, corrections_from_labels, evenly_picked, suggested
from ttpose.evaluation.loading import base_model
from ttpose.evaluation.personalizer import PersonalizedCrops, Personalizer, own_personalizer
from ttpose.evaluation.prediction import picture_reader, predict_frames
from ttpose.evaluation.report import ClipScore, EvaluationReport, JointScore
from ttpose.metrics.jitter import jitter
from ttpose.metrics.pck import CLIP_RULE, Measured, by_name, measure

if TYPE_CHECKING:
    from ttpose.adaptation.settings import Mode, PersonalizeSettings
    from ttpose.models.pose_model import PoseModel

THRESHOLDS = (0.05, 0.1, 0.2)
STILLS = "stills"  # stands for the guard's decision where there is no one person to personalize on
_NOT_TRUSTED = "not among the clip's scored_joints"
_UNKNOWN = "the model has no such keypoint"


def evaluate_clips(
    folder: Path | str,
    *,
    weights: PoseModel | Path | str | None = None,
    base: Path | str | None = None,
    personalize: bool = False,
    preset: str = "balanced",
    mode: Mode = "offline",
    steps: int | None = None,
    seed: int = 0,
    device: str = "auto",
    progress: Progress | None = None,
    personalizer: Personalizer | None = None,
    settings: PersonalizeSettings | None = None,
    corrections: int = 0,
    pick: Pick = "even",
) -> EvaluationReport:
    """Measure PCK@0.05, PCK@0.1 and PCK@0.2 on every labelled clip in or below a folder.

    Crops are label box × 1.1, square, at the model's input size. Joints are matched by name. Pictures are read one
    at a time. A clip that fails on the way (a damaged picture) is listed in the report, the others go on.

    Args:
        folder: Holds clips in the format of `ttpose.data.labelled_clip`.
        weights: A person, by file or by name in the library, or a base, or a model; None takes `base`.
        base: The base that the person was made on; None takes the shipped one.
        personalize: Also personalize on each clip, from these weights anew each time, and measure the result.
        preset: Of the personalization.
        mode: `offline` or `online`.
        steps: Instead of the preset's.
        seed: Of the personalization and of the bootstrap intervals.
        device: A torch device or "auto".
        progress: Receives progress.
        personalizer: Instead of `ttpose.personalize`'s own.
        settings: Instead of preset, mode, steps and the personalization's seed.
        corrections: In each clip take the labels of so many frames as corrections, personalize with them as well, and
            score only the other frames; with `personalize`.
        pick: Which frames these are: evenly spaced, or those that `ttpose correct` suggests.

    Raises:
        InputError: There is no clip, labels are malformed, or every clip failed.
        WeightsError: The weights cannot be used, or the person was made on another base.
        UsageError: No such preset or mode, two bases, or a person in the place of the base.
    """
    progress = progress or Progress()
    root = Path(folder)
    # All labels are read before any work, so that a malformed file is told at once.
    clips = [read_clip(path) for path in find_clips(root)]
    model, described = base_model(weights, device, base=base)
    adapt = None
    if personalize:
        from ttpose.adaptation.methods import fitted
        from ttpose.adaptation.settings import preset_named

        settings = fitted(settings or preset_named(preset, mode=mode, steps=steps, seed=seed), model.config)
        adapt = partial(personalizer or own_personalizer(), model, settings=settings, progress=progress)
    scores, failed = [], {}
    for clip, name in zip(clips, distinct_names(clips, root), strict=True):
        try:
            found = predict_frames(model, clip.frames, name, progress)
            after = corrected = None
            if adapt and clip.person is not None:
                images, boxes = picture_reader(clip.frames), [frame.box for frame in clip.frames]
                after = adapt(images, boxes)
                if corrections and settings is not None:
                    even = evenly_picked(len(clip), corrections)
                    doubted = suggested(clip, after.keypoints, found, model.skeleton, corrections)
                    picked = even if pick == "even" else doubted
                    corrected = _corrected(model, clip, picked, settings, after, progress)
            score = _score(clip, name, root, model.skeleton.keypoints, found, after, corrected)
            scores.append(replace(score, guard=STILLS) if adapt and after is None else score)
        except InputError as error:
            failed[name] = error.message
            progress.note(f"{name} is left out: {error.message}")
    if not scores:
        raise InputError(f"none of the {len(clips)} clips in {root} could be evaluated", next(iter(failed.values())))
    return EvaluationReport(
        settings={
            "ttpose_version": __version__,
            "model": described,
            "device": str(model.device),
            "rule": asdict(CLIP_RULE),
            "seed": seed,
            "personalize": asdict(settings) if adapt and settings else None,
            "corrections": {"frames": corrections, "pick": pick} if adapt and corrections else None,
        },
        clips=tuple(scores),
        failed=failed,
    )


@dataclass(frozen=True)
class Corrected:
    """A clip's personalization from corrections.

    Attributes:
        result: What it gave.
        frames: Numbers of the corrected frames.
    """

    result: PersonalizedCrops
    frames: tuple[int, ...]


def _corrected(
    model: PoseModel,
    clip: LabelledClip,
    picked: Sequence[int],
    settings: PersonalizeSettings,
    after: PersonalizedCrops,
    progress: Progress,
) -> Corrected:
    """Personalize with the labels of some frames as corrections; what the base predicts is not computed again."""
    from ttpose.adaptation.boxed_clip import PersonalizedClip, personalize_crops

    said = corrections_from_labels(clip, picked, model.skeleton)
    before = after.before if isinstance(after, PersonalizedClip) else None
    images, boxes = picture_reader(clip.frames), [frame.box for frame in clip.frames]
    result = personalize_crops(
        model, images, boxes, settings=settings, corrections=said, before=before, progress=progress
    )
    return Corrected(result, tuple(picked))


def _score(
    clip: LabelledClip,
    name: str,
    root: Path,
    keypoints: Sequence[str],
    found: np.ndarray,
    after: PersonalizedCrops | None,
    corrected: Corrected | None,
) -> ClipScore:
    known = np.array([joint in keypoints for joint in clip.joints])
    scored = clip.scored & known
    # Different people have no common torso length that a floor could come from.
    rule = CLIP_RULE if clip.person is not None else replace(CLIP_RULE, floor=0.0)

    # What a person corrected is right by definition.
    rest = [i for i in range(len(clip)) if corrected is None or i not in corrected.frames]

    def measured(predicted: np.ndarray) -> Measured:
        found = by_name(predicted, keypoints, clip.joints)[rest]
        return measure(found, clip.keypoints[rest], clip.joints, rule, scored)

    stages = {"base": found}
    if after is not None:
        stages |= {"refined": after.refined, "personalized": after.keypoints}
    if corrected is not None:
        stages["corrected"] = corrected.result.keypoints
    measures = {stage: measured(predicted) for stage, predicted in stages.items()}
    first, boxes = measures["base"], [frame.box for frame in clip.frames]
    return ClipScore(
        clip=name,
        person=clip.person,
        folder=clip.folder.relative_to(root).as_posix(),
        frames=len(clip),
        frames_without_labels=first.without_labels,
        frames_without_torso=first.without_length,
        joints=_joint_scores(clip.joints, scored, measures),
        not_scored={
            joint: _UNKNOWN if trusted else _NOT_TRUSTED
            for joint, trusted, counts in zip(clip.joints, clip.scored, scored, strict=True)
            if not counts
        },
        scores={stage: _figures(one) for stage, one in measures.items()},
        jitter={
            stage: jitter(predicted, boxes) if clip.person is not None else float("nan")
            for stage, predicted in stages.items()
        },
        guard=None if after is None else after.guard.decision,
        guard_figures=None if after is None else after.guard.to_dict(),
        timings={} if after is None else dict(after.timings),
        corrected_frames=() if corrected is None else corrected.frames,
        corrected_guard=None if corrected is None else corrected.result.guard.to_dict(),
        corrected_timings={} if corrected is None else dict(corrected.result.timings),
    )


def _figures(measured: Measured) -> dict[str, float]:
    return {f"pck@{limit}": measured.tally(limit).mean() for limit in THRESHOLDS}


def _joint_scores(
    joints: Sequence[str], scored: np.ndarray, measures: Mapping[str, Measured]
) -> tuple[JointScore, ...]:
    counted = measures["base"].tally(0).counted

    def shares(measured: Measured, column: int) -> dict[str, float]:
        return {f"pck@{limit}": float(measured.tally(limit).per_joint[column]) for limit in THRESHOLDS}

    return tuple(
        JointScore(
            joints[column],
            int(counted[column]),
            {stage: shares(measured, column) for stage, measured in measures.items()},
        )
        for column in np.flatnonzero(scored).tolist()
    )
