"""What the shipped model sees of rendered clips: the rescorer's training data, written once and kept."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ttpose.errors import InputError
from ttpose.files import atomic_path
from ttpose.geometry import Box
from ttpose.model.pose_model import PoseModel
from ttpose.personalize.crops import cut_crop
from ttpose.personalize.views import VIEWS, Observation, observe
from ttpose.training.synthetic.shards import read_shard

#: As many views as the fast preset looks through, and as the others do.
LOOKS = (1, 4)
_FRAME_S = 1 / 25
_ARRAYS = ("keypoints", "sides", "spread", "alone", "peaks")
# What NumPy raises for a damaged archive, and what a single array in place of one does.
_UNREADABLE = (
    OSError, ValueError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error, TypeError,
    AttributeError,
)  # fmt: skip


@dataclass(frozen=True)
class ObservedClip:
    """A labelled clip as the model saw it.

    Attributes:
        truth: [T, 17, 3] original pixels; the third value is the visibility, 0 unknown, 1 hidden, 2 visible.
        times: [T] seconds.
        seen: An observation for each of `LOOKS`.
        motion: Name of the recorded motion.
    """

    truth: np.ndarray
    times: np.ndarray
    seen: tuple[Observation, ...]
    motion: str


def observe_shard(model: PoseModel, path: Path) -> ObservedClip:
    """The first clip of a rendered person, through the labelled boxes."""
    shard, size = read_shard(path), model.config.input_size
    boxes = [Box(*row) for row in shard.boxes[0].astype(float)]
    crops = [cut_crop(shard.image(0, i), box, size, index=i, time_s=i * _FRAME_S) for i, box in enumerate(boxes)]
    seen = tuple(observe(model, crops, VIEWS[:looks]) for looks in LOOKS)
    return ObservedClip(
        shard.keypoints[0].astype(np.float64), np.array([c.time_s for c in crops]), seen, shard.motion[0]
    )


def write_clip(clip: ObservedClip, path: Path) -> None:
    """Keep a clip as `.npz`; raises OutputError."""
    arrays = {"truth": clip.truth, "times": clip.times, "motion": np.array(clip.motion)}
    for looks, seen in zip(LOOKS, clip.seen, strict=True):
        arrays |= {f"{name}_{looks}": getattr(seen, name).astype(np.float32) for name in _ARRAYS}
    with atomic_path(path) as partial, open(partial, "wb") as handle:
        np.savez_compressed(handle, allow_pickle=False, **arrays)


def read_clip(path: Path) -> ObservedClip:
    """Read a file of `write_clip`; raises InputError."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            seen = tuple(Observation(*(archive[f"{name}_{looks}"] for name in _ARRAYS)) for looks in LOOKS)
            return ObservedClip(archive["truth"], archive["times"], seen, str(archive["motion"]))
    except _UNREADABLE as error:
        raise InputError(f"{path} is not an observed clip: {error}") from error
