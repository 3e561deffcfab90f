"""What an evaluation asks of a personalization, so that any method can stand in for our own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ttpose.core.geometry import Box
from ttpose.core.progress import Progress

if TYPE_CHECKING:
    from ttpose.adaptation.settings import PersonalizeSettings
    from ttpose.models.pose_model import PoseModel


class Decision(Protocol):
    """What a guard decided."""

    @property
    def decision(self) -> str:
        """`personalized`, `interpolated` or `base`."""

    def to_dict(self) -> dict[str, Any]:
        """The decision and the metrics behind it, JSON-ready."""


class PersonalizedCrops(Protocol):
    """What personalizing on one person's frames gives."""

    @property
    def keypoints(self) -> np.ndarray:
        """[N, K, 3]: x, y in image pixels, score."""

    @property
    def refined(self) -> np.ndarray:
        """The same by the base, refined with nothing learned."""

    @property
    def guard(self) -> Decision:
        """The guard's decision."""

    @property
    def timings(self) -> Mapping[str, float]:
        """Seconds by stage."""


class Personalizer(Protocol):
    """Adapts a copy of the model to one person's frames and predicts them; the model itself stays as it was."""

    def __call__(
        self,
        model: PoseModel,
        images: Sequence[np.ndarray] | Callable[[int], np.ndarray],
        boxes: Sequence[Box],
        *,
        settings: PersonalizeSettings,
        progress: Progress,
    ) -> PersonalizedCrops:
        """Frame i is `images[i]` or `images(i)`, RGB uint8 [H, W, 3], with its person in `boxes[i]`."""


def own_personalizer() -> Personalizer:
    """The package's own."""
    from ttpose.adaptation.boxed_clip import personalize_crops

    return personalize_crops
