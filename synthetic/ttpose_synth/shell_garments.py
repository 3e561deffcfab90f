"""T-shirts, sleeves, shorts and trousers cut from the body's own surface and puffed up: tight clothes without data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ttpose_synth.body import BodyModel
from ttpose_synth.rig import Rig

_TORSO = ("root", "spine05", "spine04", "spine03", "spine02", "spine01", "neck01")
_TORSO_SIDES = ("breast", "clavicle", "shoulder01", "pelvis", "upperleg01")
_PELVIS = ("root", "spine05", "spine04", "pelvis.L", "pelvis.R", "upperleg01.L", "upperleg01.R")
_SIDES = (".L", ".R")
# Where sleeves and legs may end and how often, in limb segments from the trunk: 1 elbow or knee, 2 wrist or ankle.
_SLEEVES = ((0, 0.1), (0.3, 0.25), (0.6, 0.25), (1.0, 0.05), (1.5, 0.1), (1.9, 0.25))
_LEGS = ((0.25, 0.15), (0.5, 0.2), (0.8, 0.1), (1.3, 0.1), (1.92, 0.45))


@dataclass(frozen=True)
class Shell:
    """A garment cut from the body.

    Attributes:
        vertex: float32 [V, 3], metres.
        body_vertex: int [V], the body vertices it was cut from.
        face: int32 [F, 3].
        uv: float32 [F, 3, 2].
        hidden: bool [body vertices], skin that it covers.
    """

    vertex: np.ndarray
    body_vertex: np.ndarray
    face: np.ndarray
    uv: np.ndarray
    hidden: np.ndarray


class ShellCutter:
    """Cuts garments from one person's body.

    Args:
        model: The base mesh.
        rig: Its bones.
        vertices: This person's vertices [V, 3], metres.
        normal: Their unit normals [V, 3].
    """

    def __init__(self, model: BodyModel, rig: Rig, vertices: np.ndarray, normal: np.ndarray) -> None:
        self._model, self._rig, self._vertices, self._normal = model, rig, vertices, normal
        self._joint = dict(zip(rig.names, rig.heads(vertices), strict=True))

    def top(self, rng: np.random.Generator) -> Shell:
        """A T-shirt, tank top or longsleeve."""
        looseness, height, joint = rng.uniform(0.004, 0.022), self._vertices[:, 1], self._joint
        neck = joint["neck01"][1] - rng.uniform(-0.02, 0.05)
        hem = joint["upperleg01.L"][1] + rng.uniform(-0.08, 0.08)
        torso = self._share(*_TORSO, *(name + side for name in _TORSO_SIDES for side in _SIDES))
        covered = (torso > 0.5) & (height > hem) & (height < neck)
        loose = np.clip((joint["spine02"][1] - height) / 0.4, 0, 1) * rng.uniform(0, 0.03)
        sleeve = _draw(rng, _SLEEVES)
        for side in _SIDES:
            upper = self._share("upperarm01" + side, "upperarm02" + side, "shoulder01" + side)
            lower = self._share("lowerarm01" + side, "lowerarm02" + side)
            t_upper = self._along("upperarm01" + side, "lowerarm01" + side)
            t_lower = self._along("lowerarm01" + side, "wrist" + side)
            arm = (upper > 0.5) & (t_upper < sleeve)
            if sleeve > 1:
                below = t_lower < sleeve - 1
                arm |= ((lower > 0.4) & below) | ((upper + lower > 0.6) & (t_upper < 1.2) & below)
            covered |= arm & (self._share("wrist" + side) < 0.5)
            loose += np.clip(t_upper, 0, 1) * (upper > 0.5) * rng.uniform(0, 0.02)
        return self._cut(rng, covered, looseness, loose)

    def bottom(self, rng: np.random.Generator) -> Shell:
        """Shorts or trousers."""
        looseness, height, joint = rng.uniform(0.004, 0.022), self._vertices[:, 1], self._joint
        waist = joint["spine04"][1] + rng.uniform(-0.06, 0.04)
        leg = _draw(rng, _LEGS)
        covered = (self._share(*_PELVIS) > 0.5) & (height < waist) & (height > joint["upperleg01.L"][1] - 0.1)
        flare = rng.uniform(-0.002, 0.03)
        loose = np.zeros(len(height), np.float32)
        for side in _SIDES:
            upper = self._share("upperleg01" + side, "upperleg02" + side)
            lower = self._share("lowerleg01" + side, "lowerleg02" + side)
            t_upper = self._along("upperleg01" + side, "lowerleg01" + side)
            t_lower = self._along("lowerleg01" + side, "foot" + side)
            part = (upper > 0.5) & (t_upper < leg)
            if leg > 1:
                below = t_lower < leg - 1
                part |= ((upper + lower > 0.6) & (t_upper < 1.3) & below) | ((lower > 0.5) & below)
            covered |= part & (self._share("foot" + side) < 0.5)
            loose += (upper + lower > 0.5) * np.clip(t_upper / max(leg, 1), 0, 1) * flare
        return self._cut(rng, covered, looseness, loose)

    def _share(self, *bones: str) -> np.ndarray:
        return self._model.bone_share([self._rig.number[bone] for bone in bones])

    def _along(self, start: str, end: str) -> np.ndarray:
        """How far along a limb segment each vertex lies: 0 at its start, 1 at its end."""
        base, direction = self._joint[start], self._joint[end] - self._joint[start]
        return ((self._vertices - base) @ direction) / (direction @ direction)

    def _cut(self, rng: np.random.Generator, covered: np.ndarray, looseness: float, loose: np.ndarray) -> Shell:
        """Take the covered part of the skin, push it outwards and smooth its edges."""
        face, count = self._model.face, len(self._vertices)
        covered = covered & self._model.on_surface
        keep = covered[face].all(1)
        phase, frequency = rng.uniform(0, 6.28, 6), rng.uniform(12, 40, 6)  # wrinkles some decimetres apart
        waves = [np.sin(self._vertices @ rng.normal(0, 1, 3) * frequency[i] + phase[i]) for i in range(6)]
        thickness = looseness + loose + sum(waves) / 6 * looseness * 0.35
        used = np.unique(face[keep])
        renumber = np.full(count, -1, np.int32)
        renumber[used] = np.arange(len(used))
        border = np.zeros(count, bool)  # half-covered triangles stay visible, or a gap would open
        border[np.unique(face[~keep & covered[face].any(1)])] = True
        vertex = (self._vertices[used] + self._normal[used] * thickness[used, None]).astype(np.float32)
        cut_face = renumber[face[keep]]
        smooth_open_edges(vertex, cut_face)
        uv = self._model.uv[keep] * np.float32(rng.uniform(0.8, 3))
        return Shell(vertex, used, cut_face, uv, covered & ~border)


def smooth_open_edges(vertex: np.ndarray, face: np.ndarray, rounds: int = 6) -> None:
    """Smooth the boundary (neck, sleeves, hem) of a mesh in place; vertex [V, 3], face int [F, 3]."""
    edge = np.sort(np.concatenate([face[:, [0, 1]], face[:, [1, 2]], face[:, [2, 0]]]), 1)
    unique, count = np.unique(edge, axis=0, return_counts=True)
    border = unique[count == 1]
    if not len(border):
        return
    a, b = border[:, 0], border[:, 1]
    for _ in range(rounds):
        total, number = np.zeros_like(vertex), np.zeros(len(vertex), np.float32)
        np.add.at(total, a, vertex[b])
        np.add.at(total, b, vertex[a])
        np.add.at(number, border.ravel(), 1)
        moved = number > 0
        vertex[moved] = 0.4 * vertex[moved] + 0.6 * total[moved] / number[moved, None]


def _draw(rng: np.random.Generator, choices: tuple[tuple[float, float], ...]) -> float:
    """One value of (value, probability) pairs."""
    return float(rng.choice([value for value, _ in choices], p=[share for _, share in choices]))
