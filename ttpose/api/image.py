"""A model for single images in memory, and the weights that it takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ttpose.core.errors import InputError, NoPersonError
from ttpose.core.geometry import Box
from ttpose.core.skeleton import Skeleton
from ttpose.inference.photos import find_people, predict_in_box, predict_people
from ttpose.inference.refine.clip import fitted_refinement
from ttpose.inference.settings import PHOTO_PRESET, RefineSettings, refine_preset
from ttpose.models.device import choose_device
from ttpose.models.pose_model import PoseModel
from ttpose.models.shipped import LoadedModel
from ttpose.people.weights import load_weights
from ttpose.tracking.detector import PersonDetector

#: A base by file or by name, or a model itself.
Base = Path | str | PoseModel | None


class Pose:
    """A model for single images: `load_model().predict(image_rgb)`.

    Args:
        loaded: The weights.
    """

    def __init__(self, loaded: LoadedModel) -> None:
        self.loaded = loaded

    @property
    def skeleton(self) -> Skeleton:
        """The model's keypoint set."""
        return self.loaded.model.skeleton

    @cached_property
    def _detector(self) -> PersonDetector:
        return PersonDetector.load(str(self.loaded.model.device))

    def predict(
        self, image_rgb: np.ndarray, box: Sequence[float] | Box | None = None, *, preset: str = PHOTO_PRESET
    ) -> dict[str, Any]:
        """Keypoints of one person.

        Args:
            image_rgb: uint8 [H, W, 3].
            box: The person's box (x, y, width, height) in pixels, which is taken as it is; None finds the largest
                person, as `predict(path, subject="largest")` does.
            preset: Inference of "fast" (one view), "balanced" or "thorough" (four views and the ensemble).

        Returns:
            `keypoints` float [K, 3] (x, y in pixels, score 0..1), `box` [x, y, w, h], `names` of the keypoints, with
            those of the feet where the preset has the ensemble.

        Raises:
            InputError: Not an RGB uint8 image, or no box.
            NoPersonError: No box was given and nobody was found.
            UsageError: Unknown preset.
        """
        if image_rgb.ndim != 3 or image_rgb.shape[2] != 3 or image_rgb.dtype != np.uint8:
            raise InputError(f"an RGB uint8 image [H, W, 3] is needed, not {image_rgb.dtype} {list(image_rgb.shape)}")
        settings = fitted_refinement(refine_preset(preset), self.loaded.model.config)
        if box is None:
            where, keypoints = self._largest(image_rgb, settings)
        else:
            where = box if isinstance(box, Box) else Box(*box)
            if not (all(math.isfinite(value) for value in where.as_list()) and where.area > 0):
                raise InputError(f"a box is x, y, width and height, with an area, not {where.as_list()}")
            keypoints = predict_in_box(image_rgb, where, self.loaded.network, settings)
        names = list(settings.output_skeleton(self.skeleton).keypoints)
        return {"keypoints": keypoints, "box": where.as_list(), "names": names}

    def _largest(self, image: np.ndarray, settings: RefineSettings) -> tuple[Box, np.ndarray]:
        boxes = find_people(image, self._detector)
        if not boxes:
            raise NoPersonError("no person was found in the image", "give a box")
        largest = [max(boxes, key=lambda box: box.area)]
        loaded = self.loaded
        found = predict_people(image, largest, loaded.follow_network, self._detector, settings, loaded.network)
        if not found:
            raise NoPersonError("no person was found in the image", "give a box")
        return found[0].box, found[0].keypoints


def load_model(path: Path | str | None = None, device: str = "auto", *, base: Base = None) -> Pose:
    """A model for single images.

    Args:
        path: Base file, person file, or name in the person library; None takes the base.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        base: The base that the person was made on: a file, a name in `ttpose models`, or a model
            (`ttpose.models.base.as_base`); None takes the shipped one.

    Raises:
        WeightsError: Missing, damaged, or a person of another base.
        UsageError: Unknown device, two bases, or a person in the place of the base.
    """
    return Pose(load_weights(path, choose_device(device), base=base))
