"""One file per person: all clips of an identity in an `.npz`, pictures as JPEG bytes. Fast to read in training.

Arrays (M clips of T pictures with side S; pixel centres at integers):
    format            text, "ttpose.synthetic-shard/1"
    jpeg              uint8, all pictures' JPEG files after one another
    jpeg_offset       int64 [M * T + 1]
    keypoints         float32 [M, T, 17, 3], x, y, visibility
    head_points       float32 [M, T, 2, 3], middle and top of the head, likewise
    foot_points       float32 [M, T, 4, 3], big toes and heels (`ttpose.core.skeleton.FEET`), likewise; older shards
                      do not have them
    boxes             float32 [M, T, 4], x, y, width, height
    mask_bits         uint8 [M, T, ceil(S * S / 8)], packed bits, person where 1 (optional)
    motion            text [M]
    identity_seed, size
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ttpose.core.errors import InputError
from ttpose.core.files import atomic_path
from ttpose.core.geometry import Box
from ttpose.data.archives import read_arrays
from ttpose.data.labelled_clip import decode_jpeg, encode_jpeg

_FORMAT = "ttpose.synthetic-shard/1"


class RenderedClip(Protocol):
    """What a renderer hands over of one clip: T pictures of side S with labels (`ttpose_synth.clip`)."""

    @property
    def images(self) -> np.ndarray: ...  # noqa: D102

    @property
    def keypoints(self) -> np.ndarray: ...  # noqa: D102

    @property
    def head_points(self) -> np.ndarray: ...  # noqa: D102

    @property
    def foot_points(self) -> np.ndarray: ...  # noqa: D102

    @property
    def boxes(self) -> tuple[Box, ...]: ...  # noqa: D102

    @property
    def masks(self) -> np.ndarray: ...  # noqa: D102

    @property
    def motion(self) -> str: ...  # noqa: D102

    @property
    def identity_seed(self) -> int: ...  # noqa: D102


@dataclass(frozen=True)
class Shard:
    """M clips of one person; pictures stay encoded until `images` is called.

    Attributes:
        keypoints: float32 [M, T, 17, 3]: x, y, visibility; COCO order.
        head_points: float32 [M, T, 2, 3]: middle and top of the head.
        foot_points: float32 [M, T, 4, 3]: of `ttpose.core.skeleton.FEET`; None in shards of an earlier version.
        boxes: float32 [M, T, 4]: x, y, width, height.
        motion: M names.
        identity_seed: Of the person.
        size: Side of the pictures.
    """

    keypoints: np.ndarray
    head_points: np.ndarray
    foot_points: np.ndarray | None
    boxes: np.ndarray
    motion: tuple[str, ...]
    identity_seed: int
    size: int
    _jpeg: np.ndarray
    _jpeg_offset: np.ndarray
    _mask_bits: np.ndarray | None

    def image(self, clip: int, frame: int) -> np.ndarray:
        """One picture, RGB uint8 [S, S, 3]."""
        number = clip * self.keypoints.shape[1] + frame
        return decode_jpeg(self._jpeg[self._jpeg_offset[number] : self._jpeg_offset[number + 1]])

    def images(self) -> np.ndarray:
        """All pictures, RGB uint8 [M, T, S, S, 3]."""
        clips, frames = self.keypoints.shape[:2]
        return np.stack([[self.image(clip, frame) for frame in range(frames)] for clip in range(clips)])

    def masks(self) -> np.ndarray | None:
        """bool [M, T, S, S], True on the person; None when they were not stored."""
        if self._mask_bits is None:
            return None
        bits = np.unpackbits(self._mask_bits, axis=-1, count=self.size * self.size)
        return bits.reshape(*self.keypoints.shape[:2], self.size, self.size).astype(bool)


def write_shard(path: Path | str, clips: Sequence[RenderedClip], *, masks: bool = False, quality: int = 92) -> None:
    """Write clips of one person, whole or not at all.

    Args:
        path: The `.npz` file.
        clips: Of the same person, length and size.
        masks: Whether to store the person's masks, a bit per pixel.
        quality: JPEG quality.

    Raises:
        OutputError: It cannot be written.
    """
    jpeg = [encode_jpeg(image, quality) for clip in clips for image in clip.images]
    arrays = {
        "format": np.array(_FORMAT),
        "jpeg": np.frombuffer(b"".join(jpeg), np.uint8),
        "jpeg_offset": np.cumsum([0, *map(len, jpeg)]).astype(np.int64),
        "keypoints": np.stack([clip.keypoints for clip in clips]),
        "head_points": np.stack([clip.head_points for clip in clips]),
        "foot_points": np.stack([clip.foot_points for clip in clips]),
        "boxes": np.array([[box.as_list() for box in clip.boxes] for clip in clips], np.float32),
        "motion": np.array([clip.motion for clip in clips]),
        "identity_seed": np.array(clips[0].identity_seed, np.int64),
        "size": np.array(clips[0].images.shape[1], np.int32),
    }
    if masks:
        flat = np.stack([clip.masks.reshape(len(clip.masks), -1) > 127 for clip in clips])
        arrays["mask_bits"] = np.packbits(flat, axis=-1)
    with atomic_path(path) as partial, open(partial, "wb") as handle:
        np.savez(handle, allow_pickle=False, **arrays)


def read_shard(path: Path | str) -> Shard:
    """Read a file of `write_shard`; raises `InputError` when it is missing, damaged or something else."""
    try:
        arrays = read_arrays(path, "a shard of synthetic people")
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    if str(arrays.get("format")) != _FORMAT:
        raise InputError(f"{path} is not a shard of synthetic people", "write shards with ttpose synth --shards")
    return Shard(
        keypoints=arrays["keypoints"],
        head_points=arrays["head_points"],
        foot_points=arrays.get("foot_points"),
        boxes=arrays["boxes"],
        motion=tuple(str(name) for name in arrays["motion"]),
        identity_seed=int(arrays["identity_seed"]),
        size=int(arrays["size"]),
        _jpeg=arrays["jpeg"],
        _jpeg_offset=arrays["jpeg_offset"],
        _mask_bits=arrays.get("mask_bits"),
    )
