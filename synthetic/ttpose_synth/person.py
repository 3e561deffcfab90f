"""One dressed person, ready to be posed: all parts merged into one mesh with one list of materials."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ttpose_synth.assets import SyntheticAssets
from ttpose_synth.body import BodyRanges, BodyShape, sample_body
from ttpose_synth.fabric import fabric, recoloured
from ttpose_synth.feet import foot_points
from ttpose_synth.head import face_points, hair_texture, skin_texture
from ttpose_synth.image_bank import texture_sized
from ttpose_synth.meshes import Surface, vertex_normals
from ttpose_synth.outfit import Collection, Piece, choose_outfit
from ttpose_synth.rig import Bones, fit_bones
from ttpose_synth.shell_garments import ShellCutter


@dataclass(frozen=True)
class Person:
    """A dressed person in the rest pose.

    Attributes:
        seed: That it was drawn from.
        description: Gender, origin, clothes and hair.
        vertex: float32 [V, 3], metres.
        bone_index: int32 [V, 4].
        bone_weight: float32 [V, 4].
        surface: Faces and materials.
        face_bone: int32 [F], the bone that moves a face most.
        lift: float32 [V], metres that a vertex is drawn nearer to the camera.
        bones: Ready to be posed.
        face_points: Keypoints of the head by name, rest pose, metres, rigid with the head bone.
        foot_points: Keypoints of the feet likewise, rigid with the foot bones.
    """

    seed: int
    description: tuple[str, ...]
    vertex: np.ndarray
    bone_index: np.ndarray
    bone_weight: np.ndarray
    surface: Surface
    face_bone: np.ndarray
    lift: np.ndarray
    bones: Bones
    face_points: dict[str, np.ndarray]
    foot_points: dict[str, np.ndarray]


@dataclass(frozen=True)
class PersonRanges:
    """How people differ: their bodies and what they wear."""

    body: BodyRanges = field(default_factory=BodyRanges)
    collection: Collection = field(default_factory=Collection)


@dataclass(frozen=True)
class _Part:
    """A mesh with one material; fields as in `Person` and `Surface`; `hidden`: bool [body vertices], skin it covers."""

    vertex: np.ndarray
    bone_index: np.ndarray
    bone_weight: np.ndarray
    face: np.ndarray
    uv: np.ndarray
    texture: np.ndarray
    piece: Piece
    hidden: np.ndarray


def sample_person(assets: SyntheticAssets, seed: int, ranges: PersonRanges | None = None) -> Person:
    """Draw a person: body, skin, clothes, hair. The same seed and assets give the same person."""
    ranges = ranges or PersonRanges()
    rng = np.random.default_rng(seed)
    shape = sample_body(assets.body, rng, ranges.body)
    skin = skin_texture(assets.skins, rng, shape)
    parts = _dress(assets, rng, shape, choose_outfit(ranges.collection, assets.wardrobe, rng, shape))
    parts.append(_skin_part(assets, rng, shape, skin, parts))
    bones = fit_bones(assets.rig, assets.motion, shape.vertices, rng)
    worn = [part.piece.key for part in parts if part.piece.key.startswith(("clothes/", "hair/", "shell/"))]
    mesh = _merge(parts)
    return Person(
        seed=seed,
        description=(shape.gender, shape.ethnicity, *worn),
        bones=bones,
        face_points=face_points(assets.body, assets.rig, shape.vertices),
        foot_points=foot_points(assets.body, assets.rig, shape.vertices),
        **mesh,
    )


def _dress(assets: SyntheticAssets, rng: np.random.Generator, shape: BodyShape, pieces: Iterable[Piece]) -> list[_Part]:
    body, model = shape.vertices, assets.body
    normal = np.zeros_like(body)
    vertex_normals(body, model.face, normal)
    cutter = ShellCutter(model, assets.rig, body, normal)
    parts = []
    for piece in pieces:
        if piece.key.startswith("shell/"):
            shell = cutter.top(rng) if piece.key == "shell/top" else cutter.bottom(rng)
            index, weight = model.bone_index[shell.body_vertex], model.bone_weight[shell.body_vertex]
            cloth = fabric(assets.backgrounds, rng)
            parts.append(_Part(shell.vertex, index, weight, shell.face, shell.uv, cloth, piece, shell.hidden))
            continue
        garment, texture = assets.wardrobe[piece.key], assets.wardrobe.texture(piece.key)
        if piece.paint == "recoloured":
            texture = recoloured(assets.backgrounds, rng, texture)
        elif piece.paint == "hair":
            texture = hair_texture(rng, texture)
        index, weight = garment.bone_index, garment.bone_weight
        parts.append(_Part(garment.fit(body), index, weight, garment.face, garment.uv, texture, piece, garment.hidden))
    return parts


def _skin_part(
    assets: SyntheticAssets, rng: np.random.Generator, shape: BodyShape, texture: np.ndarray, worn: list[_Part]
) -> _Part:
    """The body itself, without the triangles that clothes hide completely."""
    model = assets.body
    hidden = np.zeros(len(model.vertex), bool)
    for part in worn:
        hidden |= part.hidden
    keep = ~hidden[model.face].all(1)
    piece = Piece("skin", paint="own", holes=False, specular=rng.uniform(0, 0.1))
    index, weight, face, uv = model.bone_index, model.bone_weight, model.face[keep], model.uv[keep]
    return _Part(shape.vertices, index, weight, face, uv, texture, piece, hidden)


def _merge(parts: list[_Part]) -> dict[str, Any]:
    """Concatenate the parts without their unused vertices, as the mesh fields of `Person`."""
    vertex, bone_index, bone_weight, face, lift = [], [], [], [], []
    start = 0
    for part in parts:
        used = np.unique(part.face)
        renumber = np.zeros(len(part.vertex), np.int32)
        renumber[used] = np.arange(len(used)) + start
        vertex.append(part.vertex[used])
        bone_index.append(part.bone_index[used])
        bone_weight.append(part.bone_weight[used])
        face.append(renumber[part.face])
        lift.append(np.full(len(used), part.piece.lift, np.float32))
        start += len(used)
    faces, weights, indices = np.concatenate(face), np.concatenate(bone_weight), np.concatenate(bone_index)
    pieces = [part.piece for part in parts]
    surface = Surface(
        face=np.ascontiguousarray(faces, np.int32),
        uv=np.ascontiguousarray(np.concatenate([part.uv for part in parts]), np.float32),
        material=np.repeat(np.arange(len(parts), dtype=np.int32), [len(part.face) for part in parts]),
        texture=np.stack([texture_sized(part.texture) for part in parts]),
        alpha_test=np.array([piece.holes and not piece.key.startswith("shell/") for piece in pieces], np.int32),
        cull_back=np.array([piece.key == "skin" for piece in pieces], np.int32),
        specular=np.array([piece.specular for piece in pieces], np.float32),
    )
    strongest = indices[np.arange(start), weights.argmax(1)]
    return {
        "vertex": np.ascontiguousarray(np.concatenate(vertex), np.float32),
        "bone_index": np.ascontiguousarray(indices, np.int32),
        "bone_weight": np.ascontiguousarray(weights, np.float32),
        "surface": surface,
        "face_bone": strongest[faces[:, 0]],
        "lift": np.concatenate(lift),
    }
