"""The body: a base mesh and the morph targets that turn it into people of any age, build and origin.

Mesh and targets are MakeHuman's (CC0); how the targets combine follows its macro sliders.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ttpose_synth.meshes import displace

#: Stored displacements are in ten-thousandths of a metre.
_TARGET_UNIT = 1e-4
_ETHNICITIES = ("african", "asian", "caucasian")


@dataclass(frozen=True)
class MorphTargets:
    """Named displacements of some vertices, which add up linearly.

    Attributes:
        rows: For each target its rows in `index` and `delta`.
        details: Names of the local targets (a nose, a belly), the others being the macro targets.
        index: uint16 [N], vertex numbers.
        delta: int16 [N, 3], displacements.
    """

    rows: Mapping[str, slice]
    details: tuple[str, ...]
    index: np.ndarray
    delta: np.ndarray

    def add(self, vertices: np.ndarray, name: str, weight: float) -> None:
        """Displace vertices [V, 3] (metres) in place; a name without a target is a combination without effect."""
        rows = self.rows.get(name)
        if rows is not None and weight > 1e-3:
            displace(vertices, self.index[rows], self.delta[rows], np.float32(weight * _TARGET_UNIT))


@dataclass(frozen=True)
class BodyModel:
    """The base mesh, including invisible helper vertices that garments are bound to.

    Attributes:
        vertex: float32 [V, 3], metres, rest pose.
        face: int32 [F, 3], the visible skin.
        uv: float32 [F, 3, 2], texture coordinates of the corners, v up.
        bone_index: int32 [V, 4], the bones that move a vertex.
        bone_weight: float32 [V, 4], rows sum to 1.
        targets: The morph targets.
    """

    vertex: np.ndarray
    face: np.ndarray
    uv: np.ndarray
    bone_index: np.ndarray
    bone_weight: np.ndarray
    targets: MorphTargets

    @cached_property
    def on_surface(self) -> np.ndarray:
        """bool [V]: whether a vertex belongs to the visible skin."""
        mark = np.zeros(len(self.vertex), bool)
        mark[np.unique(self.face)] = True
        return mark

    def bone_share(self, bones: list[int]) -> np.ndarray:
        """float32 [V]: the part of each vertex's weight that belongs to the given bones."""
        return (self.bone_weight * np.isin(self.bone_index, bones)).sum(1)


@dataclass(frozen=True)
class BodyRanges:
    """How people vary; shares and deviations were chosen by eye, for variety and not to match a census."""

    male_share: float = 0.5
    old_share: float = 0.25
    child_share: float = 0.08
    muscle: tuple[float, float] = (0.55, 0.22)  # mean, deviation; 0..1 are MakeHuman's slider ends
    weight: tuple[float, float] = (0.5, 0.25)
    height: tuple[float, float] = (0.5, 0.2)
    details: int = 8  # local targets per person
    detail_strength: float = 0.7  # at most; full strength looks like a caricature
    pregnant_dropped: float = 0.7  # else it would be as common as a nose


@dataclass(frozen=True)
class BodyShape:
    """One person's body: vertices float32 [V, 3] metres, and the traits that clothes and skin depend on."""

    vertices: np.ndarray
    gender: str
    ethnicity: str
    is_child: bool


def sample_body(model: BodyModel, rng: np.random.Generator, ranges: BodyRanges) -> BodyShape:
    """Draw a body shape."""
    gender = "male" if rng.random() < ranges.male_share else "female"
    maleness = rng.uniform(0.8, 1) if gender == "male" else rng.uniform(0, 0.2)
    ages = _sample_ages(rng, ranges)
    ethnicity = dict(zip(_ETHNICITIES, rng.dirichlet([0.5, 0.5, 0.5]), strict=True))
    muscle = _low_mid_high(rng, ranges.muscle, "muscle")
    weight = _low_mid_high(rng, ranges.weight, "weight")
    height = float(np.clip(rng.normal(*ranges.height), 0, 1))
    proportion = rng.uniform(0.2, 1)
    height_name = "maxheight" if height > 0.5 else "minheight"
    proportion_name = "idealproportions" if proportion > 0.5 else "uncommonproportions"
    vertices, targets = model.vertex.copy(), model.targets
    for sex, sex_share in (("male", maleness), ("female", 1 - maleness)):
        for age, age_share in ages.items():
            for origin, origin_share in ethnicity.items():
                targets.add(vertices, f"{origin}-{sex}-{age}", sex_share * age_share * origin_share)
            for muscle_name, muscle_share in muscle.items():
                for weight_name, weight_share in weight.items():
                    share = sex_share * age_share * muscle_share * weight_share
                    stem = f"{sex}-{age}-{muscle_name}-{weight_name}"
                    targets.add(vertices, f"universal-{stem}", share)
                    targets.add(vertices, f"{stem}-{height_name}", share * abs(2 * height - 1))
                    targets.add(vertices, f"{stem}-{proportion_name}", share * abs(2 * proportion - 1))
    _add_details(targets, vertices, rng, ranges)
    return BodyShape(vertices, gender, max(ethnicity, key=lambda name: ethnicity[name]), "child" in ages)


def _sample_ages(rng: np.random.Generator, ranges: BodyRanges) -> dict[str, float]:
    """Shares of the age targets, which sum to 1."""
    draw = rng.random()
    if draw < ranges.old_share:
        old = rng.uniform(0.2, 1)
        return {"young": 1 - old, "old": old}
    if draw < ranges.old_share + ranges.child_share:
        child = rng.uniform(0.3, 0.9)
        return {"young": 1 - child, "child": child}
    return {"young": 1.0}


def _low_mid_high(rng: np.random.Generator, spread: tuple[float, float], name: str) -> dict[str, float]:
    """Draw a slider and give the shares of its minimum, average and maximum targets, which sum to 1."""
    value = float(np.clip(rng.normal(*spread), 0, 1))
    return {
        f"min{name}": max(0.0, 1 - 2 * value),
        f"average{name}": 1 - abs(2 * value - 1),
        f"max{name}": max(0.0, 2 * value - 1),
    }


def _add_details(targets: MorphTargets, vertices: np.ndarray, rng: np.random.Generator, ranges: BodyRanges) -> None:
    for name in rng.choice(targets.details, ranges.details, replace=False):
        if "pregnant" in name and rng.random() < ranges.pregnant_dropped:
            continue
        targets.add(vertices, str(name), rng.uniform(0, ranges.detail_strength))
