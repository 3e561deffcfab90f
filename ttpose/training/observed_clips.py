"""What the shipped model sees of rendered clips: the rescorer's training data, written once and kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ttpose.core.errors import InputError
from ttpose.core.files import atomic_path
from ttpose.core.geometry import Box, CropGrid
from ttpose.data.archives import read_arrays
from ttpose.data.shards import Shard, read_shard
from ttpose.inference.crops import PersonCrop, cut_crop
from ttpose.inference.ensemble import ensemble_member
from ttpose.inference.prediction import TTAPrediction
from ttpose.inference.tta import TTA_VIEWS, predict_tta
from ttpose.models.pose_model import PoseModel

#: Views of the test-time augmentation of the fast preset, and of the others.
VIEW_COUNTS = (1, 4)
FRAME_S = 1 / 25  # rendered clips have 25 frames a second
_ARRAYS = ("keypoints", "side_odds", "spread", "single_view_keypoints", "peaks", "boxes")


@dataclass(frozen=True)
class ObservedClip:
    """A labelled clip as the model saw it.

    Attributes:
        truth: [T, 17, 3] original pixels; the third value is the visibility, 0 unknown, 1 hidden, 2 visible.
        times: [T] seconds.
        seen: An observation for each of `VIEW_COUNTS`, all with one ensemble prediction, for the last one's keypoints.
        motion: Name of the recorded motion.
    """

    truth: np.ndarray
    times: np.ndarray
    seen: tuple[TTAPrediction, ...]
    motion: str

    def without_ensemble(self) -> ObservedClip:
        """The clip as the model alone saw it."""
        return replace(self, seen=tuple(replace(seen, ensemble=None) for seen in self.seen))


def shard_crops(shard: Shard, clip: int, grid: CropGrid | int, every: int = 1) -> list[PersonCrop]:
    """A rendered clip's crops on a network's grid, through the labelled boxes; of every so manieth frame."""
    boxes = [Box(*row) for row in shard.boxes[clip].astype(float)]
    frames = range(0, len(boxes), every)
    return [cut_crop(shard.image(clip, i), boxes[i], grid, index=i, time_s=i * FRAME_S) for i in frames]


def observe_shard(model: PoseModel, path: Path) -> ObservedClip:
    """The first clip of a rendered person, through the labelled boxes."""
    shard = read_shard(path)
    crops = shard_crops(shard, 0, model.config.crop)
    *fewer, most = VIEW_COUNTS
    last = predict_tta(model, crops, TTA_VIEWS[:most])
    ensemble = ensemble_member(model.skeleton, str(model.device)).predict(crops, last.keypoints)
    seen = tuple(
        replace(found, ensemble=ensemble)
        for found in (*(predict_tta(model, crops, TTA_VIEWS[:views]) for views in fewer), last)
    )
    return ObservedClip(
        shard.keypoints[0].astype(np.float64), np.array([c.time_s for c in crops]), seen, shard.motion[0]
    )


def write_clip(clip: ObservedClip, path: Path) -> None:
    """Keep a clip as `.npz`; raises OutputError."""
    arrays = {"truth": clip.truth, "times": clip.times, "motion": np.array(clip.motion)}
    for views, seen in zip(VIEW_COUNTS, clip.seen, strict=True):
        arrays |= {f"{name}_{views}": getattr(seen, name).astype(np.float32) for name in _ARRAYS}
    if clip.seen[0].ensemble is not None:
        arrays["ensemble"] = clip.seen[0].ensemble.astype(np.float32)
    with atomic_path(path) as partial, open(partial, "wb") as handle:
        np.savez_compressed(handle, allow_pickle=False, **arrays)


def read_clip(path: Path) -> ObservedClip:
    """Read a file of `write_clip`, with the ensemble's prediction if it holds one; raises InputError."""
    try:
        arrays = read_arrays(path, "an observed clip")
        seen = tuple(_observation(arrays, views) for views in VIEW_COUNTS)
        return ObservedClip(arrays["truth"], arrays["times"], seen, str(arrays["motion"]))
    except (FileNotFoundError, KeyError) as error:
        raise InputError(f"{path} is not an observed clip: {error}") from error


def _observation(arrays: Mapping[str, np.ndarray], views: int) -> TTAPrediction:
    return TTAPrediction.of(lambda name: arrays[f"{name}_{views}"], ensemble=arrays.get("ensemble"))
