"""The guard where a person corrected frames: how far off is a model in corrected frames that it did not learn from?

The errors of the base, of half of the change and of all of it are measured in frames that were left out. Unlike the
label-free metrics this sees harm where there is some: it is measured in pixels, against what the person said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from ttpose.adaptation.guard.metrics import INTERPOLATION, Decision, GuardReport
from ttpose.adaptation.losses import Clip
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.core import geometry
from ttpose.core.skeleton import Skeleton, torso_lengths
from ttpose.inference.refine.left_right import limb_groups
from ttpose.inference.tta import TTA_VIEWS, predict_tta
from ttpose.models.person import PersonDelta
from ttpose.models.pose_model import PoseModel

# Of the torso's length. What is farther off is wrong, by however much (PCK@0.2): one joint that is found on another
# person or on the other side, which the frames around set right in the result, would outweigh all others.
_LARGEST = 0.2
# The guard's models learn from a part of the frames, the one that is used from all, and they predict single frames
# without the clip around them: they understate what is learned from corrections (docs/experiments.md). A handful of
# frames says little either way. So what a person said is learned unless the frames speak against it beyond chance, by
# more than two standard errors, or plainly, by half of the base's error.
_STANDARD_ERRORS = 2.0
_PLAINLY = 0.5


@dataclass(frozen=True)
class LeaveOneOut:
    """Errors in corrected frames, each predicted by weights that had not learned from it.

    Attributes:
        frames: How many frames.
        joints: How many corrected joints in them.
        torso: Median length of the torso, pixels.
        rows: [J] which frame each joint is in.
        errors: For each decision the distance [J] of each joint from its correction, pixels, at most a fifth of the
            torso.
    """

    frames: int
    joints: int
    torso: float
    rows: np.ndarray
    errors: Mapping[Decision, np.ndarray]

    @classmethod
    def of(cls, parts: Sequence[LeftOut]) -> LeaveOneOut:
        """All parts together."""
        torsos = np.concatenate([part.torsos for part in parts])
        torso = float(np.median(torsos))
        errors: dict[Decision, np.ndarray] = {
            name: np.minimum(np.concatenate([part.errors[name] for part in parts]), _LARGEST * torso)
            for name in parts[0].errors
        }
        starts = np.cumsum([0, *(len(part.torsos) for part in parts[:-1])])
        rows = np.concatenate([start + part.rows for start, part in zip(starts, parts, strict=True)])
        return cls(len(torsos), len(rows), torso, rows, errors)

    def mean(self, decision: Decision) -> float:
        """Mean error of a decision's weights, pixels."""
        return float(self.errors[decision].mean())

    def decide(self) -> GuardReport:
        """All of the change unless the left-out frames speak against it; then half of it where that is better."""
        decision: Decision = "personalized"
        if self.is_worse("personalized"):
            decision = "interpolated" if self.mean("interpolated") < self.mean("base") else "base"
        return GuardReport(decision, self.sentence(decision), {}, self.to_dict())

    def is_worse(self, decision: Decision) -> bool:
        """Whether the weights are farther off than the base: beyond chance, or plainly."""
        change = self.errors[decision] - self.errors["base"]
        by_frame = np.array([change[self.rows == row].mean() for row in np.unique(self.rows)])
        spread = by_frame.std(ddof=1) / np.sqrt(len(by_frame)) if len(by_frame) > 1 else np.inf
        return bool(
            by_frame.mean() > _STANDARD_ERRORS * spread or self.mean(decision) > (1 + _PLAINLY) * self.mean("base")
        )

    def sentence(self, best: Decision) -> str:
        """What was measured, for the user."""
        before, after = self.mean("base"), self.mean("personalized" if best == "base" else best)
        change = 100 * (after - before) / max(before, 1e-9)
        told = (
            f"on the {self.frames} frames you corrected, each predicted by a model that had not seen it:"
            f" {before:.1f} px → {after:.1f} px ({change:+.0f} %)"
        )
        kept = {"base": "; kept the base", "interpolated": "; half of the change is kept", "personalized": ""}
        return told + kept[best]

    def to_dict(self) -> dict[str, object]:
        """For files."""
        errors = {decision: round(self.mean(decision), 3) for decision in get_args(Decision)}
        return {"frames": self.frames, "joints": self.joints, "torso_px": round(self.torso, 2), "error_px": errors}


@dataclass(frozen=True)
class LeftOut:
    """Errors in the frames of one part.

    Attributes:
        torsos: [N] lengths of the torso as the base finds it, pixels.
        rows: [J] which of the N frames each labelled joint is in.
        errors: For each decision the distance [J] of each labelled joint from its label, pixels.
    """

    torsos: np.ndarray
    rows: np.ndarray
    errors: dict[Decision, np.ndarray]


def measure_left_out(base: PoseModel, learned: PoseModel, part: Clip, settings: PersonalizeSettings) -> LeftOut:
    """Errors of the base, of half of the change and of all of it.

    Args:
        base: The model that learning started from.
        learned: What came of it.
        part: Labels of frames that it has not learned from.
        settings: `refine` says with how many views is predicted.
    """
    change, views = PersonDelta.between(base, learned, ""), TTA_VIEWS[: settings.refine.views]
    errors: dict[Decision, np.ndarray] = {}
    torsos = np.empty(0)
    for decision, weight in INTERPOLATION.items():
        model = change.apply(base, weight).eval() if weight else base
        found = predict_tta(model, part.crops, views).keypoints
        errors[decision] = _distances(found, part, base.skeleton)
        if decision == "base":
            torsos = torso_lengths(found, base.skeleton)
    return LeftOut(torsos, np.nonzero(part.labels[..., 2] > 0)[0], errors)


def _distances(found: np.ndarray, part: Clip, skeleton: Skeleton) -> np.ndarray:
    """How far keypoints [N, K, 3] are from a part's labels in original pixels, one number a label.

    Left and right of a limb are as they fit better: in the result the whole clip and the corrections tell them, which
    no single frame does.
    """
    labels = zip(part.crops, part.labels, strict=True)
    wanted = np.stack([geometry.apply(crop.to_source, label[:, :2]) for crop, label in labels])
    known, mirror = part.labels[..., 2] > 0, np.array(skeleton.flip)
    apart, crossed = (np.linalg.norm(each[..., :2] - wanted, axis=-1) for each in (found, found[:, mirror]))
    for limb in limb_groups(skeleton):
        counted = known[:, limb]
        swapped = (crossed[:, limb] * counted).sum(1) < (apart[:, limb] * counted).sum(1)
        apart[:, limb] = np.where(swapped[:, None], crossed[:, limb], apart[:, limb])
    return np.asarray(apart[known])
