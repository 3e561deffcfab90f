"""The TTP paper's protocol on research datasets: each video before personalization, online and offline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttpose.core.errors import InputError, UsageError
from ttpose.core.progress import Advance, Progress
from ttpose.core.version import __version__
from ttpose.data.datasets import Split, Video, kind_of, open_dataset
from ttpose.evaluation.each_video import VideoEvaluation, is_scored
from ttpose.evaluation.journal import Journal
from ttpose.evaluation.loading import base_model
from ttpose.evaluation.oks_ap import oks_ap, require_pycocotools
from ttpose.evaluation.protocol_report import BEFORE, ProtocolReport
from ttpose.evaluation.protocols import PROTOCOLS, Method, Protocol

if TYPE_CHECKING:
    from ttpose.adaptation.settings import Mode, PersonalizeSettings
    from ttpose.models.pose_model import PoseModel


def evaluate_dataset(
    spec: str,
    *,
    weights: PoseModel | Path | str | None = None,
    base: Path | str | None = None,
    modes: Sequence[Mode] = ("online", "offline"),
    settings: PersonalizeSettings | None = None,
    split: Split = "test",
    seed: int = 0,
    device: str = "auto",
    journal: Path | str | None = None,
    progress: Progress | None = None,
) -> ProtocolReport:
    """Evaluate a dataset before and after personalization.

    Args:
        spec: `penn:DIR`, `bbc:DIR`, `h36m:DIR`, `coco:FILE.json[:IMAGES]` or `clips:DIR`.
        weights: A person, by file or by name in the library, or a base, or a model; None takes `base`.
        base: The base that the person was made on; None takes the shipped one.
        modes: The columns after "before"; none to measure the base alone.
        settings: Of the personalization; its mode is each column's. None takes the paper's with `seed`.
        split: Part of the dataset.
        seed: Of the bootstrap intervals.
        device: A torch device or "auto".
        journal: File of finished videos; a run that is repeated with it goes on where it was cut short.
        progress: Receives progress.

    Raises:
        UsageError: The dataset's description or a mode is not known, the method does not fit the model, the journal
            is another evaluation's, a COCO file is to be evaluated without pycocotools, or there are two bases, or a
            person in the place of the base.
        InputError: The dataset cannot be read, shares no joint with the model, or every video failed.
        WeightsError: The weights cannot be used, or the person was made on another base.
        OutputError: The journal cannot be written.
    """
    from ttpose.adaptation.methods import method_named

    kind = kind_of(spec)
    annotations = _annotation_file(spec) if kind == "coco" else None
    if annotations is not None:
        require_pycocotools()  # now, not after hours
    unknown = [mode for mode in modes if mode not in ("online", "offline")]
    if unknown:
        raise UsageError(f"there is no mode {unknown[0]}", "choose online and offline, or neither")
    chosen = settings or method_named("paper", seed=seed)
    heard = _Heard(progress or Progress())
    videos = open_dataset(spec, split, heard)
    model, described = base_model(weights, device, base=base)
    return run_protocol(
        videos,
        model,
        PROTOCOLS[kind],
        [Method(mode, replace(chosen, mode=mode)) for mode in modes],
        seed=seed,
        progress=progress,
        about={"dataset": spec, "split": split, "model": described},
        annotations=annotations,
        journal=journal,
        left_out=heard.notes,
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
    journal: Path | str | None = None,
    left_out: Sequence[str] = (),
) -> ProtocolReport:
    """Evaluate videos; weights and optimiser start anew with each.

    A video that fails on the way (a damaged picture) is listed in the report, the others go on. Videos of one frame
    are left out where a method reconstructs one frame from another.

    Args:
        videos: With labels.
        model: The base; it stays as it is.
        protocol: The rule and the crop.
        methods: Ways to personalize.
        seed: Of the bootstrap intervals.
        progress: Receives progress.
        about: More for the report's settings.
        annotations: The COCO file that the videos come from, for OKS-AP.
        journal: File of finished videos, see `Journal`; what failed is tried again.
        left_out: What was left out before, for the report.

    Raises:
        UsageError: Two methods have one name, one is called "before", one does not fit the model, or the journal is
            another evaluation's.
        InputError: Labels and model share no joint, or every video failed.
        OutputError: The journal cannot be written.
    """
    progress = progress or Progress()
    keypoints = model.skeleton.keypoints
    if not any(joint in keypoints for video in videos for joint in video.skeleton.keypoints):
        raise InputError(f"the model's keypoints ({model.skeleton.name}) are none of the labelled joints")
    names = (BEFORE, *(method.name for method in methods))
    if len(set(names)) < len(names):
        raise UsageError(f"two columns have one name: {', '.join(names)}")
    methods = [_fitted(method, model) for method in methods]
    kept = _with_pairs(videos, methods)
    if len(kept) < len(videos):
        line = f"left out {len(videos) - len(kept)} videos of one frame, which cannot be reconstructed from another"
        left_out = (*left_out, line)
        progress.note(line)
    settings = {
        "ttpose_version": __version__,
        **(about or {}),
        "videos": len(kept),
        "frames": sum(map(len, kept)),
        "device": str(model.device),
        "rule": asdict(protocol.rule),
        "crop_pad": protocol.pad,
        "seed": seed,
        "methods": {method.name: asdict(method.settings) for method in methods},
    }
    finished = Journal(Path(journal), settings) if journal is not None else None
    evaluation = VideoEvaluation(model, protocol, methods, finished, annotations is not None, progress)
    evaluation.run(kept)
    if not evaluation.scores:
        reason = next(iter(evaluation.failed.values()), "measure them alone with --mode before" if left_out else None)
        raise InputError(f"none of the {len(videos)} videos could be evaluated", reason)
    found = evaluation.found
    return ProtocolReport(
        settings=settings,
        methods=names,
        videos=tuple(evaluation.scores),
        failed=evaluation.failed,
        left_out=tuple(left_out),
        not_scored=_not_scored(videos, keypoints),
        oks_ap=None if annotations is None else {m: oks_ap(annotations, found[m], keypoints) for m in names},
    )


def _fitted(method: Method, model: PoseModel) -> Method:
    from ttpose.adaptation.methods import fitted

    return method if method.personalizer else replace(method, settings=fitted(method.settings, model.config))


def _with_pairs(videos: Sequence[Video], methods: Sequence[Method]) -> list[Video]:
    """The videos that every method can learn from."""
    needs_pairs = any(m.settings.reconstruction > 0 for m in methods if m.personalizer is None)
    return [video for video in videos if len(video) > 1 or not needs_pairs]


class _Heard(Progress):
    """Passes everything on, and keeps the notes."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.notes: list[str] = []

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Advance]:
        with self._progress.stage(name, total) as advance:
            yield advance

    def note(self, text: str) -> None:
        self.notes.append(text)
        self._progress.note(text)


def _not_scored(videos: Sequence[Video], keypoints: Sequence[str]) -> tuple[str, ...]:
    """Joints that are labelled in some video and scored in none."""
    labelled = dict.fromkeys(joint for video in videos for joint in video.skeleton.keypoints)
    scored = {joint for video in videos for joint in video.skeleton.keypoints if is_scored(video, joint, keypoints)}
    return tuple(joint for joint in labelled if joint not in scored)


def _annotation_file(spec: str) -> Path:
    """The file of `coco:FILE.json[:IMAGES]`."""
    place = spec.partition(":")[2]
    head, colon, _ = place.partition(".json:")
    return Path(f"{head}.json") if colon else Path(place)
