"""The asset file: body, rig, clothes, skins, motion and backgrounds that people are made from.

The file is one `.npz` that is given by path; `docs/synthetic.md` lists its arrays, their units and their sources.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ttpose.core.errors import InputError
from ttpose.data.archives import read_arrays
from ttpose_synth.body import BodyModel, MorphTargets
from ttpose_synth.garments import Wardrobe
from ttpose_synth.image_bank import ImageBank
from ttpose_synth.motion import MotionLibrary
from ttpose_synth.rig import BoneEnds, Rig


@dataclass(frozen=True)
class Backgrounds:
    """Pictures for floors and walls.

    Attributes:
        bank: RGB pictures, uint8 [384, 384, 3].
        photos: Numbers of real scenes.
        floors: Numbers of pictures that can lie on a floor.
        walls: Numbers of pictures that can hang on a wall.
    """

    bank: ImageBank
    photos: tuple[int, ...]
    floors: tuple[int, ...]
    walls: tuple[int, ...]

    def pick(self, rng: np.random.Generator, numbers: tuple[int, ...]) -> np.ndarray:
        """One of the numbered pictures at random, RGB uint8 [384, 384, 3], not to be written to."""
        return self.bank[numbers[rng.integers(len(numbers))]]


@dataclass(frozen=True)
class SyntheticAssets:
    """Everything that people, their motion and their surroundings are drawn from."""

    body: BodyModel
    rig: Rig
    motion: MotionLibrary
    wardrobe: Wardrobe
    skins: ImageBank
    backgrounds: Backgrounds

    @classmethod
    def load(cls, path: Path | str, share_alike: bool = True) -> SyntheticAssets:
        """Read the asset file.

        Args:
            path: The `.npz` file.
            share_alike: Whether to use backgrounds under CC BY-SA.

        Raises:
            InputError: The file is missing, damaged or not an asset file.
        """
        try:
            arrays = read_arrays(path, "an asset file")
        except FileNotFoundError:
            raise InputError(f"asset file {path} not found", "docs/synthetic.md says what the file holds") from None
        try:
            return cls._from_arrays(arrays, share_alike)
        except (KeyError, IndexError, ValueError) as error:
            raise InputError(f"{path} is not an asset file of this version: {error!r}") from error

    @classmethod
    def _from_arrays(cls, arrays: Mapping[str, np.ndarray], share_alike: bool) -> SyntheticAssets:
        meta: dict[str, Any] = json.loads(str(arrays["meta_json"]))
        body = _body(arrays, meta)
        rig = Rig(
            names=tuple(meta["bones"]),
            parent=tuple(int(parent) for parent in arrays["bone_parent"]),
            head_ends=_bone_ends(arrays, "bone_head"),
            tail_ends=_bone_ends(arrays, "bone_tail"),
        )
        motion = MotionLibrary(
            joints=tuple(meta["motion"]["joints"]),
            names=tuple(clip["name"] for clip in meta["motion"]["clips"]),
            groups=tuple(clip["group"] for clip in meta["motion"]["clips"]),
            rest_joint=arrays["motion_rest_joint"].astype(np.float64) * 0.01,
            quaternion=arrays["motion_quaternion"],
            root=arrays["motion_root"].astype(np.float64) * 0.01,
            glitch=arrays["motion_glitch"].astype(bool),
            offset=arrays["motion_offset"].astype(np.int64),
        )
        wardrobe = Wardrobe(arrays, meta["items"], _bank(arrays, "item_texture"), body)
        return cls(
            body, rig, motion, wardrobe, _bank(arrays, "skin", meta["skins"]), _backgrounds(arrays, meta, share_alike)
        )


def _body(arrays: Mapping[str, np.ndarray], meta: dict[str, Any]) -> BodyModel:
    offset = arrays["target_offset"].astype(np.int64)
    weight = arrays["body_skin_weight"].astype(np.float32)
    return BodyModel(
        vertex=arrays["body_vertex"].astype(np.float32) * np.float32(0.1),
        face=arrays["body_face"].astype(np.int32),
        uv=arrays["body_uv"][arrays["body_uv_face"].astype(np.int64)].astype(np.float32),
        bone_index=arrays["body_skin_bone"].astype(np.int32),
        bone_weight=weight / weight.sum(1, keepdims=True),
        targets=MorphTargets(
            rows={name: slice(int(offset[i]), int(offset[i + 1])) for i, (_, name) in enumerate(meta["targets"])},
            details=tuple(name for group, name in meta["targets"] if group == "detail"),
            index=arrays["target_index"],
            delta=arrays["target_delta"],
        ),
    )


def _backgrounds(arrays: Mapping[str, np.ndarray], meta: dict[str, Any], share_alike: bool) -> Backgrounds:
    pool: dict[str, tuple[int, ...]] = {
        role: tuple(
            number
            for number, info in enumerate(meta["backgrounds"])
            if info["role"] == role and (share_alike or "-SA-" not in info["licence"])
        )
        for role in ("photo", "floor", "wall", "any")
    }
    return Backgrounds(
        bank=_bank(arrays, "background"),
        photos=pool["photo"],
        floors=pool["floor"] + pool["any"],
        walls=pool["photo"] + pool["wall"] + pool["any"],
    )


def _bank(arrays: Mapping[str, np.ndarray], name: str, names: list[str] | None = None) -> ImageBank:
    return ImageBank(arrays[name + "_bytes"], arrays[name + "_offset"].astype(np.int64), tuple(names or ()))


def _bone_ends(arrays: Mapping[str, np.ndarray], name: str) -> BoneEnds:
    return BoneEnds(arrays[name + "_vertex"].astype(np.int64), arrays[name + "_offset"].astype(np.int64))
