"""What the report needs to look inside a personalization: both models and a few crops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ttpose.inference.crops import PersonCrop, evenly_spaced
from ttpose.models.pose_model import PoseModel

_MOST = 4  # enough to see that a pattern is no accident, few enough to look at each


@dataclass(frozen=True)
class Samples:
    """Weights before and after, and crops evenly from the whole clip.

    Attributes:
        base: The model before.
        personal: The model whose keypoints the result holds.
        crops: At most four, in order of time.
    """

    base: PoseModel
    personal: PoseModel
    crops: tuple[PersonCrop, ...]

    @classmethod
    def of(cls, base: PoseModel, personal: PoseModel, crops: Sequence[PersonCrop]) -> Samples:
        """Keep a few of the crops and let the others go."""
        if len(crops) <= _MOST:
            return cls(base, personal, tuple(crops))
        # From the middles of equal parts: a clip's very first and last frame often show the least.
        inner = evenly_spaced(len(crops), 2 * _MOST + 1)[1::2]
        return cls(base, personal, tuple(crops[i] for i in inner))
