"""The TTP paper's protocol on research datasets: each video before personalization, online and offline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ttpose import __version__
from ttpose.errors import InputError, UsageError
from ttpose.evaluation.loading import base_model
from ttpose.evaluation.metrics import BBC_RULE, CLIP_RULE, H36M_RULE, PENN_RULE, PckRule, by_name, jitter, measure
from ttpose.evaluation.oks_ap import oks_ap
from ttpose.evaluation.personalizer import Personalizer, own_personalizer
from ttpose.evaluation.prediction import picture_reader, predict_frames
from ttpose.evaluation.protocol_report import BEFORE, JointCount, ProtocolReport, VideoScore
from ttpose.geometry import Box
from ttpose.progress import Progress
from ttpose.training.datasets import Split, Video, kind_of, open_dataset

if TYPE_CHECKING:
    from ttpose.model.pose_model import PoseModel
    from ttpose.model.predictor import Predictor
    from ttpose.personalize.settings import Mode, PersonalizeSettings


@dataclass(frozen=True)
class Protocol:
    """How a dataset is evaluated.

    Attributes:
        rule: When a joint is right.
        pad: Side of the square crop over the longer side of the label's box.
    """

    rule: PckRule
    pad: float


#: The protocols of the kinds of dataset (`ttpose.training.datasets.KINDS`).
PROTOCOLS = {
    "penn": Protocol(PENN_RULE, 1.25),  # the paper's crop
    "h36m": Protocol(H36M_RULE, 1.25),  # as Penn Action: its boxes are as tight
    "bbc": Protocol(BBC_RULE, 1.0),  # the dataset's reader already leaves a margin about the joints
    "coco": Protocol(PckRule("coco"), 1.25),  # the margin of most top-down work on COCO
    "clips": Protocol(CLIP_RULE, 1.1),  # as `evaluate_clips`
}


@dataclass(frozen=True)
class Method:
    """A column of the table: a way to personalize.

    Attributes:
        name: Of the column, such as "online"; not "before".
        settings: Given to the personalizer, stored in the report.
        personalizer: By default the package's own.
    """

    name: str
    settings: PersonalizeSettings
    personalizer: Personalizer | None = None


def evaluate_dataset(
    spec: str,
    *,
    weights: PoseModel | Path | str | None = None,
    modes: Sequence[Mode] = ("online", "offline"),
    preset: str = "paper",
    steps: int | None = None,
    seed: int = 0,
    split: Split = "test",
    device: str = "auto",
    progress: Progress | None = None,
) -> ProtocolReport:
    """Evaluate a dataset before and after personalization.

    Args:
        spec: `penn:DIR`, `bbc:DIR`, `h36m:DIR`, `coco:FILE.json[:IMAGES]` or `clips:DIR`.
        weights: A base weights file, or a model; None for the shipped base.
        modes: The columns after "before"; none to measure the base alone.
        preset: Of the personalization.
        steps: Instead of the preset's.
        seed: Of the personalization and of the bootstrap intervals.
        split: Part of the dataset.
        device: A torch device or "auto".
        progress: Listens.

    Raises:
        UsageError: The dataset's description, the preset or a mode is not known.
        InputError: The dataset cannot be read, shares no joint with the model, or every video failed.
        WeightsError: The weights cannot be used.
    """
    from ttpose.personalize.settings import preset_named

    kind = kind_of(spec)
    methods = [Method(mode, preset_named(preset, mode=mode, steps=steps, seed=seed)) for mode in modes]
    videos = open_dataset(spec, split, progress)
    model, described = base_model(weights, device)
    return run_protocol(
        videos,
        model,
        PROTOCOLS[kind],
        methods,
        seed=seed,
        progress=progress,
        about={"dataset": spec, "split": split, "model": described},
        annotations=_annotation_file(spec) if kind == "coco" else None,
    )


def run_protocol(
    videos: Sequence[Video],
    model: PoseModel,
    protocol: Protocol,
    methods: Sequence[Method] = (),
    *,
    seed: int = 0,
    progress: Progress | None = None,
    about: Mapping[str, Any] | None = None,
    annotations: Path | None = None,
) -> ProtocolReport:
    """Evaluate videos; weights and optimiser start anew with each.

    A video that fails on the way (a damaged picture) is listed in the report, the others go on.

    Args:
        videos: With labels.
        model: The base; it stays as it is.
        protocol: The rule and the crop.
        methods: Ways to personalize.
        seed: Of the bootstrap intervals.
        progress: Listens.
        about: More for the report's settings.
        annotations: The COCO file that the videos come from, for OKS-AP.

    Raises:
        UsageError: Two methods have one name, or one is called "before".
        InputError: Labels and model share no joint, or every video failed.
    """
    from ttpose.model.predictor import Predictor

    progress, predictor = progress or Progress(), Predictor(model)
    keypoints = predictor.skeleton.keypoints
    if not any(joint in keypoints for video in videos for joint in video.skeleton.keypoints):
        raise InputError(f"the model's keypoints ({predictor.skeleton.name}) are none of the labelled joints")
    names = (BEFORE, *(method.name for method in methods))
    if len(set(names)) < len(names):
        raise UsageError(f"two columns have one name: {', '.join(names)}")
    scores, failed = [], {}
    found: dict[str, list[tuple[Video, np.ndarray]]] = {name: [] for name in names}
    for number, video in enumerate(videos, start=1):
        try:
            score, predictions = _evaluate(predictor, video, protocol, methods, f"{number}/{len(videos)}", progress)
        except InputError as error:
            failed[video.name] = error.message
            progress.note(f"{video.name} is left out: {error.message}")
            continue
        scores.append(score)
        if annotations is not None:
            for name, predicted in predictions.items():
                found[name].append((video, predicted))
    if not scores:
        raise InputError(f"none of the {len(videos)} videos could be evaluated", next(iter(failed.values()), None))
    return ProtocolReport(
        settings={
            "ttpose_version": __version__,
            **(about or {}),
            "device": str(model.device),
            "rule": asdict(protocol.rule),
            "crop_pad": protocol.pad,
            "seed": seed,
            "methods": {method.name: asdict(method.settings) for method in methods},
        },
        methods=names,
        videos=tuple(scores),
        failed=failed,
        not_scored=_not_scored(videos, keypoints),
        oks_ap=None if annotations is None else {m: oks_ap(annotations, rows, keypoints) for m, rows in found.items()},
    )


def _evaluate(
    predictor: Predictor,
    video: Video,
    protocol: Protocol,
    methods: Sequence[Method],
    place: str,
    progress: Progress,
) -> tuple[VideoScore, dict[str, np.ndarray]]:
    """Score one video with every method; predictions are [T, K_model, 3]."""
    boxes = _boxes(video, protocol.pad)
    found = {BEFORE: predict_frames(predictor, video.frames, f"{video.name} ({place})", progress, boxes)}
    guards, seconds = {}, {}
    for method in methods:
        personalizer = method.personalizer or own_personalizer()
        after = personalizer(
            predictor.model, picture_reader(video.frames), boxes, settings=method.settings, progress=progress
        )
        found[method.name] = after.keypoints
        guards[method.name], seconds[method.name] = after.guard.verdict, float(sum(after.timings.values()))
    return _score(video, protocol.rule, predictor.skeleton.keypoints, found, guards, seconds), found


def _score(
    video: Video,
    rule: PckRule,
    keypoints: Sequence[str],
    found: Mapping[str, np.ndarray],
    guards: Mapping[str, str],
    seconds: Mapping[str, float],
) -> VideoScore:
    joints, labels = video.skeleton.keypoints, video.keypoints
    scored = np.array([_is_scored(video, joint, keypoints) for joint in joints])
    measured = {m: measure(by_name(p, keypoints, joints), labels, joints, rule, scored) for m, p in found.items()}
    tallies = {method: one.tally(rule.threshold) for method, one in measured.items()}
    rows = [
        JointCount(
            joints[column],
            int(tallies[BEFORE].counted[column]),
            {method: int(tally.right[column]) for method, tally in tallies.items()},
        )
        for column in np.flatnonzero(scored).tolist()
    ]
    boxes = [frame.box for frame in video.frames]
    return VideoScore(
        video=video.name,
        person=video.person,
        frames=len(video),
        frames_without_labels=measured[BEFORE].without_labels,
        frames_without_length=measured[BEFORE].without_length,
        joints=tuple(rows),
        jitter={method: jitter(predicted, boxes) for method, predicted in found.items()},
        guards=guards,
        seconds=seconds,
    )


def _boxes(video: Video, pad: float) -> list[Box]:
    """The labels' boxes, scaled so that the predictor's own margin makes them the protocol's crops."""
    from ttpose.model.predictor import CROP_PAD

    return [frame.box.scaled(pad / CROP_PAD) for frame in video.frames]


def _is_scored(video: Video, joint: str, keypoints: Sequence[str]) -> bool:
    return joint in keypoints and (video.scored_joints is None or joint in video.scored_joints)


def _not_scored(videos: Sequence[Video], keypoints: Sequence[str]) -> tuple[str, ...]:
    """Joints that are labelled in some video and scored in none."""
    labelled = dict.fromkeys(joint for video in videos for joint in video.skeleton.keypoints)
    scored = {joint for video in videos for joint in video.skeleton.keypoints if _is_scored(video, joint, keypoints)}
    return tuple(joint for joint in labelled if joint not in scored)


def _annotation_file(spec: str) -> Path:
    """The file of `coco:FILE.json[:IMAGES]`."""
    place = spec.partition(":")[2]
    head, colon, _ = place.partition(".json:")
    return Path(f"{head}.json") if colon else Path(place)
