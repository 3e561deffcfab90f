"""Clothes, shoes, hats, hair, eyes and brows that are bound to the body's surface and follow its shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ttpose_synth.body import BodyModel
from ttpose_synth.image_bank import ImageBank, with_alpha

_BONES_PER_VERTEX = 4


@dataclass(frozen=True)
class Garment:
    """A mesh that sits on three body vertices per vertex.

    Attributes:
        name: Without its kind.
        kind: clothes, hair, eyes or eyebrows.
        reference: int64 [V, 3], body vertices.
        barycentric: float32 [V, 3], their weights.
        offset: float32 [V, 3], metres, added after interpolation.
        scale: Per axis (body vertex a, body vertex b, their distance in metres on the body it was made for), by
            which the offset grows; empty for none.
        face: int32 [F, 3].
        uv: float32 [F, 3, 2].
        hidden: bool [body vertices], skin that it covers.
        bone_index: int32 [V, 4].
        bone_weight: float32 [V, 4].
    """

    name: str
    kind: str
    reference: np.ndarray
    barycentric: np.ndarray
    offset: np.ndarray
    scale: tuple[tuple[int, int, float], ...]
    face: np.ndarray
    uv: np.ndarray
    hidden: np.ndarray
    bone_index: np.ndarray
    bone_weight: np.ndarray

    def fit(self, body: np.ndarray) -> np.ndarray:
        """Place it on a body [V, 3]: float32 [V, 3], metres."""
        offset = self.offset.copy()
        for axis, (a, b, distance) in enumerate(self.scale):
            offset[:, axis] *= abs(body[a, axis] - body[b, axis]) / distance
        return ((body[self.reference] * self.barycentric[:, :, None]).sum(1) + offset).astype(np.float32)


class Wardrobe:
    """All garments of the asset file, by keys such as `clothes/shoes01`."""

    def __init__(
        self, arrays: Mapping[str, np.ndarray], items: Sequence[Mapping[str, Any]], textures: ImageBank, body: BodyModel
    ) -> None:
        self._arrays, self._items, self._textures, self._body = arrays, items, textures, body
        self._number = {f"{item['kind']}/{item['name']}": i for i, item in enumerate(items)}
        self._start = {key: np.cumsum([0] + [item[key] for item in items]) for key in ("vertices", "faces", "uvs")}
        self._cut: dict[str, Garment] = {}

    def keys(self, kind: str) -> list[str]:
        """Keys of all garments of a kind, in the file's order."""
        return [key for key in self._number if key.startswith(kind + "/")]

    def texture(self, key: str) -> np.ndarray:
        """The garment's own colours, RGBA uint8 [256, 256, 4]."""
        return with_alpha(self._textures[self._number[key]])

    def __getitem__(self, key: str) -> Garment:
        if key not in self._cut:
            self._cut[key] = self._read(self._number[key])
        return self._cut[key]

    def _rows(self, key: str, number: int) -> slice:
        return slice(int(self._start[key][number]), int(self._start[key][number + 1]))

    def _read(self, number: int) -> Garment:
        arrays, item, body = self._arrays, self._items[number], self._body
        vertices, faces = self._rows("vertices", number), self._rows("faces", number)
        reference = arrays["item_reference"][vertices].astype(np.int64)
        barycentric = arrays["item_barycentric"][vertices]
        bone_weight = np.clip(body.bone_weight[reference] * barycentric[:, :, None], 0, None)
        bone_index, bone_weight = strongest_bones(
            body.bone_index[reference].reshape(len(reference), -1), bone_weight.reshape(len(reference), -1)
        )
        uv = arrays["item_uv"][self._rows("uvs", number)]
        return Garment(
            name=item["name"],
            kind=item["kind"],
            reference=reference,
            barycentric=barycentric,
            offset=arrays["item_offset"][vertices].astype(np.float32) * np.float32(0.1),
            scale=tuple((int(a), int(b), float(distance) * 0.1) for a, b, distance in item["scale"] or ()),
            face=arrays["item_face"][faces].astype(np.int32),
            uv=uv[arrays["item_uv_face"][faces].astype(np.int64)],
            hidden=np.unpackbits(arrays["item_hidden"][number])[: len(body.vertex)].astype(bool),
            bone_index=bone_index,
            bone_weight=bone_weight,
        )


def strongest_bones(bone: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Merge repeated bones of each row and keep the four strongest.

    Args:
        bone: int [V, N], N at least 4.
        weight: float [V, N], not negative.

    Returns:
        int32 [V, 4] in rising order and float32 [V, 4], rows sum to 1.
    """
    count = int(bone.max()) + 1
    dense = np.zeros((len(bone), max(count, _BONES_PER_VERTEX + 1)), np.float32)
    np.add.at(dense, (np.arange(len(bone))[:, None], bone), weight)
    index = np.argpartition(-dense, _BONES_PER_VERTEX, axis=1)[:, :_BONES_PER_VERTEX].astype(np.int32)
    index.sort(axis=1)
    kept = np.take_along_axis(dense, index, 1)
    return index, (kept / np.maximum(kept.sum(1, keepdims=True), 1e-6)).astype(np.float32)
