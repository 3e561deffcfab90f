"""Pairs of pictures of one person for the mobile model: rendered people, and stills paired with themselves."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ttpose.core import geometry
from ttpose.core.errors import InputError
from ttpose.core.geometry import Box
from ttpose.core.skeleton import COCO17, LSP14, convert
from ttpose.data.shards import Shard, read_shard

# A keypoint box ends inside the body: head, feet and clothes reach this share of its side further.
_MARGIN = 0.1
_LEAST_VISIBLE = 10  # keypoints inside the picture, or little can be learned from the pair


@dataclass(frozen=True)
class View:
    """One picture of a pair before its crop is cut.

    Attributes:
        image: RGB uint8 [H, W, 3].
        keypoints: [17, 3]: x, y, visibility (0: unknown), COCO order.
        mask: uint8 [H, W], 255 on the person, or None.
    """

    image: np.ndarray
    keypoints: np.ndarray
    mask: np.ndarray | None

    @property
    def box(self) -> Box:
        """The person's box, from the known keypoints."""
        tight = Box.around(self.keypoints[self.keypoints[:, 2] > 0, :2])
        grow = _MARGIN * tight.side
        return Box(tight.x - grow / 2, tight.y - grow, tight.width + grow, tight.height + 1.7 * grow)


class PairSource(Protocol):
    """Where pairs come from."""

    def draw(self, rng: np.random.Generator) -> tuple[View, View]:
        """A target and a source of the same person."""


class RenderedPairs:
    """Two frames of a rendered person, mostly of one clip.

    Args:
        folder: Shards with masks, written by `ttpose synth --shards --masks`.
        same_clip: Share of pairs within one clip; the others have another background and light.

    Raises:
        InputError: The folder holds no shards.
    """

    def __init__(self, folder: Path, same_clip: float = 0.75) -> None:
        paths = sorted(folder.glob("identity_*.npz"))
        if not paths:
            raise InputError(f"{folder} holds no shards", "write some with `ttpose synth OUT --shards --masks`")
        self._shards: list[Shard] = [read_shard(path) for path in paths]
        self._same_clip = same_clip

    def draw(self, rng: np.random.Generator) -> tuple[View, View]:
        """Two different frames with enough of the person in the picture."""
        while True:
            shard = self._shards[rng.integers(len(self._shards))]
            clips, frames = shard.keypoints.shape[:2]
            clip = int(rng.integers(clips))
            other = clip if rng.random() < self._same_clip else int(rng.integers(clips))
            chosen = (clip, int(rng.integers(frames))), (other, int(rng.integers(frames)))
            known = [(shard.keypoints[at][:, 2] > 0).sum() for at in chosen]
            if chosen[0] != chosen[1] and min(known) >= _LEAST_VISIBLE:
                target, source = (_rendered_view(shard, at) for at in chosen)
                return target, source


def _rendered_view(shard: Shard, at: tuple[int, int]) -> View:
    masks = shard.masks()
    mask = None if masks is None else masks[at].astype(np.uint8) * 255
    return View(shard.image(*at), shard.keypoints[at].astype(np.float64), mask)


class StillPairs:
    """A still paired with itself seen otherwise: real light, skin and cloth.

    Args:
        archive: Leeds Sports Pose Extended as a zip with `images/imNNNNN.webp` and `joints.npy` [N, 14, 3].
        numbers: Which pictures, counted from 0.
        least: Labelled joints a picture needs.

    Raises:
        InputError: No such archive.
    """

    def __init__(self, archive: Path, numbers: Sequence[int], least: int = 11) -> None:
        try:
            with zipfile.ZipFile(archive) as content:
                joints = np.load(io.BytesIO(content.read("joints.npy")), allow_pickle=False)
                use = [n for n in numbers if (joints[n, :12, 2] > 0).sum() >= least]
                self._pictures = [content.read(f"images/im{n + 1:05d}.webp") for n in use]
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise InputError(f"{archive} is no archive of Leeds Sports Pose Extended: {error}") from error
        self._keypoints = [_from_lsp(joints[n].astype(np.float64)) for n in use]

    def draw(self, rng: np.random.Generator) -> tuple[View, View]:
        """The same picture twice; the crops differ."""
        import cv2

        number = int(rng.integers(len(self._pictures)))
        image = cv2.imdecode(np.frombuffer(self._pictures[number], np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise InputError(f"a picture of the archive cannot be read (number {number} of those used)")
        view = View(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), self._keypoints[number], None)
        return view, view


def _from_lsp(joints: np.ndarray) -> np.ndarray:
    """LSP's joints in COCO order; the face, which LSP does not label, stands in for by head top and neck."""
    out = convert(joints, LSP14, COCO17)
    neck, top = (joints[LSP14.index(name), :2] for name in ("neck", "head_top"))
    head = neck + 0.55 * (top - neck)  # ears and nose lie a little above half-way
    for name in ("nose", "left_eye", "right_eye", "left_ear", "right_ear"):
        # Good enough to carry the head's look about, too coarse as keypoint labels: visibility stays 0.
        out[COCO17.index(name)] = (*head, 0.0)
    unknown = out[:, 2] == 0
    out[unknown & np.isnan(out[:, 0]), :2] = head
    return out


@dataclass(frozen=True)
class PairAugmentation:
    """Random crops of pairs."""

    rotation_sd: float = 20.0  # degrees, of the warp that both share, for half of the pairs
    pad: tuple[float, float] = (1.0, 1.35)  # side of the crop over the box's
    shift_sd: float = 0.03
    own_rotation_sd: float = 25.0  # between the two views of a still, which else would be equal
    own_scale: tuple[float, float] = (0.85, 1.2)
    contrast: float = 0.25
    tint: float = 0.1
    brightness: float = 20.0


@dataclass(frozen=True)
class Pair:
    """What training needs of a pair, as arrays.

    Attributes:
        images: uint8 [2, S, S, 3], target and source.
        keypoints: float32 [2, 17, 3] in crop pixels; the third value is the visibility.
        mask: uint8 [S, S] of the target, or zeros.
        has_mask: Whether `mask` is known.
    """

    images: np.ndarray
    keypoints: np.ndarray
    mask: np.ndarray
    has_mask: bool


def cut_pair(target: View, source: View, size: int, rng: np.random.Generator, how: PairAugmentation) -> Pair:
    """Cut both crops with one random warp and one change of light."""
    still = target is source
    rotation = float(np.clip(rng.normal(0, how.rotation_sd), -60, 60)) if rng.random() < 0.5 else 0.0
    pad, flip = float(rng.uniform(*how.pad)), bool(rng.random() < 0.5)
    gain = rng.uniform(1 - how.contrast, 1 + how.contrast) * rng.uniform(1 - how.tint, 1 + how.tint, 3)
    offset = rng.uniform(-how.brightness, how.brightness)
    images, keypoints, mask = [], [], np.zeros((size, size), np.uint8)
    for position, view in enumerate((target, source)):
        own = still and position == 1
        matrix = geometry.crop_matrix(
            view.box,
            size,
            pad=pad * (float(rng.uniform(*how.own_scale)) if own else 1.0),
            rotation=rotation + (float(rng.normal(0, how.own_rotation_sd)) if own else 0.0),
            shift=(float(rng.normal(0, how.shift_sd)), float(rng.normal(0, how.shift_sd))),
            flip=flip,
        )
        crop = geometry.warp(view.image, matrix, size).astype(np.float32)
        images.append(np.clip(crop * gain + offset, 0, 255).astype(np.uint8))
        moved = view.keypoints.copy()
        moved[:, :2] = geometry.apply(matrix, moved[:, :2])
        keypoints.append(moved[list(COCO17.flip)] if flip else moved)
        if position == 0 and view.mask is not None:
            mask = geometry.warp(np.repeat(view.mask[..., None], 3, 2), matrix, size)[..., 0]
    return Pair(np.stack(images), np.stack(keypoints).astype(np.float32), mask, target.mask is not None)
